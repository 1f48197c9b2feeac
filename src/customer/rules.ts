import { CURVES, type Curve } from '../wire/curve.js';
import { CeremonyError } from './errors.js';

/** Wrapping algorithms of `GetParametersForImport` that are still accepted. */
export const WRAPPING_ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
] as const;
export type WrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number];

export const WRAPPING_KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096'] as const;
export type WrappingKeySpec = (typeof WRAPPING_KEY_SPECS)[number];

/** What an algorithm does: the hash of its RSAES-OAEP, and whether an AES key stands between. */
export interface Wrapping {
  readonly hash: 'sha1' | 'sha256';
  readonly withAesKey: boolean;
}

const WRAPPINGS: Readonly<Record<WrappingAlgorithm, Wrapping>> = {
  RSAES_OAEP_SHA_1: { hash: 'sha1', withAesKey: false },
  RSAES_OAEP_SHA_256: { hash: 'sha256', withAesKey: false },
  RSA_AES_KEY_WRAP_SHA_1: { hash: 'sha1', withAesKey: true },
  RSA_AES_KEY_WRAP_SHA_256: { hash: 'sha256', withAesKey: true },
};
const HASH_OCTETS = { sha1: 20, sha256: 32 } as const;

/** What material of a key spec is before it is wrapped. */
export type MaterialForm =
  | { readonly kind: 'octets'; readonly octetsMin: number; readonly octetsMax: number }
  /** PKCS#8 of an RSA key. */
  | { readonly kind: 'rsa'; readonly modulusBits: number }
  /** PKCS#8 of a key of one curve. */
  | { readonly kind: 'curve'; readonly curve: Curve };

const curve = (name: keyof typeof CURVES): MaterialForm => ({ kind: 'curve', curve: CURVES[name] });
const secret = (octetsMin: number, octetsMax: number): MaterialForm => ({ kind: 'octets', octetsMin, octetsMax });

/** @source AWS KMS Developer Guide, "Requirements for imported key material" */
const FORMS = {
  SYMMETRIC_DEFAULT: secret(32, 32),
  HMAC_224: secret(28, 128),
  HMAC_256: secret(32, 128),
  HMAC_384: secret(48, 128),
  HMAC_512: secret(64, 128),
  RSA_2048: { kind: 'rsa', modulusBits: 2048 },
  RSA_3072: { kind: 'rsa', modulusBits: 3072 },
  RSA_4096: { kind: 'rsa', modulusBits: 4096 },
  ECC_NIST_P256: curve('P-256'),
  ECC_NIST_P384: curve('P-384'),
  ECC_NIST_P521: curve('P-521'),
  ECC_SECG_P256K1: curve('secp256k1'),
  ECC_NIST_EDWARDS25519: curve('Ed25519'),
} as const satisfies Readonly<Record<string, MaterialForm>>;

/** Key specs whose material can be imported. */
export type ImportedKeySpec = keyof typeof FORMS;
export const IMPORTED_KEY_SPECS = Object.keys(FORMS) as readonly ImportedKeySpec[];

/** Octets of an import token, and of wrapped material. @source AWS KMS API Reference, ImportKeyMaterial */
export const IMPORT_OCTETS_MAX = 6144;
/** How far ahead material may expire, milliseconds. @source AWS KMS API Reference, ImportKeyMaterial */
export const VALIDITY_MS_MAX = 365 * 24 * 60 * 60 * 1000;
/** How long parameters are valid, milliseconds. @source AWS KMS API Reference, GetParametersForImport */
export const PARAMETERS_MS = 24 * 60 * 60 * 1000;

export function formOf(keySpec: ImportedKeySpec): MaterialForm {
  return FORMS[keySpec];
}

export function wrappingOf(algorithm: WrappingAlgorithm): Wrapping {
  return WRAPPINGS[algorithm];
}

export function modulusBitsOf(wrappingKeySpec: WrappingKeySpec): number {
  return Number(wrappingKeySpec.slice('RSA_'.length));
}

/**
 * The key spec that a text names.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE` for one whose material cannot be imported
 */
export function parseKeySpec(text: string): ImportedKeySpec {
  const found = IMPORTED_KEY_SPECS.find((candidate) => candidate === text);
  if (found !== undefined) return found;
  throw new CeremonyError('ERR_CEREMONY_RULE', `Material of key spec ${text} cannot be imported`, {
    remedy: `key specs that can be: ${IMPORTED_KEY_SPECS.join(', ')}`,
  });
}

/** The algorithm for a key spec where nobody asks for another: RSAES-OAEP for secrets, an AES key between for private keys. */
export function usualAlgorithm(keySpec: ImportedKeySpec, hash: Wrapping['hash']): WrappingAlgorithm {
  const suffix = hash === 'sha1' ? 'SHA_1' : 'SHA_256';
  return FORMS[keySpec].kind === 'octets' ? `RSAES_OAEP_${suffix}` : `RSA_AES_KEY_WRAP_${suffix}`;
}

/**
 * Checks that KMS takes material of a key spec under such a wrapping.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`
 * @source AWS KMS Developer Guide, "Importing key material step 2: Select a wrapping algorithm"
 */
export function requireWrapping(
  keySpec: ImportedKeySpec,
  algorithm: WrappingAlgorithm,
  wrappingKeySpec: WrappingKeySpec,
): void {
  const { kind } = FORMS[keySpec];
  const { withAesKey } = WRAPPINGS[algorithm];
  const refuse = (remedy: string): never => {
    throw new CeremonyError('ERR_CEREMONY_RULE', `KMS takes no ${keySpec} under ${algorithm} with ${wrappingKeySpec}`, {
      details: { keySpec, algorithm, wrappingKeySpec },
      remedy,
    });
  };
  if (kind === 'octets' && withAesKey) refuse('wrap secrets with RSAES_OAEP_SHA_256 or RSAES_OAEP_SHA_1');
  if (kind === 'rsa' && !withAesKey) {
    refuse('an RSA key is too long for RSAES-OAEP: take RSA_AES_KEY_WRAP_SHA_256 or RSA_AES_KEY_WRAP_SHA_1');
  }
  if (keySpec === 'ECC_NIST_P521' && wrappingKeySpec === 'RSA_2048' && !withAesKey) {
    refuse('a P-521 key needs RSA_3072 or RSA_4096, or RSA_AES_KEY_WRAP');
  }
}

/**
 * Checks that material of so many octets fits under a wrapping.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`
 * @source RFC 8017 section 7.1.1 step 1
 */
export function requireRoom(octets: number, algorithm: WrappingAlgorithm, wrappingKeySpec: WrappingKeySpec): void {
  const { hash, withAesKey } = WRAPPINGS[algorithm];
  const modulusOctets = modulusBitsOf(wrappingKeySpec) / 8;
  const room = withAesKey ? IMPORT_OCTETS_MAX - modulusOctets - 16 : modulusOctets - 2 * HASH_OCTETS[hash] - 2;
  if (octets <= room) return;
  throw new CeremonyError(
    'ERR_CEREMONY_RULE',
    `The material has ${octets} octets, and ${algorithm} with ${wrappingKeySpec} has room for ${room}`,
    {
      details: { octets, room },
      remedy: withAesKey ? null : 'take a longer wrapping key, or SHA-1 in place of SHA-256',
    },
  );
}

/**
 * Checks that wrapped material is as long as the algorithm makes it.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_MATERIAL`
 */
export function requireWrappedOctets(
  octets: number,
  algorithm: WrappingAlgorithm,
  wrappingKeySpec: WrappingKeySpec,
): void {
  const modulusOctets = modulusBitsOf(wrappingKeySpec) / 8;
  const behind = octets - modulusOctets;
  const isRight = WRAPPINGS[algorithm].withAesKey
    ? behind >= 16 && behind % 8 === 0 && octets <= IMPORT_OCTETS_MAX
    : behind === 0;
  if (isRight) return;
  throw new CeremonyError(
    'ERR_CEREMONY_MATERIAL',
    `${octets} octets cannot have been wrapped by ${algorithm} with ${wrappingKeySpec}`,
    { details: { octets }, remedy: 'name the file that was wrapped under these parameters' },
  );
}
