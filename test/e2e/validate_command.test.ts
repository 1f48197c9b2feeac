import { expect } from 'chai';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checks } from '../../src/validation/catalogue.js';
import { parseReport, type ValidationReport } from '../../src/validation/result.js';
import { keyferry } from '../support/keyferry_command.js';

/** A group, and one of each other at least; what every check finds is the matter of test/token/validation_facts_*.test.ts. */
const CHECKS = ['COR-01', 'COR-08', 'POL-01', 'POL-02', 'POL-03', 'POL-05', 'POL-06', 'ROB-01', 'PRF-05'];

const NSS_CHECKS = ['POL-03', 'POL-04', 'POL-08', 'POL-11', 'POL-12'].flatMap((id) => ['--check', id]);

describe('keyferry validate', () => {
  let directory: string;
  let report: ValidationReport;
  const validate = (...args: readonly string[]): ReturnType<typeof keyferry> => keyferry('validate', ...args);

  before(async function () {
    this.timeout(90_000);
    directory = mkdtempSync(join(tmpdir(), 'keyferry-validate-test-'));
    const ended = await validate(
      ...['--module', 'softhsm2', '--scratch', '--quick', '--report', directory],
      ...['--group', 'CAP', ...CHECKS.flatMap((id) => ['--check', id])],
    );
    expect(ended.status, ended.stderr).to.equal(0);
    report = parseReport(readFileSync(join(directory, 'findings.json'), 'utf8'), 'findings.json');
    expect(ended.stdout).to.contain('WHAT THE TOKEN CAN CARRY');
    expect(ended.stderr).to.contain('COR-01 ECDH on P-384');
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  function finding(id: string): readonly string[] {
    const found = report.checks.find((check) => check.id === id);
    return (found?.observations ?? []).filter(({ isAsExpected }) => !isAsExpected).map(({ seen }) => seen);
  }

  it('writes the reports', () => {
    expect(readdirSync(directory).toSorted()).to.deep.equal([
      'findings.json',
      'junit.xml',
      'module-profile.json',
      'report.html',
    ]);
  });

  it('answers for each flow, by which strategies', () => {
    expect(report.verdicts.map(({ flow, answer }) => `${flow} ${answer}`)).to.deep.equal([
      'replication yes',
      'signing yes',
      'import yes',
      'operations yes',
    ]);
    expect(report.verdicts[0]?.strategies.map(({ suite }) => suite)).to.include('CBCDERIVE-A256KWP');
    expect(report.verdicts[0]?.missing.join()).to.contain('CKM_HKDF_DERIVE');
  });

  it('finds what SoftHSM2 gives away and gets wrong', () => {
    expect(finding('POL-01')).to.include('the key in clear');
    expect(finding('POL-02')).to.include('the key in clear');
    expect(finding('POL-06')).to.include('CKR_OK: CKA_VALUE can be read');
    expect(finding('POL-05')).to.include('CKR_OK: CKA_WRAP is true');
    expect(finding('CAP-08').join()).to.contain('CKR_ARGUMENTS_BAD');
    expect(finding('COR-08')).to.not.deep.equal([]);
  });

  it('finds nothing where SoftHSM2 does what it should, and can run every check', () => {
    const clean = ['COR-01', 'POL-03', 'ROB-01'];
    expect(clean.flatMap((id) => finding(id).map((seen) => `${id}: ${seen}`))).to.deep.equal([]);
    const asked = checks.filter(({ id, group }) => group === 'CAP' || CHECKS.includes(id)).map(({ id }) => id);
    expect(report.checks.map(({ id }) => id)).to.deep.equal(asked);
    expect(report.checks.filter(({ status }) => status === 'not-run')).to.deep.equal([]);
    expect(report.incidents).to.deep.equal([]);
  });

  it('finds what NSS softoken does not enforce, and that it can carry every flow all the same', async function () {
    this.timeout(60_000);
    const ended = await validate('--module', 'nss', '--scratch', '--quick', ...NSS_CHECKS, '--json');
    expect(ended.status, ended.stderr).to.equal(0);
    const { files, ...rest } = JSON.parse(ended.stdout) as ValidationReport & { readonly files: readonly string[] };
    expect(files).to.deep.equal([]);
    const nss = parseReport(JSON.stringify(rest), 'standard output');
    const findings = nss.checks.filter(({ status }) => status === 'finding').map(({ id }) => id);
    expect(findings).to.deep.equal(['POL-03', 'POL-04', 'POL-08', 'POL-11']);
    expect(nss.verdicts.map(({ answer }) => answer)).to.deep.equal(['yes', 'yes', 'yes', 'yes']);
    expect(nss.verdicts[0]?.reservations).to.include('POL-11');
  });

  it('measures', () => {
    const measurements = report.checks.find(({ id }) => id === 'PRF-05')?.measurements ?? [];
    expect(measurements.map(({ sessions }) => sessions)).to.deep.equal([1, 4]);
    expect(measurements.every(({ perSecond, p50Us, p99Us }) => perSecond > 0 && p50Us > 0 && p99Us >= p50Us)).to.equal(
      true,
    );
  });

  it('exits with 1 where a finding is as grave as --fail-on, and with 0 where it was in the baseline', async function () {
    this.timeout(60_000);
    const run = ['--module', 'softhsm2', '--scratch', '--quick', '--check', 'POL-05', '--json'];
    const failed = await validate(...run, '--fail-on', 'security');
    expect(failed.status).to.equal(1);
    expect(failed.stderr).to.contain('POL-05');
    const known = await validate(...run, '--baseline', join(directory, 'findings.json'));
    expect(known.status, known.stderr).to.equal(0);
  });

  it('exits with 2 where it could not run, and says why', async function () {
    this.timeout(30_000);
    const refusals: readonly (readonly [string, readonly string[]])[] = [
      ['/nowhere/p11.so', ['--module', '/nowhere/p11.so', '--slot', '1', '--pin-environment', 'NO_SUCH_PIN']],
      ['COR-99', ['--module', 'softhsm2', '--scratch', '--check', 'COR-99']],
      ['which token', ['--module', 'softhsm2']],
    ];
    for (const [text, args] of refusals) {
      const refused = await validate(...args);
      expect(refused.status, text).to.equal(2);
      expect(refused.stderr).to.contain(text);
    }
  });
});
