import { capabilitiesOf, type HsmCapabilities } from '../hsm/capability.js';
import { HsmError } from '../hsm/errors.js';
import { refusalOfSpec } from '../hsm/key_operations.js';
import { specInToken } from '../hsm/key_spec.js';
import { KEY_SPECS, type KeySpec, type KeyUsage } from '../hsm/material.js';
import type { TokenProfile } from '../token/profile.js';
import { chooseStrategies, commonSuites, missingForCommonSuite } from '../token/strategy_choice.js';
import { isReject } from '../wire/refusal.js';
import { chooseSuite, type ReplicationSuite } from '../wire/suite.js';
import type { FlowVerdict, ValidationReport } from './result.js';

/** A module whose token may be a region's. */
export interface InteropModule {
  /** Unique among those that are compared. */
  readonly name: string;
  readonly profile: TokenProfile;
  /** Null where there is the profile alone: findings that block a flow are not known then. */
  readonly report: ValidationReport | null;
}

/** A key spec that cannot travel from one token to the other, and why. */
export interface SpecGap {
  readonly keySpec: KeySpec;
  readonly reason: string;
}

/** Whether keys can be replicated from one token to another, and how. */
export interface InteropPair {
  readonly from: string;
  readonly to: string;
  readonly answer: 'yes' | 'no';
  /** The suite that two regions on these tokens would choose; null where there is none. */
  readonly suite: ReplicationSuite | null;
  /** Strategies by which each side carries that suite. */
  readonly strategies: { readonly source: string; readonly destination: string } | null;
  /** The suite of ciphertexts that keys of both regions have; null where they share none. */
  readonly dataSuite: string | null;
  readonly keySpecs: readonly KeySpec[];
  readonly otherKeySpecs: readonly SpecGap[];
  /** What would have to change for a yes; empty where it is one. */
  readonly missing: readonly string[];
  /** Security findings on either side: replication works, but not where others share that token. */
  readonly reservations: readonly string[];
}

/**
 * For each two modules, in each direction, and for two tokens of the same: whether keys can be replicated.
 *
 * The suite is chosen by the code by which the regions of a partition choose it, from the same profiles.
 *
 * @param options - `floor`: the least suite that a partition permits
 */
export function interoperability(
  modules: readonly InteropModule[],
  options: { readonly floor: ReplicationSuite },
): readonly InteropPair[] {
  return modules.flatMap((from) => modules.map((to) => pairOf(from, to, options.floor)));
}

function pairOf(from: InteropModule, to: InteropModule, floor: ReplicationSuite): InteropPair {
  const [source, destination] = [abilityOf(from), abilityOf(to)];
  const shared = sharedSuites(from, to, floor);
  const sides =
    from.name === to.name
      ? [{ module: from, ability: source }]
      : [
          { module: from, ability: source },
          { module: to, ability: destination },
        ];
  const missing = [
    ...sides.flatMap(({ module, ability }) => ability.refusals.map((text) => `${module.name}: ${text}`)),
    ...shared.missing,
  ];
  const common = { from: from.name, to: to.name, dataSuite: shared.dataSuite };
  const reservations = [
    ...new Set(sides.flatMap(({ module, ability }) => ability.reservations.map((id) => `${module.name}: ${id}`))),
  ];
  const { capabilities: ofSource } = source;
  const { capabilities: ofDestination } = destination;
  if (missing.length > 0 || ofSource === null || ofDestination === null || shared.suite === null) {
    return {
      ...common,
      ...{
        answer: 'no',
        suite: shared.suite,
        strategies: null,
        keySpecs: [],
        otherKeySpecs: [],
        missing,
        reservations,
      },
    };
  }
  const gaps = KEY_SPECS.flatMap((keySpec) => specGap(keySpec, { from, to, ofSource, ofDestination }));
  return {
    ...common,
    answer: 'yes',
    suite: shared.suite,
    strategies: { source: strategyFor(from, shared.suite), destination: strategyFor(to, shared.suite) },
    keySpecs: KEY_SPECS.filter((keySpec) => !gaps.some((gap) => gap.keySpec === keySpec)),
    otherKeySpecs: gaps,
    missing: [],
    reservations,
  };
}

/** Whether a token can be a region's at all. */
function abilityOf({ profile, report }: InteropModule): {
  readonly capabilities: HsmCapabilities | null;
  readonly refusals: readonly string[];
  readonly reservations: readonly string[];
} {
  const verdicts = (report?.verdicts ?? []).filter(({ flow }) => flow !== 'import');
  const ids = (of: (verdict: FlowVerdict) => readonly string[]): readonly string[] => [
    ...new Set(verdicts.flatMap(of)),
  ];
  const blockers = ids(({ blockedBy }) => blockedBy).map((id) => `blocked by the finding of ${id}`);
  const reservations = ids((verdict) => verdict.reservations);
  try {
    return { capabilities: capabilitiesOf(profile), refusals: blockers, reservations };
  } catch (error) {
    if (!(error instanceof HsmError)) throw error;
    return { capabilities: null, refusals: [error.message, ...blockers], reservations };
  }
}

/** What two tokens share, or what each would need to share something. */
function sharedSuites(
  from: InteropModule,
  to: InteropModule,
  floor: ReplicationSuite,
): { readonly suite: ReplicationSuite | null; readonly dataSuite: string | null; readonly missing: readonly string[] } {
  const { suites, dataSuites } = commonSuites(from.profile, to.profile);
  const dataSuite = dataSuites[0] ?? null;
  const withoutData =
    dataSuite === null ? ['they share no suite of ciphertexts: what one encrypts, the other could not decrypt'] : [];
  const suite = chooseSuite(chooseStrategies(from.profile).suites, chooseStrategies(to.profile).suites, floor);
  if (!isReject(suite)) return { suite, dataSuite, missing: withoutData };
  const below = suites.length > 0 ? [`they share only ${suites.join(', ')}, which is below the floor ${floor}`] : [];
  const gaps = missingForCommonSuite(from.profile, to.profile).map(({ suite: wanted, missingOnA, missingOnB }) => {
    const sides = [...sideText(from.name, missingOnA), ...(from.name === to.name ? [] : sideText(to.name, missingOnB))];
    return `for ${wanted}: ${sides.join('. ')}`;
  });
  return { suite: null, dataSuite, missing: [...below, ...gaps, ...withoutData] };
}

function sideText(name: string, missing: readonly string[]): readonly string[] {
  return missing.length === 0 ? [] : [`${name} lacks ${missing.join('; ')}`];
}

function strategyFor({ profile }: InteropModule, suite: ReplicationSuite): string {
  const outcome = chooseStrategies(profile).outcomes.find(
    ({ strategy, state }) => strategy.suite === suite && state !== 'missing',
  );
  return outcome?.strategy.id ?? '';
}

/** Why keys of a spec cannot travel: one usage that both sides can carry is enough. */
function specGap(
  keySpec: KeySpec,
  pair: {
    readonly from: InteropModule;
    readonly to: InteropModule;
    readonly ofSource: HsmCapabilities;
    readonly ofDestination: HsmCapabilities;
  },
): readonly SpecGap[] {
  const refusals = (Object.keys(specInToken(keySpec).usages) as KeyUsage[]).map((usage) => {
    const atSource = refusalOfSpec(pair.ofSource, keySpec, usage);
    const atDestination = refusalOfSpec(pair.ofDestination, keySpec, usage);
    return [
      ...(atSource === undefined ? [] : [`${pair.from.name}: ${atSource}`]),
      ...(atDestination === undefined || pair.from.name === pair.to.name ? [] : [`${pair.to.name}: ${atDestination}`]),
    ];
  });
  if (refusals.some((texts) => texts.length === 0)) return [];
  return [{ keySpec, reason: refusals[0]?.join('; ') ?? '' }];
}
