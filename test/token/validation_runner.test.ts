import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countObjects } from '../../src/validation/object_watch.js';
import { parseReport, type CheckResult, type ValidationReport } from '../../src/validation/result.js';
import { runValidation, type ValidationRequest } from '../../src/validation/runner.js';
import { openReferredToken } from '../../src/validation/token_opening.js';
import type { TokenReference } from '../../src/validation/token_reference.js';
import { ValidationError } from '../../src/validation/errors.js';
import { rejection } from '../support/failure.js';
import { checks } from '../support/validation_checks.js';

const CATALOGUE = new URL('../support/validation_checks.js', import.meta.url).href;

describe('the runner of validations', () => {
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-validation-test-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  function reference(): TokenReference {
    const label = 'keyferry-validation';
    return {
      module: 'softhsm2',
      settings: {},
      selector: { label },
      userPin: { kind: 'file', path: join(directory, 'user.pin') },
      soPin: { kind: 'file', path: join(directory, 'so.pin') },
      scratch: { kind: 'softhsm2', directory },
      initialiseAs: label,
    };
  }

  function run(ids: readonly string[], more: Partial<ValidationRequest> = {}): Promise<ValidationReport> {
    return runValidation({
      reference: reference(),
      checks: checks.filter(({ id }) => ids.includes(id)),
      catalogue: CATALOGUE,
      seed: 'a seed',
      isQuick: true,
      ...more,
    });
  }

  function resultOf(report: ValidationReport, id: string): CheckResult {
    const found = report.checks.find((check) => check.id === id);
    if (found === undefined) throw new Error(`no result of ${id}`);
    return found;
  }

  describe('with checks that do what bad modules do', () => {
    let report: ValidationReport;

    before(async function () {
      this.timeout(60_000);
      report = await run(['T-PASS', 'T-CRASH', 'T-HANG', 'T-LEAK', 'T-REFUSED', 'T-SKIP']);
    });

    it('reports a crash as a finding that blocks, with what was seen before it', () => {
      const { status, severity, observations } = resultOf(report, 'T-CRASH');
      expect(status).to.equal('finding');
      expect(severity).to.equal('blocks');
      expect(observations.map(({ seen }) => seen)).to.include('seen');
      expect(observations.map(({ seen }) => seen).join()).to.contain('SIGSEGV');
    });

    it('runs a check that crashed again in a fresh process, to tell it from one that an earlier check has broken', () => {
      const again = resultOf(report, 'T-CRASH').observations.at(-1);
      expect(again?.what).to.contain('fresh process');
      expect(again?.isAsExpected).to.equal(false);
    });

    it('ends a check that hangs, and reports what was seen before', () => {
      const { status, observations } = resultOf(report, 'T-HANG');
      expect(status).to.equal('finding');
      expect(observations.map(({ seen }) => seen)).to.deep.equal(['seen', 'no answer within the time limit']);
    });

    it('reports objects that a check leaves behind, and removes them', () => {
      const { status, observations } = resultOf(report, 'T-LEAK');
      expect(status).to.equal('finding');
      expect(observations[0]?.seen).to.equal('1 token objects, 1 session objects');
      expect(resultOf(report, 'T-REFUSED').observations).to.have.length(1);
    });

    it('takes a return value that a check does not expect as a finding', () => {
      const [observation] = resultOf(report, 'T-REFUSED').observations;
      expect(observation).to.include({ call: 'C_GenerateKey', seen: 'CKR_MECHANISM_INVALID', isAsExpected: false });
    });

    it('says why a check does not apply', () => {
      expect(resultOf(report, 'T-SKIP')).to.include({ status: 'not-applicable' });
      expect(resultOf(report, 'T-SKIP').reason).to.contain('CKM_0x7FFFFFF0');
    });

    it('reads its own report again', () => {
      expect(parseReport(JSON.stringify(report), 'report')).to.deep.equal(JSON.parse(JSON.stringify(report)));
    });
  });

  it('reports what ran when it is interrupted, and leaves no object behind', async function () {
    this.timeout(30_000);
    const abort = new AbortController();
    const report = await run(['T-PASS', 'T-LONG'], {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.kind === 'started' && event.check.id === 'T-LONG') setTimeout(() => abort.abort(), 700);
      },
    });
    expect(report.isComplete).to.equal(false);
    expect(resultOf(report, 'T-PASS').status).to.equal('passed');
    expect(resultOf(report, 'T-LONG')).to.include({ status: 'not-run', reason: 'the run was interrupted' });
    expect(resultOf(report, 'T-LONG').observations.map(({ seen }) => seen)).to.deep.equal(['made']);
    const token = await openReferredToken(reference());
    try {
      expect(await countObjects(token.executor)).to.deep.equal({ token: 0, session: 0 });
    } finally {
      await token.close();
      token.module.close();
    }
  });

  it('says that the token cannot be opened, with the tokens that there are', async function () {
    this.timeout(30_000);
    const failure = await rejection(
      ValidationError,
      runValidation({
        reference: { ...reference(), selector: { label: 'another' }, initialiseAs: null },
        checks: [],
        catalogue: CATALOGUE,
        seed: '',
        isQuick: true,
      }),
    );
    expect(failure).to.have.property('code', 'ERR_VALIDATION_START');
    expect(String(failure)).to.contain('keyferry-validation');
  });
});
