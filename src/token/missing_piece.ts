import { CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD } from './cryptoki.js';
import { enforcementWords, factWords } from './fact_words.js';
import { mechanismName, mechanismNumber } from './names.js';
import { reasonNotTried } from './not_tried.js';
import type { FactName, TokenProfile } from './profile.js';
import { strategies, type Strategy, type StrategyJob } from './strategy.js';

/** Numbers under which a token may do one and the same thing; that of the standard first. */
const otherNumbers: Readonly<Record<number, readonly number[]>> = {
  [CKM_AES_KEY_WRAP_KWP]: [CKM_AES_KEY_WRAP_PAD, CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD],
};

/** Facts whose mechanism the probe has no number for as long as none works. */
const mechanismWithoutNumber: Readonly<Partial<Record<FactName, number>>> = {
  aesKeyWrapPad: CKM_AES_KEY_WRAP_KWP,
  aesKeyUnwrapPad: CKM_AES_KEY_WRAP_KWP,
};

/** What keeps a token from a strategy: mechanisms that it does not list, and calls that it lists and refuses. */
export interface MissingPieces {
  readonly strategy: Strategy;
  /** `CKM_` names, each once. */
  readonly unlisted: readonly string[];
  /** What was tried, and the token's answer. */
  readonly refused: readonly string[];
}

/**
 * What keeps a token from a strategy, without what merely follows from something else that is missing.
 *
 * @returns both lists empty where the token can carry it
 */
export function missingPieces(strategy: Strategy, profile: TokenProfile): MissingPieces {
  const listed = new Set(profile.mechanisms.map(({ type }) => type));
  const isListed = (type: number): boolean =>
    listed.has(type) || (otherNumbers[type] ?? []).some((other) => listed.has(other));
  const unmet = strategy.needs.filter((need) => !profile.facts[need].works);
  if (unmet.length === 0) return { strategy, unlisted: [], refused: enforcementLacking(strategy, profile) };

  const proven = new Set(
    Object.values(profile.facts).flatMap((fact) => (fact.works && fact.mechanism !== null ? [fact.mechanism] : [])),
  );
  const numberOf = (need: FactName): number | null =>
    profile.facts[need].mechanism ?? mechanismWithoutNumber[need] ?? null;
  const numbers = [
    ...strategy.mechanisms.flatMap((name) => mechanismNumber(name) ?? []),
    ...unmet.flatMap((need) => numberOf(need) ?? []),
  ];
  const unlisted = new Set(numbers.filter((type) => !isListed(type) && !proven.has(type)));

  const roots = new Set(unmet.map((need) => rootOf(need, profile)));
  const refused = [...roots].flatMap((need) => {
    const type = numberOf(need);
    return type !== null && unlisted.has(type) ? [] : [`${factWords[need]}: ${profile.facts[need].answer}`];
  });
  return {
    strategy,
    unlisted: [...unlisted].map(mechanismName),
    refused: [...refused, ...enforcementLacking(strategy, profile)],
  };
}

/** Follows "not tried, since" to what was tried. */
function rootOf(need: FactName, profile: TokenProfile): FactName {
  const seen = new Set<FactName>();
  let root = need;
  for (let next: FactName | undefined = need; next !== undefined && !seen.has(next);) {
    seen.add(next);
    root = next;
    next = reasonNotTried(profile.facts[root].answer);
  }
  return root;
}

function enforcementLacking(strategy: Strategy, profile: TokenProfile): readonly string[] {
  return (strategy.needsEnforced ?? [])
    .filter((need) => profile.enforcement[need].enforced !== true)
    .map((need) => `${enforcementWords[need]} is not enforced: ${profile.enforcement[need].answer}`);
}

/**
 * For a job that a token cannot do: what the strategy would need that lacks least.
 *
 * @param name - what the job is called, where not by its own name
 * @returns `deriveRwk: CKM_ECDH1_DERIVE is not listed; CKM_… : C_… returned CKR_… (ecdh-x963, which lacks least)`
 */
export function explainMissingJob(profile: TokenProfile, job: StrategyJob, name: string = job): string {
  const size = ({ unlisted, refused }: MissingPieces): number => unlisted.length + refused.length;
  const ways = strategies
    .filter((strategy) => strategy.job === job && strategy.isOutsideToken !== true)
    .map((strategy) => missingPieces(strategy, profile))
    .toSorted((one, other) => size(one) - size(other));
  const [nearest] = ways;
  if (nearest === undefined) return `${name}: there is no strategy for it`;
  const { unlisted, refused, strategy } = nearest;
  const parts = [
    ...(unlisted.length === 0 ? [] : [`the token does not list ${unlisted.join(', ')}`]),
    ...(refused.length === 0 ? [] : [`it refuses ${refused.join('; ')}`]),
  ];
  return `${name}: ${parts.join('; ')}${ways.length > 1 ? ` (for ${strategy.id}, which lacks least)` : ''}`;
}
