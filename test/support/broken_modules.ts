import { expect } from 'chai';
import { OpenToken } from '../../src/token/open_token.js';
import { probeToken } from '../../src/token/probe/probe.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { checks } from '../../src/validation/catalogue.js';
import type { Observation } from '../../src/validation/check.js';
import { CheckContext } from '../../src/validation/check_context.js';
import { destroyLeftovers } from '../../src/validation/object_watch.js';
import { noConditions, type RunConditions } from '../../src/validation/run_conditions.js';
import type { TokenReference } from '../../src/validation/token_reference.js';
import { makeFaultyToken, type FaultyToken } from './faulty_token.js';
import type { SoftwareTokenKind } from './token_directory.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A module that is worse than the one behind the shim, and the check that has to find the difference. */
export interface Mutant {
  readonly check: string;
  readonly what: string;
  /** Rules of the shim (native/test/shim/rules.h). */
  readonly faults: readonly string[];
  /** Part of what is found that is not found without the faults. */
  readonly sees: string;
  /** Whether the check goes by the probe, so that the broken module is probed first; with the faults that do not count calls. */
  readonly probesAgain?: boolean;
  /** What is said about the run; the path of the shim's rules comes in, so that commands can change them. */
  readonly conditions?: (rulesPath: string) => Partial<RunConditions>;
}

/** A token behind the shim, and what checks find there. */
export interface BrokenModule {
  /** Each thing that a check finds, as a text. */
  findings(
    id: string,
    faults: readonly string[],
    more?: Pick<Mutant, 'probesAgain' | 'conditions'>,
  ): Promise<ReadonlySet<string>>;
  /** Each thing that a check sees, as it should be or not. */
  answers(id: string, faults: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Opens a scratch token of a kind behind the shim, and probes it without faults. */
export async function openBrokenModule(kind: SoftwareTokenKind): Promise<BrokenModule> {
  const faulty: FaultyToken = await makeFaultyToken(kind);
  const token = await OpenToken.open(faulty.module, { token: { slotId: faulty.slotId }, userPin: faulty.userPin });
  const profile = await probeToken(token, clock);

  const reference: TokenReference = {
    module: faulty.modulePath,
    settings: faulty.settings,
    selector: { slotId: faulty.slotId },
    userPin: faulty.userPin,
    soPin: faulty.soPin,
    scratch: { kind, directory: faulty.directory },
    initialiseAs: null,
  };

  async function observe(
    id: string,
    asProbed: TokenProfile,
    more: Partial<RunConditions>,
  ): Promise<readonly Observation[]> {
    const check = checks.find((each) => each.id === id);
    if (check === undefined) throw new Error(`there is no check ${id}`);
    const context = new CheckContext({
      ...{ token, profile: asProbed, seed: 'mutants', checkId: id, isQuick: true },
      reference,
      conditions: { ...noConditions, ...more },
      onObservation: () => undefined,
    });
    await context.conduct((itself) => check.run(itself));
    const { observations, status } = context.outcome();
    expect(status, id).to.be.oneOf(['passed', 'finding']);
    return observations;
  }

  const textOf = ({ what, call, mechanism, seen }: Observation): string =>
    `${what}, ${call ?? ''} ${mechanism ?? ''}: ${seen}`;

  async function run(
    id: string,
    faults: readonly string[],
    { probesAgain = false, conditions }: Pick<Mutant, 'probesAgain' | 'conditions'>,
  ): Promise<readonly Observation[]> {
    faulty.setFaults(...faults);
    try {
      const more = conditions?.(faulty.shimEnvironment['KEYFERRY_SHIM_RULES'] ?? '') ?? {};
      return await observe(id, probesAgain ? await probeToken(token, clock) : profile, more);
    } finally {
      faulty.setFaults();
      await destroyLeftovers(token.executor);
    }
  }

  return {
    findings: async (id, faults, more = {}) =>
      new Set((await run(id, faults, more)).filter(({ isAsExpected }) => !isAsExpected).map(textOf)),
    answers: async (id, faults) => (await run(id, faults, {})).map(textOf),
    close: async () => {
      faulty.setFaults();
      await token.close();
      faulty.dispose();
    },
  };
}

/** Describes that each of some broken modules of a kind is found out. */
export function describeMutants(kind: SoftwareTokenKind, mutants: readonly Mutant[]): void {
  describe(`on ${kind} behind faults`, () => {
    let broken: BrokenModule;
    const withoutFault = new Map<string, ReadonlySet<string>>();

    before(async () => {
      broken = await openBrokenModule(kind);
    });
    after(() => broken.close());

    for (const { check, what, faults, sees, ...more } of mutants) {
      it(`${check} tells a module that ${what} (${faults.join('; ')})`, async () => {
        const { conditions } = more;
        const known = conditions === undefined ? withoutFault.get(check) : undefined;
        const before = known ?? (await broken.findings(check, [], conditions === undefined ? {} : { conditions }));
        if (conditions === undefined) withoutFault.set(check, before);
        const found = await broken.findings(check, faults, more);
        expect([...found].filter((each) => !before.has(each)).join('\n')).to.contain(sees);
      });
    }
  });
}

/** Expects that every check of a group has a broken module that it finds out. */
export function expectAllCovered(group: 'CAP' | 'COR' | 'POL' | 'ROB' | 'PRF', mutants: readonly Mutant[]): void {
  const covered = new Set(mutants.map(({ check }) => check));
  const ids = checks.filter((check) => check.group === group).map(({ id }) => id);
  expect(ids.filter((id) => !covered.has(id))).to.deep.equal([]);
  expect(ids).to.have.length.above(0);
}
