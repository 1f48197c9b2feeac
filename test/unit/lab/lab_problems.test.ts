import { expect } from 'chai';
import { problemsOf, type LabReport } from '../../../src/lab/lab_problems.js';
import type { RegionStatus } from '../../../src/lab/region_status.js';
import type { ProgramState } from '../../../src/lab/state_directory.js';

const running: ProgramState = {
  url: 'http://127.0.0.1:1',
  process: { pid: 1, started: 'x' },
  state: 'running',
  restarts: 0,
  problem: null,
};

function region(change: {
  readonly outsideToken?: 'allow';
  readonly hsm?: Partial<RegionStatus['hsm']>;
  readonly replication?: Partial<RegionStatus['replication']>;
}): RegionStatus {
  return {
    listen: '127.0.0.1:1',
    profile: 'full',
    outsideToken: change.outsideToken ?? 'refuse',
    time: { now: '2026-01-01T00:00:00.000Z', offsetMs: 0 },
    hsm: {
      state: 'working',
      fingerprint: 'f',
      signingKeys: ['k'],
      suites: ['s'],
      dataSuites: ['d'],
      ephemeralKeys: 0,
      undestroyed: 0,
      busyMs: 0,
      ...change.hsm,
    },
    replication: {
      state: 'RUNNING',
      error: null,
      epoch: '3',
      frozen: [],
      handovers: [],
      outgoing: [],
      incoming: [],
      waiting: [],
      ...change.replication,
    },
  };
}

function lab(change: Partial<LabReport>): LabReport {
  return {
    profile: 'full',
    programs: { proxy: running, 'region a': running, 'region b': running, 'front-door': running },
    proxy: { mode: 'honest', waiting: {}, conduct: { hold: [], next: [] }, held: {} },
    regions: { a: region({}), b: region({}) },
    cannotReplicate: [],
    ...change,
  };
}

/** `about: problem (remedy)` of each. */
function found(change: Partial<LabReport>): readonly string[] {
  return problemsOf(lab(change), (program) => `LOG ${program}`).map(
    ({ about, problem, remedy }) => `${about}: ${problem} (${remedy ?? '-'})`,
  );
}

describe('the problems of a lab', () => {
  it('are none where everything runs as it should', () => {
    expect(found({})).to.deep.equal([]);
  });

  it('name a program that is not started again, with its reason and how it comes back', () => {
    const problem = { message: 'C_Login returned CKR_PIN_INCORRECT: put the right PIN', remedy: null };
    const stopped = { ...running, state: `stopped: ${problem.message}`, process: null, problem };
    expect(found({ programs: { 'region a': stopped }, regions: { a: { unavailable: 'no answer' } } })).to.deep.equal([
      'region a: stopped, and is not started again: C_Login returned CKR_PIN_INCORRECT: put the right PIN (after that: keyferry down && keyferry up)',
    ]);
  });

  it('name a program that starts again and again, and where its log is', () => {
    const problem = { message: 'ended with status 1', remedy: 'read LOG' };
    expect(found({ programs: { proxy: { ...running, restarts: 3, problem } } })).to.deep.equal([
      'proxy: was started again 3 times; the last time it ended with status 1 (read LOG)',
    ]);
    expect(found({ programs: { proxy: { ...running, state: 'ended' } } })).to.deep.equal([
      'proxy: does not run: ended (read LOG proxy)',
    ]);
  });

  it('name a region that runs and does not answer, and an HSM or agent that has stopped', () => {
    expect(found({ regions: { a: { unavailable: 'no answer' } } })[0]).to.match(
      /^region a: runs, and does not say how it is: no answer/u,
    );
    const sick = region({
      hsm: { state: 'stopped: a known answer is wrong', undestroyed: 2 },
      replication: { state: 'ERROR', error: 'it repeats itself', epoch: null },
    });
    expect(found({ regions: { a: sick } }).map((text) => text.replace(/ \(.*\)$/u, ''))).to.deep.equal([
      'region a: its HSM is stopped: a known answer is wrong',
      'region a: replication is ERROR: it repeats itself',
      'region a: it has no roster',
      'region a: its token did not destroy 2 ephemeral objects',
    ]);
    const forked = region({ replication: { frozen: ['mrk-1'] } });
    expect(found({ regions: { a: forked } })[0]).to.match(/^region a: FORK: mrk-1 frozen, because two hand-overs/u);
  });

  it('name regions that go by different rosters, and a proxy that is not honest', () => {
    const regions = { a: region({}), b: region({ replication: { epoch: '4' } }) };
    expect(
      found({ regions, proxy: { mode: 'hostile', waiting: {}, conduct: { hold: [], next: [] }, held: {} } }).map(
        (text) => text.split(' (')[0],
      ),
    ).to.deep.equal(['proxy: it is in mode hostile', 'lab: the regions go by rosters of different epochs']);
  });

  it('shout what the configuration has made weaker', () => {
    const texts = found({ profile: 'seed', regions: { a: region({ outsideToken: 'allow' }), b: region({}) } });
    expect(texts[0]).to.match(/^lab: PROFILE SEED/u);
    expect(texts[1]).to.match(/^lab: OUTSIDE TOKEN ALLOWED in a:/u);
  });
});
