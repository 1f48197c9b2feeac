import type { KeyObject } from 'node:crypto';
import {
  CKK_AES,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_GENERIC_SECRET,
  CKK_RSA,
  CKM_AES_KEY_GEN,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_EC_EDWARDS_KEY_PAIR_GEN,
  CKM_EC_KEY_PAIR_GEN,
  CKM_EDDSA,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_PKCS_PSS,
  CKM_SHA224_HMAC,
  CKM_SHA256_HMAC,
  CKM_SHA384_HMAC,
  CKM_SHA512_HMAC,
} from '../token/cryptoki.js';
import type { FactName } from '../token/profile.js';
import { CURVES, type Curve } from '../wire/curve.js';
import { parsePublicKey, type PublicKeyKind } from '../wire/public_key.js';
import type { KeyUse } from './key_shape.js';
import type { KeySpec, KeyUsage, WrappedMaterial } from './material.js';

/** What a key of one usage is loaded for in the token: one use, and the mechanisms of that use. */
export interface UsageInToken {
  readonly uses: readonly KeyUse[];
  readonly allowedMechanisms: readonly number[];
  /** What the token must have been seen to do for keys of this spec and usage; one of each inner list is enough. */
  readonly needs: readonly (readonly FactName[])[];
}

interface SpecInToken {
  /** `CKK_`. */
  readonly keyType: number;
  readonly keyTypeName: WrappedMaterial['keyType'];
  /** Mechanism that makes the key or the pair. */
  readonly generation: number;
  readonly usages: Readonly<Partial<Record<KeyUsage, UsageInToken>>>;
  /** Octets of such a key under RFC 5649, from and to. */
  readonly wrappedOctets: { readonly min: number; readonly max: number };
}

/** A symmetric backing key; its messages are encrypted under keys derived from it, by the data suite. */
export interface AesSpec extends SpecInToken {
  readonly kind: 'aes';
  readonly secretOctets: number;
}

/** An HMAC secret. */
export interface HmacSpec extends SpecInToken {
  readonly kind: 'hmac';
  /** Octets of a secret that the token makes; imported ones may be longer. */
  readonly secretOctets: number;
  /** `CKM_` of the MAC. */
  readonly mac: number;
}

/** A private key, by what its public half is. */
export type PrivateKeySpec = SpecInToken & PublicKeyKind;

/** What a key spec is in a token. */
export type KeySpecInToken = AesSpec | HmacSpec | PrivateKeySpec;

/** Octets of a key under RFC 5649: filled up to a multiple of 8, and 8 in front. */
export function wrappedOctets(octets: number): number {
  return 8 * Math.ceil(octets / 8) + 8;
}

/** Longest HMAC key that may be imported, octets. @source AWS KMS Developer Guide, requirements for imported key material */
const HMAC_OCTETS_MAX = 128;

function hmac(secretOctets: number, mac: number, fact: FactName): HmacSpec {
  const needs = [['genericSecretKeyGen'], [fact]] as const;
  return {
    kind: 'hmac',
    keyType: CKK_GENERIC_SECRET,
    keyTypeName: 'CKK_GENERIC_SECRET',
    generation: CKM_GENERIC_SECRET_KEY_GEN,
    secretOctets,
    mac,
    usages: { GENERATE_VERIFY_MAC: { uses: ['sign'], allowedMechanisms: [mac], needs } },
    wrappedOctets: { min: wrappedOctets(secretOctets), max: wrappedOctets(HMAC_OCTETS_MAX) },
  };
}

function rsa(modulusBits: number): PrivateKeySpec {
  const octets = modulusBits / 8;
  const wrapping = [['rsaKeyPair2048'], ['rsaPrivateWrap'], ['rsaPrivateUnwrap']] as const;
  return {
    kind: 'rsa',
    keyType: CKK_RSA,
    keyTypeName: 'CKK_RSA',
    generation: CKM_RSA_PKCS_KEY_PAIR_GEN,
    modulusBits,
    usages: {
      ENCRYPT_DECRYPT: {
        uses: ['decrypt'],
        allowedMechanisms: [CKM_RSA_PKCS_OAEP],
        needs: [...wrapping, ['rsaPkcs1Signature'], ['rsaOaepSha1', 'rsaOaepSha256']],
      },
      SIGN_VERIFY: {
        uses: ['sign'],
        allowedMechanisms: [CKM_RSA_PKCS, CKM_RSA_PKCS_PSS],
        needs: [...wrapping, ['rsaPkcs1Signature']],
      },
    },
    // Modulus, private exponent, and five numbers of half their length; DER, a long public exponent and attributes besides.
    wrappedOctets: { min: wrappedOctets(octets * 4), max: wrappedOctets(octets * 4.5 + 512) },
  };
}

function ec(curve: Curve, fact: FactName, agreement: FactName | null): PrivateKeySpec {
  const needs = [[fact], ['ecPrivateWrap'], ['ecPrivateUnwrap']] as const;
  const agreed: UsageInToken | null =
    agreement === null
      ? null
      : { uses: ['derive'], allowedMechanisms: [CKM_ECDH1_DERIVE], needs: [...needs, [agreement]] };
  return {
    kind: 'curve',
    keyType: CKK_EC,
    keyTypeName: 'CKK_EC',
    generation: CKM_EC_KEY_PAIR_GEN,
    curve,
    usages: {
      SIGN_VERIFY: { uses: ['sign'], allowedMechanisms: [CKM_ECDSA], needs },
      ...(agreed === null ? {} : { KEY_AGREEMENT: agreed }),
    },
    // The private value with its wrapping in DER, and the public point where the token puts it in.
    wrappedOctets: { min: wrappedOctets(curve.coordinateOctets), max: wrappedOctets(curve.coordinateOctets * 3 + 128) },
  };
}

/** Every key spec that Keyferry can make, as a token sees it. The one place where specs differ. */
const specs: Readonly<Record<KeySpec, KeySpecInToken>> = {
  SYMMETRIC_DEFAULT: {
    kind: 'aes',
    keyType: CKK_AES,
    keyTypeName: 'CKK_AES',
    generation: CKM_AES_KEY_GEN,
    secretOctets: 32,
    // What it is loaded for, its data suite says.
    usages: { ENCRYPT_DECRYPT: { uses: [], allowedMechanisms: [], needs: [] } },
    wrappedOctets: { min: wrappedOctets(32), max: wrappedOctets(32) },
  },
  HMAC_224: hmac(28, CKM_SHA224_HMAC, 'hmacSha224'),
  HMAC_256: hmac(32, CKM_SHA256_HMAC, 'hmacSha256'),
  HMAC_384: hmac(48, CKM_SHA384_HMAC, 'hmacSha384'),
  HMAC_512: hmac(64, CKM_SHA512_HMAC, 'hmacSha512'),
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: ec(CURVES['P-256'], 'ecKeyP256', 'ecdhP256'),
  ECC_NIST_P384: ec(CURVES['P-384'], 'ecKeyP384', 'ecdhP384'),
  ECC_NIST_P521: ec(CURVES['P-521'], 'ecKeyP521', 'ecdhP521'),
  ECC_SECG_P256K1: ec(CURVES.secp256k1, 'ecKeySecp256k1', null),
  ECC_NIST_EDWARDS25519: {
    ...ec(CURVES.Ed25519, 'edKeyEd25519', null),
    keyType: CKK_EC_EDWARDS,
    keyTypeName: 'CKK_EC_EDWARDS',
    generation: CKM_EC_EDWARDS_KEY_PAIR_GEN,
    usages: { SIGN_VERIFY: { uses: ['sign'], allowedMechanisms: [CKM_EDDSA], needs: [['edKeyEd25519']] } },
  },
};

/** What a key spec is in a token. */
export function specInToken(keySpec: KeySpec): KeySpecInToken {
  return specs[keySpec];
}

/** A key spec whose keys have two halves; null for secrets. */
export function privateKeySpec(keySpec: KeySpec): PrivateKeySpec | null {
  const spec = specs[keySpec];
  return spec.kind === 'rsa' || spec.kind === 'curve' ? spec : null;
}

/**
 * Reads the public half of a key.
 *
 * @param publicKey - DER SubjectPublicKeyInfo
 * @returns null for anything that is no public key of this spec in its one form
 */
export function parsePublicHalf(keySpec: KeySpec, publicKey: Uint8Array | null): KeyObject | null {
  const spec = privateKeySpec(keySpec);
  return spec === null || publicKey === null ? null : parsePublicKey(publicKey, spec);
}

/** Whether octets can be a key of this spec under RFC 5649, by their number. */
export function canBeWrapped(keySpec: KeySpec, blob: Uint8Array): boolean {
  const { min, max } = specs[keySpec].wrappedOctets;
  return blob.length >= min && blob.length <= max && blob.length % 8 === 0;
}
