import { expect } from 'chai';
import { createSetting, Simulation } from '../support/simulation.js';

const SCHEDULES = Number(process.env['KEYFERRY_SCHEDULES'] ?? 2_000);
const FIRST_SEED = Number(process.env['KEYFERRY_SEED'] ?? 1);

describe('replication under a hostile network and crashes', () => {
  it('keeps every invariant and ends with the replica in every schedule', async function () {
    this.timeout(600_000);
    const simulation = new Simulation(await createSetting());
    let crashes = 0;
    let restartedSessions = 0;
    const boundaries = new Set<string>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
      const result = await simulation.run(seed);
      if (result.violation !== null) {
        expect.fail(
          `seed ${result.seed}: ${result.violation}\n  ${result.events.join('\n  ')}\n(repeat with KEYFERRY_SEED=${seed} KEYFERRY_SCHEDULES=1)`,
        );
      }
      crashes += result.crashes;
      if (result.sessions > 1) restartedSessions += 1;
      for (const boundary of result.boundaries) boundaries.add(boundary);
    }
    // A simulation that never crashes anything, or never at some boundary, would prove nothing about it.
    if (SCHEDULES >= 1_000) {
      expect(crashes).to.be.greaterThan(SCHEDULES / 2);
      expect(restartedSessions).to.be.greaterThan(SCHEDULES / 20);
      const calls = [
        'a transaction',
        'send',
        'random',
        'sign',
        'generateAgreementKey',
        'agree',
        'wrap',
        'unwrap',
        'confirm',
        'release',
      ];
      expect([...boundaries]).to.include.members(calls.flatMap((call) => [`before ${call}`, `after ${call}`]));
    }
  });
});
