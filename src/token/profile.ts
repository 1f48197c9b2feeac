import { z } from 'zod';
import { ConfigError } from '../errors.js';

/**
 * What the key specs of AWS KMS need beyond what every region needs: what is missing narrows the operations and does not end them.
 *
 * - `ecKey*`, `edKey*`: generate, wrap, unwrap, sign, and verify with a public key from outside; `ecdh*`: agree with an unwrapped key
 * - `rsaOaep*`: encrypt with a public key from outside, and decrypt what software encrypted
 */
export const keySpecFactNames = [
  'genericSecretKeyGen',
  'hmacSha224',
  'hmacSha512',
  'rsaKeyPair2048',
  'rsaPkcs1Signature',
  'rsaPssSignature',
  'rsaOaepSha1',
  'rsaOaepSha256',
  'ecKeyP256',
  'ecKeyP384',
  'ecKeyP521',
  'ecKeySecp256k1',
  'ecdhP256',
  'ecdhP384',
  'ecdhP521',
  'edKeyEd25519',
] as const;

/**
 * What a token can do, each found by doing it and comparing with a known answer.
 *
 * - `createSecretKey`: `C_CreateObject` with a published test key, from which the other probes start
 * - `aesGcm`: encrypts and decrypts with an IV of the caller's; `aesGcmAnyIv`: decrypts so, and encrypts with some IV (`rules.gcmIv`)
 * - `ecdh1*`: `CKM_ECDH1_DERIVE` on P-384 under each key derivation function, to AES-256 and to a 48-octet secret
 * - `sp800108*`: counter mode with HMAC-SHA-256 on an AES or a generic base key, with HMAC-SHA-384 on a shared secret
 * - `*PrivateWrap`, `*PrivateUnwrap`: private keys under RFC 5649
 * - `trustedKeyBySo`: needs the security officer, so that only provisioning can find it ({@link withFact})
 */
export const factNames = [
  'random',
  'createSecretKey',
  'aesEcb',
  'aesCbc',
  'aesGcm',
  'aesGcmAnyIv',
  'aesCmac',
  'hmacSha256',
  'hmacSha384',
  'aesCbcEncryptDataAes256',
  'aesCbcEncryptDataGeneric48',
  'sp800108HmacSha256OnAes',
  'sp800108HmacSha256OnGeneric',
  'aesKeyWrap',
  'aesKeyWrapPad',
  'aesKeyUnwrapPad',
  'derivedKeyWraps',
  'derivedKeyUnwraps',
  'ecKeyPairP384',
  'ecdsa',
  'ecdsaSha384',
  'ecdh1Null48',
  'ecdh1NullAes256',
  'ecdh1NullAes256Trailing',
  'ecdh1X963Sha384',
  'ecdh1Sp800Sha384',
  'hkdfSha384',
  'sp800108HmacSha384OnZ',
  'cbcDerive',
  'ecPrivateWrap',
  'ecPrivateUnwrap',
  'rsaPrivateWrap',
  'rsaPrivateUnwrap',
  'rsaOaepSha1Unwrap',
  'rsaOaepSha256Unwrap',
  'rsaRawDecrypt',
  'rsaAesKeyWrapSha1',
  'rsaAesKeyWrapSha256',
  'trustedKeyBySo',
  ...keySpecFactNames,
] as const;

/** The name of one thing that a token may be able to do. */
export type FactName = (typeof factNames)[number];

/** What a token keeps its users from doing, each found by attempting it. */
export const enforcementNames = [
  'extractableFalse',
  'wrapWithTrusted',
  'trustedByUser',
  'allowedMechanisms',
  'deriveFalse',
  'encryptFalse',
  'decryptFalse',
  'wrapFalse',
  'unwrapFalse',
  'signFalse',
  'sensitiveValue',
  'unextractableValue',
  'setSensitiveFalse',
  'setExtractableTrue',
  'copyExtractableTrue',
  'copySensitiveFalse',
  'unwrapTemplateSensitive',
  'invalidPoint',
] as const;

/** The name of one thing that a token may refuse. */
export type EnforcementName = (typeof enforcementNames)[number];

const factSchema = z.strictObject({
  /** Whether the token did it and the result was the known answer. */
  works: z.boolean(),
  /** The mechanism that was used, by number: what a name means is the token's business. */
  mechanism: z.number().int().nonnegative().nullable(),
  /** In words what the token answered. */
  answer: z.string().max(500),
});

const enforcementSchema = z.strictObject({
  /** Whether the token refused; null where the token cannot do the permitted thing either, so that a refusal says nothing. */
  enforced: z.boolean().nullable(),
  answer: z.string().max(500),
});

const identitySchema = z.strictObject({
  modulePath: z.string(),
  manufacturer: z.string(),
  model: z.string(),
  serial: z.string(),
  label: z.string(),
  libraryDescription: z.string(),
  libraryVersion: z.string(),
  cryptokiVersion: z.string(),
  hardwareVersion: z.string(),
  firmwareVersion: z.string(),
});

const mechanismNumber = z.number().int().nonnegative();

const rulesSchema = z.strictObject({
  /** The mechanism number that is RFC 5649 on this token. */
  aesKeyWrapPadMechanism: mechanismNumber.nullable(),
  /** Whether the token fills a secret up to a multiple of 8 octets before it wraps, so that its length is lost; null if not known. */
  wrapPadsOddLengths: z.boolean().nullable(),
  /** Which octets of a shared secret a shorter derived key keeps. */
  ecdh1Truncation: z.enum(['trailing', 'leading', 'other']).nullable(),
  /** How `CKA_EC_POINT` comes: as a DER OCTET STRING, as the standard says, or as the bare point. */
  ecPointEncoding: z.enum(['der', 'raw']).nullable(),
  /** Attributes that this token wants besides the usual ones, with any value, to unwrap an EC private key. */
  ecPrivateUnwrapAttributes: z.array(mechanismNumber),
  /** How `CKA_EC_PARAMS` of Ed25519 is given: as the object identifier or as the curve's name. */
  ed25519Parameters: z.enum(['oid', 'name']).nullable(),
  /** Whether an unwrap template may and must have `CKA_VALUE_LEN`. */
  unwrapValueLength: z.enum(['refused', 'optional', 'required']).nullable(),
  /** Whether `CKA_VALUE_LEN` of an unwrapped secret is its length. */
  valueLengthAfterUnwrap: z.boolean().nullable(),
  /** Whose IV AES-GCM encrypts with: the caller's, or one that the token makes and tells in `pIv` or before the ciphertext. */
  gcmIv: z.enum(['caller', 'written-back', 'prepended']).nullable(),
  /** Most sessions of one process; 0 is no limit, null is not told. */
  sessionCountMax: z.number().int().nonnegative().nullable(),
});

const mechanismSchema = z.strictObject({
  type: mechanismNumber,
  name: z.string(),
  keySizeMin: z.number(),
  keySizeMax: z.number(),
  flags: z.number(),
});

/** Version of what a profile holds; a profile of an older one is probed again. */
export const PROFILE_VERSION = 5;

/** What {@link parseProfile} takes; for reports that hold a profile. */
export const profileSchema = z.strictObject({
  version: z.literal(PROFILE_VERSION),
  identity: identitySchema,
  /** What the token lists; for people, and to tell what is missing. Strategies look at the facts only. */
  mechanisms: z.array(mechanismSchema).max(4096),
  facts: z.record(z.enum(factNames), factSchema),
  enforcement: z.record(z.enum(enforcementNames), enforcementSchema),
  rules: rulesSchema,
  /** Digest of the dialect that the module was spoken to in, lower-case hexadecimal; absent for the standard. */
  dialect: z.string().exactOptional(),
  /** When, milliseconds since the Unix epoch, and how long it took. */
  probedAtMs: z.number().int().nonnegative(),
  probeMs: z.number().nonnegative(),
});

/** Which token a profile is of. A profile is good for exactly this identity. */
export type TokenIdentity = Readonly<z.infer<typeof identitySchema>>;
/** One thing that a token can or cannot do. */
export type Fact = Readonly<z.infer<typeof factSchema>>;
/** One thing that a token refuses or lets happen. */
export type Enforcement = Readonly<z.infer<typeof enforcementSchema>>;
/** How this token wants things done. */
export type TokenRules = Readonly<z.infer<typeof rulesSchema>>;
/** Everything that is known about what a token can do; plain JSON. */
export type TokenProfile = Readonly<z.infer<typeof profileSchema>>;

/** A profile as text, to be stored. */
export function encodeProfile(profile: TokenProfile): string {
  return JSON.stringify(profile);
}

/**
 * Reads a stored profile.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` for anything but a whole profile of this version: probe the token again then
 */
export function parseProfile(text: string): TokenProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError('ERR_CONFIG_STATE', 'the stored token profile is not JSON; probe the token again', { cause });
  }
  const parsed = profileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new ConfigError(
    'ERR_CONFIG_STATE',
    `the stored token profile cannot be read at "${where}"; probe the token again`,
    {
      cause: parsed.error,
    },
  );
}

/** Whether a stored profile is of an earlier version, so that the token is to be probed again. */
export function isEarlierProfile(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
    return typeof version === 'number' && Number.isInteger(version) && version >= 1 && version < PROFILE_VERSION;
  } catch {
    return false;
  }
}

/** A profile with one fact found later, by somebody who may do more than the probe. */
export function withFact(profile: TokenProfile, name: FactName, fact: Fact): TokenProfile {
  return { ...profile, facts: { ...profile.facts, [name]: fact } };
}

const comparedMembers = [
  'modulePath',
  'manufacturer',
  'model',
  'serial',
  'libraryDescription',
  'libraryVersion',
  'cryptokiVersion',
  'hardwareVersion',
  'firmwareVersion',
] as const satisfies readonly (keyof TokenIdentity)[];

/** Members in which two identities differ; a profile is to be probed again if there is any. The label may change freely. */
export function identityChanges(profiled: TokenIdentity, present: TokenIdentity): readonly (keyof TokenIdentity)[] {
  return comparedMembers.filter((member) => profiled[member] !== present[member]);
}
