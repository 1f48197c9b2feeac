import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import { enforcementWords, factWords } from './fact_words.js';
import type { TokenProfile } from './profile.js';
import { mechanismName } from './names.js';
import { strategies, type Strategy, type StrategyJob } from './strategy.js';

/** What became of one strategy: the job's first that the token can do is chosen, later ones are available. */
export interface StrategyOutcome {
  readonly strategy: Strategy;
  readonly state: 'chosen' | 'available' | 'missing';
  /** Why it is missing: each mechanism, and what the token answered. Empty otherwise. */
  readonly reason: string;
}

/** What a region's token is used for by which strategy, decided by its profile alone. */
export interface StrategyChoice {
  readonly outcomes: readonly StrategyOutcome[];
  /** The chosen strategy of each job; a job that the token cannot do is not in it. */
  readonly chosen: Readonly<Partial<Record<StrategyJob, Strategy>>>;
  /** Suites of the replication protocol that the token can do, the preferred first. */
  readonly suites: readonly ReplicationSuite[];
  /** Suites of ciphertexts that the token can do, the preferred first. */
  readonly dataSuites: readonly DataSuite[];
  /** Those that it can decrypt at least: what it has encrypted stays readable where it no longer takes an IV of the caller's. */
  readonly readableDataSuites: readonly DataSuite[];
}

/** Whether strategies may be chosen whose key octets are outside the token for a moment. */
export interface StrategyPolicy {
  readonly outsideToken: 'allow' | 'refuse';
}

/** What is missing for a strategy, in words, each with what the token answered; empty where nothing is. */
function missingFor(strategy: Strategy, profile: TokenProfile): readonly string[] {
  const facts = strategy.needs
    .filter((need) => !profile.facts[need].works)
    .map((need) => `${factWords[need]}: ${profile.facts[need].answer}`);
  const enforcement = (strategy.needsEnforced ?? [])
    .filter((need) => profile.enforcement[need].enforced !== true)
    .map((need) => `${enforcementWords[need]} is not enforced: ${profile.enforcement[need].answer}`);
  return [...facts, ...enforcement];
}

/**
 * Chooses a strategy for each job. The same profile and policy always give the same choice, and no failing call changes it.
 *
 * @param policy - by default strategies outside the token are missing, for that reason
 */
export function chooseStrategies(
  profile: TokenProfile,
  policy: StrategyPolicy = { outsideToken: 'refuse' },
): StrategyChoice {
  const chosen: Partial<Record<StrategyJob, Strategy>> = {};
  const outcomes = strategies.map((strategy): StrategyOutcome => {
    const missing = missingFor(strategy, profile);
    if (missing.length > 0) return { strategy, state: 'missing', reason: missing.join('; ') };
    if (strategy.isOutsideToken === true && policy.outsideToken === 'refuse') {
      return {
        strategy,
        state: 'missing',
        reason: 'key octets would be outside the token, which the configuration refuses',
      };
    }
    if (chosen[strategy.job] !== undefined) return { strategy, state: 'available', reason: '' };
    chosen[strategy.job] = strategy;
    return { strategy, state: 'chosen', reason: '' };
  });
  const usable = outcomes.filter(({ state }) => state !== 'missing').map(({ strategy }) => strategy);
  return {
    outcomes,
    chosen,
    suites: usable.flatMap(({ suite }) => (suite === undefined ? [] : [suite])),
    dataSuites: usable.flatMap(({ dataSuite }) => (dataSuite === undefined ? [] : [dataSuite])),
    readableDataSuites: strategies.flatMap(({ dataSuite, needs, needsToRead = needs }) =>
      dataSuite !== undefined && needsToRead.every((need) => profile.facts[need].works) ? [dataSuite] : [],
    ),
  };
}

/** The suites that two tokens share, the preferred first. Without a replication suite they cannot replicate. */
export function commonSuites(
  a: TokenProfile,
  b: TokenProfile,
): { readonly suites: readonly ReplicationSuite[]; readonly dataSuites: readonly DataSuite[] } {
  const [ofA, ofB] = [chooseStrategies(a), chooseStrategies(b)];
  return {
    suites: ofA.suites.filter((suite) => ofB.suites.includes(suite)),
    dataSuites: ofA.dataSuites.filter((suite) => ofB.dataSuites.includes(suite)),
  };
}

/** What each of two tokens would need for one suite. */
export interface SuiteGap {
  readonly suite: ReplicationSuite;
  /** Mechanisms by the names that a manual has, with what the token answered; empty where the token can do the suite. */
  readonly missingOnA: readonly string[];
  readonly missingOnB: readonly string[];
}

/**
 * What would change it when two tokens share no suite, the smallest change first; empty when they share one.
 */
export function missingForCommonSuite(a: TokenProfile, b: TokenProfile): readonly SuiteGap[] {
  if (commonSuites(a, b).suites.length > 0) return [];
  const gaps = strategies.flatMap((strategy): readonly SuiteGap[] =>
    strategy.suite === undefined
      ? []
      : [{ suite: strategy.suite, missingOnA: missingFor(strategy, a), missingOnB: missingFor(strategy, b) }],
  );
  const size = (gap: SuiteGap): number => gap.missingOnA.length + gap.missingOnB.length;
  return gaps.toSorted((one, other) => size(one) - size(other));
}

/** A replication suite that a token cannot carry, and the mechanisms that it would need for it. */
export interface MissingSuite {
  readonly suite: ReplicationSuite;
  /** `CKM_` and `CKD_` names; never empty. */
  readonly mechanisms: readonly string[];
}

/** For each replication suite that a token cannot carry: the mechanisms that it has not been seen to do. */
export function missingSuites(profile: TokenProfile): readonly MissingSuite[] {
  const works = Object.values(profile.facts).filter((fact) => fact.works);
  const proven = new Set(works.flatMap(({ mechanism }) => (mechanism === null ? [] : [mechanismName(mechanism)])));
  if (profile.facts.ecdh1Null48.works || profile.facts.ecdh1NullAes256.works) proven.add('CKD_NULL');
  const carried = chooseStrategies(profile).suites;
  return strategies.flatMap((strategy): readonly MissingSuite[] => {
    if (strategy.suite === undefined || carried.includes(strategy.suite)) return [];
    const ofNeeds = strategy.needs
      .map((name) => profile.facts[name])
      .flatMap(({ works: isDone, mechanism }) => (isDone || mechanism === null ? [] : [mechanismName(mechanism)]));
    const named = [...strategy.mechanisms, ...ofNeeds].filter((name) => !proven.has(name));
    return [{ suite: strategy.suite, mechanisms: named.length > 0 ? [...new Set(named)] : strategy.mechanisms }];
  });
}

/** One row of the table that shows a profile. */
export interface ProfileRow {
  readonly job: StrategyJob;
  readonly strategy: string;
  readonly state: 'chosen' | 'available' | 'missing';
  /** The suite, where the strategy is one. */
  readonly suite: string;
  readonly description: string;
  readonly reason: string;
}

/** A profile as rows: every strategy, whether it is chosen, and why not. */
export function describeProfile(profile: TokenProfile, policy?: StrategyPolicy): readonly ProfileRow[] {
  return chooseStrategies(profile, policy).outcomes.map(({ strategy, state, reason }) => ({
    job: strategy.job,
    strategy: strategy.id,
    state,
    suite: strategy.suite ?? strategy.dataSuite ?? '',
    description: strategy.description,
    reason,
  }));
}
