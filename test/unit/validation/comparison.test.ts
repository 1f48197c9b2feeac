import { expect } from 'chai';
import type { TokenProfile } from '../../../src/token/profile.js';
import { newSince } from '../../../src/validation/baseline.js';
import type { Measurement } from '../../../src/validation/check.js';
import { compareModules, regressionsOf, type ComparedModule } from '../../../src/validation/comparison.js';
import type { CheckResult, ValidationReport } from '../../../src/validation/result.js';
import { parseReport } from '../../../src/validation/result.js';
import { verdictsOf } from '../../../src/validation/verdict.js';
import { profileBut } from '../../support/profile.js';
import { finding, report, result } from '../../support/validation_report.js';

function module(name: string, profile: TokenProfile, ...checks: readonly CheckResult[]): ComparedModule {
  const whole = { ...report(...checks), profile, verdicts: [...verdictsOf(profile, checks)] };
  return { name, identity: profile.identity, profile, report: whole };
}

function measured(operation: string, perSecond: number, p50Us: number, sessions = 1): Measurement {
  return { operation, sessions, operations: 100, p50Us, p99Us: p50Us * 2, perSecond };
}

const whole = profileBut({});
const options = { noise: 1.5 };

describe('the comparison of two modules', () => {
  it('says nothing of two that are the same but for serial, label and path', () => {
    const other = { ...whole, identity: { ...whole.identity, serial: '2', label: 'other', modulePath: '/other.so' } };
    const checks = [finding('POL-01', 'a'), result('COR-01')];
    const comparison = compareModules(module('a', whole, ...checks), module('b', other, ...checks), options);
    const { flows, ...rest } = comparison;
    expect(Object.values(rest).flat()).to.deep.equal([]);
    expect(flows.every(({ before, after }) => before === 'yes' && after === 'yes')).to.equal(true);
    expect(regressionsOf(comparison, 'information')).to.deep.equal([]);
  });

  it('names capabilities, rules, strategies and mechanisms that one has and the other has not', () => {
    const aes = { type: 0x1085, name: 'CKM_AES_CBC_PAD', keySizeMin: 16, keySizeMax: 32, flags: 0x300 };
    const before = { ...whole, mechanisms: [aes, { ...aes, type: 1, name: 'CKM_RSA_PKCS' }] };
    const poor = profileBut({ facts: ['hkdfSha384', 'ecdsa', 'ecdsaSha384'], enforcement: ['extractableFalse'] });
    const after = {
      ...poor,
      mechanisms: [
        { ...aes, keySizeMax: 24 },
        { ...aes, type: 2, name: 'CKM_NEW' },
      ],
    };
    const comparison = compareModules(module('a', before), module('b', after), options);
    expect(comparison.capabilities.map(({ id, change }) => `${change} ${id}`)).to.include.members([
      'lost hkdfSha384',
      'lost ecdsa',
    ]);
    expect(comparison.enforcement.map(({ id, change }) => `${change} ${id}`)).to.deep.equal(['lost extractableFalse']);
    expect(comparison.mechanisms.map(({ mechanism, change }) => `${change} ${mechanism}`)).to.deep.equal([
      'lost CKM_RSA_PKCS',
      'gained CKM_NEW',
      'changed CKM_AES_CBC_PAD',
    ]);
    expect(comparison.flows.find(({ flow }) => flow === 'replication')?.strategiesLost).to.include('ecdh-hkdf');
    expect(comparison.flows.find(({ flow }) => flow === 'signing')).to.deep.include({ before: 'yes', after: 'no' });
    expect(regressionsOf(comparison, 'blocks')).to.deep.equal(['signing: yes before, no now']);
    expect(regressionsOf(comparison, 'strategy').join()).to.contain('replication: no longer by ecdh-hkdf');
    expect(regressionsOf(comparison, 'security').join()).to.contain('no longer enforced');
    const unknown: ComparedModule = { name: 'u', identity: whole.identity, profile: null, report: report() };
    const [flow] = compareModules(module('a', before), unknown, options).flows;
    expect(flow).to.deep.include({ before: 'yes', after: 'unknown', strategiesLost: [] });
    const back = compareModules(module('b', after), module('a', before), options);
    expect(regressionsOf(back, 'information')).to.deep.equal([]);
  });

  it('tells findings that are new, gone and changed, the gravest first', () => {
    const strategy = { severity: 'strategy' } as const;
    const before = module('a', whole, finding('POL-01', 'a', 'b'), finding('POL-02', 'a'), result('COR-01', strategy));
    const after = module('b', whole, finding('POL-01', 'b', 'c'), result('POL-02'), {
      ...finding('COR-01', 'x'),
      ...strategy,
    });
    const { findings } = compareModules(before, after, options);
    expect(findings.map(({ id, change, severity }) => `${change} ${id} ${severity}`)).to.deep.equal([
      'changed POL-01 security',
      'gone POL-02 security',
      'new COR-01 strategy',
    ]);
    expect(findings[0]?.details).to.deep.equal(['new: c: another', 'gone: a']);
    const comparison = compareModules(before, after, options);
    expect(regressionsOf(comparison, 'security')).to.have.length(1);
    expect(regressionsOf(comparison, 'strategy')).to.have.length(2);
  });

  it('does not take other counts and times for a change', () => {
    const seen = (text: string): CheckResult => {
      const observation = { what: 'memory', expected: 'none', seen: text, isAsExpected: false };
      return { ...finding('ROB-13'), observations: [observation] };
    };
    const changes = (text: string): readonly unknown[] =>
      compareModules(module('a', whole, seen('252 octets for each')), module('b', whole, seen(text)), options).findings;
    expect(changes('244.5 octets for each')).to.deep.equal([]);
    expect(changes('CKR_GENERAL_ERROR')).to.have.length(1);
  });

  it('does not take a check that could not be run for one that is better', () => {
    const after = module('b', whole, result('POL-01', { status: 'not-run', reason: 'the token is gone' }));
    const { findings } = compareModules(module('a', whole, finding('POL-01', 'a')), after, options);
    expect(findings.map(({ change, details }) => [change, ...details])).to.deep.equal([
      ['not-comparable', 'finding before, not-run now: the token is gone'],
    ]);
  });

  it('calls an operation faster or slower only where the median of its levels is beyond the noise', () => {
    const performance = (...measurements: Measurement[]): CheckResult =>
      result('PRF-01', { group: 'PRF', measurements });
    const before = module(
      'a',
      whole,
      performance(
        ...[measured('wrap', 100, 100), measured('wrap', 100, 100, 4), measured('wrap', 100, 100, 16)],
        ...[measured('sign', 100, 100), measured('pair', 100, 100), measured('odd', 100, 100), measured('only', 1, 1)],
      ),
    );
    const after = module(
      'b',
      whole,
      performance(
        // One level that was unlucky says nothing.
        ...[measured('wrap', 90, 110), measured('wrap', 110, 90, 4), measured('wrap', 10, 1_000, 16)],
        ...[measured('sign', 40, 250), measured('pair', 300, 30), measured('odd', 30, 90)],
      ),
    );
    const changes = compareModules(before, after, options).performance;
    expect(changes.map(({ operation, change }) => `${operation} ${change}`)).to.deep.equal([
      'wrap noise',
      'sign slower',
      'pair faster',
      'odd noise',
    ]);
    const few = { ...measured('sign', 40, 250), operations: 3 };
    expect(compareModules(before, module('c', whole, performance(few)), options).performance).to.deep.equal([]);
    expect(compareModules(before, after, { noise: 4 }).performance.every(({ change }) => change === 'noise')).to.equal(
      true,
    );
  });

  it('says what cannot be compared: a profile alone, another machine, checks of one side', () => {
    const alone: ComparedModule = { name: 'p.json', identity: whole.identity, profile: whole, report: null };
    expect(compareModules(alone, module('b', whole), options).notes.join()).to.contain('p.json is a profile alone');
    const other = module('b', whole, result('COR-02'));
    const elsewhere = { ...report(result('COR-02')), environment: { ...report().environment, processor: 'other' } };
    const notes = compareModules(module('a', whole, result('COR-01')), { ...other, report: elsewhere }, options).notes;
    expect(notes).to.deep.equal([
      'checks of the first alone: COR-01',
      'checks of the second alone: COR-02',
      'measured on different machines (2 × any; 2 × other): ratios of performance say little',
    ]);
  });
});

describe('a baseline', () => {
  const run = (...checks: readonly CheckResult[]): ValidationReport => module('', whole, ...checks).report ?? report();

  it('does not know of another label, serial number or path, nor of what was seen in other words', () => {
    const earlier = run(finding('POL-01', 'a'));
    const other = { ...whole, identity: { ...whole.identity, serial: '2', label: 'other', modulePath: '/other.so' } };
    const checks = [{ ...finding('POL-01', 'a') }];
    checks[0]?.observations.forEach((each) => Object.assign(each, { seen: 'in token other: 7 objects' }));
    expect(newSince(earlier, module('', other, ...checks).report ?? report())).to.deep.equal([]);
  });

  it('does not miss a check that the later run was not asked for', () => {
    expect(newSince(run(finding('POL-01', 'a'), result('COR-01')), run(finding('POL-01', 'a')))).to.deep.equal([]);
  });

  it('fails on a check that came to its end before and cannot be run now', () => {
    const gone = result('COR-01', { status: 'not-run', reason: 'the token could not be opened again' });
    expect(newSince(run(result('COR-01')), run(gone))).to.deep.equal([
      'COR-01: passed before, could not be run now: the token could not be opened again',
    ]);
    expect(newSince(run(gone), run(gone))).to.deep.equal([]);
  });

  it('fails on a finding that became graver, and not on one that became less grave', () => {
    const [mild, grave] = [run({ ...finding('COR-01', 'a'), severity: 'strategy' }), run(finding('COR-01', 'a'))];
    expect(newSince(mild, grave)).to.deep.equal(['COR-01: security now, strategy before']);
    expect(newSince(grave, mild)).to.deep.equal([]);
  });

  it('fails where a flow is not carried any more, although every check is as before', () => {
    const poor = module('', profileBut({ facts: ['ecdsa', 'ecdsaSha384'] })).report ?? report();
    expect(newSince(run(), poor).join()).to.match(/^signing: carried before, no now: sign/u);
  });

  it('is of use to a later version of Keyferry, whose profiles hold other things', () => {
    const stored = { ...run(finding('POL-01', 'a')), profile: { version: 1, facts: {} } };
    const read = parseReport(JSON.stringify(stored), 'f.json');
    expect(read.profile).to.equal(null);
    expect(newSince(read, run(finding('POL-01', 'a')))).to.deep.equal([]);
  });
});
