import { CKG_MGF1_SHA1, CKG_MGF1_SHA256, CKM_RSA_PKCS_OAEP, CKM_SHA256, CKM_SHA_1 } from '../token/cryptoki.js';
import type { Mechanism } from '../token/mechanism.js';
import type { TokenProfile } from '../token/profile.js';
import type { StrategyJob } from '../token/strategy.js';
import { chooseStrategies, type StrategyPolicy } from '../token/strategy_choice.js';

/** The four ways in which material may be wrapped for import. */
export const IMPORT_WRAPPING_ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
] as const;
export type ImportWrappingAlgorithm = (typeof IMPORT_WRAPPING_ALGORITHMS)[number];

/** Hash of OAEP and of its mask generation function. */
export type OaepHash = 'sha1' | 'sha256';

/**
 * How wrapped material gets into the token.
 *
 * - `one-mechanism`: one `C_UnwrapKey` does all of it
 * - `two-steps`: OAEP to an ephemeral AES key, then RFC 5649, each in the token
 * - `outside-token`: raw RSA in the token, and OAEP's padding taken off in the addon's locked memory
 */
export type ImportRung = 'one-mechanism' | 'two-steps' | 'outside-token';

/** How one algorithm is carried out on a token. */
export interface ImportPlan {
  /** Id of the strategy, for errors and the audit. */
  readonly strategy: string;
  readonly rung: ImportRung;
  readonly hash: OaepHash;
  /** Whether RSA wraps an AES key that wraps the material (RFC 5649), or the material itself. */
  readonly isKeyWrap: boolean;
}

/** What a token's profile and the configuration allow for each algorithm: a plan, or why there is none. */
export type ImportCapabilities = Readonly<Record<ImportWrappingAlgorithm, ImportPlan | { readonly refusal: string }>>;

const jobOf: Readonly<Record<ImportWrappingAlgorithm, StrategyJob>> = {
  RSAES_OAEP_SHA_1: 'importOaepSha1',
  RSAES_OAEP_SHA_256: 'importOaepSha256',
  RSA_AES_KEY_WRAP_SHA_1: 'importRsaAesSha1',
  RSA_AES_KEY_WRAP_SHA_256: 'importRsaAesSha256',
};

const oaepParameters = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
} as const;

/** `CKM_RSA_PKCS_OAEP` with the same hash for the mask and an empty label. @source RFC 8017 section 7.1 */
export function oaepMechanism(hash: OaepHash): Mechanism {
  return { type: CKM_RSA_PKCS_OAEP, parameter: { kind: 'oaep', ...oaepParameters[hash], label: null } };
}

/** Parameter of `CKM_RSA_AES_KEY_WRAP` for an AES-256 key. @source PKCS#11 v2.40 current mechanisms section 2.1.21 */
export function rsaAesParameter(hash: OaepHash): Mechanism['parameter'] {
  return { kind: 'rsa-aes-key-wrap', aesKeyBits: 256, ...oaepParameters[hash] };
}

function rungOf(strategy: { readonly needs: readonly string[]; readonly isOutsideToken?: true }): ImportRung {
  if (strategy.isOutsideToken === true) return 'outside-token';
  return strategy.needs.length > 1 ? 'two-steps' : 'one-mechanism';
}

/**
 * Chooses how each algorithm is carried out, from the profile and the configuration alone: a call that fails changes nothing in it.
 *
 * @param policy - whether octets may be outside the token, in locked memory, where the token cannot unwrap by itself
 * @source docs/IMPORT.md
 */
export function importCapabilitiesOf(profile: TokenProfile, policy: StrategyPolicy): ImportCapabilities {
  const choice = chooseStrategies(profile, policy);
  const entries = IMPORT_WRAPPING_ALGORITHMS.map((algorithm) => {
    const job = jobOf[algorithm];
    const strategy = choice.chosen[job];
    if (strategy === undefined) {
      const reasons = choice.outcomes
        .filter((outcome) => outcome.strategy.job === job)
        .map(({ strategy: { mechanisms }, reason }) => `${mechanisms.join(' + ')}: ${reason}`);
      return [algorithm, { refusal: `the token cannot unwrap ${algorithm}: ${reasons.join('; ')}` }] as const;
    }
    const plan: ImportPlan = {
      strategy: strategy.id,
      rung: rungOf(strategy),
      hash: algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256',
      isKeyWrap: algorithm.startsWith('RSA_AES'),
    };
    return [algorithm, plan] as const;
  });
  return Object.fromEntries(entries) as ImportCapabilities;
}

/** The hash with which a token does OAEP by itself; null where it does not. */
export function inTokenHash(capabilities: ImportCapabilities): OaepHash | null {
  const oaep = [capabilities.RSAES_OAEP_SHA_256, capabilities.RSAES_OAEP_SHA_1];
  for (const plan of oaep) if ('rung' in plan && plan.rung === 'one-mechanism') return plan.hash;
  return null;
}
