import {
  CKM_EC_EDWARDS_KEY_PAIR_GEN,
  CKM_ECDSA,
  CKM_ECDSA_SHA384,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
} from '../token/cryptoki.js';
import { factWords } from '../token/fact_words.js';
import type { OwnIvPlace } from '../token/mechanism.js';
import { explainMissingJob } from '../token/missing_piece.js';
import { factNames, type EnforcementName, type FactName, type TokenProfile } from '../token/profile.js';
import type { Ed25519Parameters } from '../token/public_key.js';
import { chooseStrategies, missingSuites, type StrategyChoice } from '../token/strategy_choice.js';
import type { StrategyJob } from '../token/strategy.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import { HsmError } from './errors.js';

/** What a token's profile says that the HSM floor goes by. Chosen once, at enrolment; a call that fails changes nothing in it. */
export interface HsmCapabilities {
  /** The number under which this token does RFC 5649, by known answer; 0 where it does not. */
  readonly keyWrapPad: number;
  /** `CKM_ECDSA` over a digest made outside, or `CKM_ECDSA_SHA384`. */
  readonly signMechanism: number;
  /** Replication suites, the preferred first. */
  readonly suites: readonly ReplicationSuite[];
  /** Why it carries no replication suite: the mechanisms that each of them needs; null where it carries one. */
  readonly refusalOfSuites: string | null;
  /** Data suites, the preferred first. */
  readonly dataSuites: readonly DataSuite[];
  /** Data suites that the token can decrypt at least. */
  readonly readableDataSuites: readonly DataSuite[];
  /** Whose IV AES-GCM encrypts with; where it is the token's, how it is told. */
  readonly gcmIv: 'caller' | OwnIvPlace;
  /** Whether `CKA_ALLOWED_MECHANISMS` is enforced; it is set only then. */
  readonly enforcesAllowedMechanisms: boolean;
  /** Whether `CKA_WRAP_WITH_TRUSTED` is enforced; it is set only then, and only under a trusted domain key. */
  readonly enforcesWrapWithTrusted: boolean;
  /** Whether `CKA_EXTRACTABLE` false keeps a key from being wrapped. Keyferry sets it anyway. */
  readonly enforcesExtractable: boolean;
  /** Whether a key with `CKA_EXTRACTABLE` false is wrapped by nothing, and neither it nor a copy of it can be made extractable. */
  readonly keepsUnextractable: boolean;
  /** Whether the value of such a key cannot be read. */
  readonly hidesUnextractable: boolean;
  /** Whether an unwrap template may say how long the key is, must not, or has to. */
  readonly unwrapLength: 'refused' | 'optional' | 'required';
  /** Attributes that this token wants besides the usual ones, with any value, to unwrap an EC private key. */
  readonly ecPrivateUnwrapAttributes: readonly number[];
  /** How this token takes `CKA_EC_PARAMS` of Ed25519. */
  readonly ed25519Parameters: Ed25519Parameters;
  /** Longest RSA modulus that the token makes, bits, as far as it tells. */
  readonly rsaModulusBitsMax: number;
  /** Whether the token lists a mechanism that makes Edwards key pairs; whether it can do anything else with them is another question. */
  readonly listsEdwardsGeneration: boolean;
  /** What the token cannot do: the mechanism, and what it answered. What is not in it works. */
  readonly refusedFacts: Readonly<Partial<Record<FactName, string>>>;
  /** Module and firmware in one line. */
  readonly fingerprint: string;
  /** Why a suite or strategy is not there: the mechanisms, and what the token answered. */
  readonly missing: readonly { readonly strategy: string; readonly reason: string }[];
}

/** What a token is for, and the jobs that it cannot be without. */
const neededJobs = {
  region: ['wrap', 'unwrap', 'messageKey', 'sign', 'mac', 'random'],
  authority: ['sign', 'random'],
} as const satisfies Readonly<Record<string, readonly StrategyJob[]>>;

/** What a token is for: a region's HSM, or the partition authority's key alone. */
export type TokenPurpose = keyof typeof neededJobs;

function missingOf(choice: StrategyChoice): HsmCapabilities['missing'] {
  return choice.outcomes
    .filter(({ state }) => state === 'missing')
    .map(({ strategy, reason }) => ({ strategy: strategy.suite ?? strategy.dataSuite ?? strategy.id, reason }));
}

function withoutSuite(profile: TokenProfile): string {
  const lacks = missingSuites(profile).map(({ suite, mechanisms }) => `${suite} needs ${mechanisms.join(', ')}`);
  return `it carries no replication suite: ${lacks.join('; ')}`;
}

/** What the token lists for its RSA generation; a token that lists no bound is asked when a key is made. */
function rsaModulusBitsMax({ mechanisms }: TokenProfile): number {
  const listed = mechanisms.find(({ type }) => type === CKM_RSA_PKCS_KEY_PAIR_GEN)?.keySizeMax ?? 0;
  return listed === 0 ? Number.POSITIVE_INFINITY : listed;
}

/**
 * What the HSM floor goes by, from a token's profile.
 *
 * @throws {@link HsmError} `ERR_HSM_STRATEGY` if there is a job that the token cannot do inside, naming the mechanisms
 */
export function capabilitiesOf(profile: TokenProfile, purpose: TokenPurpose = 'region'): HsmCapabilities {
  const choice = chooseStrategies(profile);
  const lacking = neededJobs[purpose].filter((job) => choice.chosen[job] === undefined);
  if (lacking.length > 0) {
    const reasons = lacking.map((job) => explainMissingJob(profile, job));
    throw new HsmError('ERR_HSM_STRATEGY', `the token cannot do ${lacking.join(', ')}: ${reasons.join('; ')}`, {
      details: { jobs: lacking, missing: reasons },
    });
  }
  const { identity, enforcement, rules } = profile;
  const enforces = (...names: readonly EnforcementName[]): boolean =>
    names.every((name) => enforcement[name].enforced === true);
  return {
    keyWrapPad: rules.aesKeyWrapPadMechanism ?? 0,
    signMechanism: choice.chosen.sign?.id === 'sign-ecdsa-sha384' ? CKM_ECDSA_SHA384 : CKM_ECDSA,
    suites: choice.suites,
    refusalOfSuites: choice.suites.length > 0 ? null : withoutSuite(profile),
    dataSuites: choice.dataSuites,
    readableDataSuites: choice.readableDataSuites,
    gcmIv: rules.gcmIv ?? 'caller',
    enforcesAllowedMechanisms: enforces('allowedMechanisms'),
    enforcesWrapWithTrusted: enforces('wrapWithTrusted'),
    enforcesExtractable: enforces('extractableFalse'),
    keepsUnextractable: enforces('extractableFalse', 'setExtractableTrue', 'copyExtractableTrue'),
    hidesUnextractable: enforces('unextractableValue'),
    unwrapLength: rules.unwrapValueLength ?? 'refused',
    ecPrivateUnwrapAttributes: rules.ecPrivateUnwrapAttributes,
    ed25519Parameters: rules.ed25519Parameters ?? 'oid',
    rsaModulusBitsMax: rsaModulusBitsMax(profile),
    listsEdwardsGeneration: profile.mechanisms.some(({ type }) => type === CKM_EC_EDWARDS_KEY_PAIR_GEN),
    refusedFacts: Object.fromEntries(
      factNames
        .filter((name) => !profile.facts[name].works)
        .map((name) => [name, `${factWords[name]}: ${profile.facts[name].answer}`]),
    ),
    fingerprint: [
      identity.manufacturer,
      identity.model,
      `library ${identity.libraryVersion}`,
      `firmware ${identity.firmwareVersion}`,
    ]
      .map((part) => part.trim())
      .join(' / '),
    missing: missingOf(choice),
  };
}

/**
 * Asserts that a token can do what an algorithm needs.
 *
 * @throws {@link HsmError} `ERR_HSM_STRATEGY`, naming the mechanism and what the token answered
 */
export function assertFact(capabilities: HsmCapabilities, fact: FactName, algorithm: string): void {
  const reason = capabilities.refusedFacts[fact];
  if (reason === undefined) return;
  throw new HsmError('ERR_HSM_STRATEGY', `the token cannot do ${algorithm}: ${reason}`, {
    details: { algorithm, reason },
  });
}
