import { expect } from 'chai';
import { OpenToken } from '../../src/token/open_token.js';
import { probeToken } from '../../src/token/probe/probe.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { checks } from '../../src/validation/catalogue.js';
import type { CheckOutcome } from '../../src/validation/check.js';
import { CheckContext } from '../../src/validation/check_context.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Faults of a module, and the check that has to find each. Without the fault the check passes on SoftHSM2. */
const mutants: readonly { readonly check: string; readonly fault: string; readonly what: string }[] = [
  { check: 'ROB-01', fault: 'C_GetSessionInfo * silent', what: 'answers for a session that is none' },
  { check: 'ROB-03', fault: 'C_Sign * return 0x7', what: 'has another answer to a buffer that is too small' },
];

describe('checks of the validation on broken modules', function () {
  this.timeout(120_000);
  let faulty: FaultyToken;
  let token: OpenToken;
  let profile: TokenProfile;

  before(async () => {
    faulty = await makeFaultyToken('softhsm2');
    token = await OpenToken.open(faulty.module, { token: { slotId: faulty.slotId }, userPin: faulty.userPin });
    profile = await probeToken(token, clock);
  });
  after(async () => {
    faulty.setFaults();
    await token.close();
    faulty.dispose();
  });

  async function conduct(id: string, ...faults: readonly string[]): Promise<CheckOutcome> {
    const check = checks.find((each) => each.id === id);
    if (check === undefined) throw new Error(`there is no check ${id}`);
    const context = new CheckContext({
      ...{ token, profile, seed: 'mutants', checkId: id, isQuick: true },
      onObservation: () => undefined,
    });
    faulty.setFaults(...faults);
    try {
      await context.conduct((itself) => check.run(itself));
    } finally {
      faulty.setFaults();
    }
    return context.outcome();
  }

  for (const id of new Set(mutants.map(({ check }) => check))) {
    it(`${id} passes without a fault`, async () => {
      const { observations, status } = await conduct(id);
      expect(observations.filter(({ isAsExpected }) => !isAsExpected)).to.deep.equal([]);
      expect(status).to.equal('passed');
    });
  }

  for (const { check, fault, what } of mutants) {
    it(`${check}, where a module ${what} (${fault})`, async () => {
      expect((await conduct(check, fault)).status).to.equal('finding');
    });
  }
});
