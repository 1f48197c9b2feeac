import {
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA256,
  CKG_MGF1_SHA384,
  CKG_MGF1_SHA512,
  CKM_ECDSA,
  CKM_EDDSA,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_PKCS_PSS,
  CKM_SHA256,
  CKM_SHA384,
  CKM_SHA512,
  CKM_SHA_1,
} from '../token/cryptoki.js';
import type { Mechanism } from '../token/mechanism.js';
import type { FactName } from '../token/profile.js';

/** How an algorithm signs: what is given to the token, by which mechanism. */
export interface SigningSteps {
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa' | 'ed25519';
  /** Hash as Node names it; for Ed25519 the token hashes. */
  readonly hash: string;
  readonly digestOctets: number;
  readonly mechanism: Mechanism;
  readonly needs: FactName | null;
}

const hashes = {
  SHA_256: { hash: 'sha256', digestOctets: 32, mechanism: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
  SHA_384: { hash: 'sha384', digestOctets: 48, mechanism: CKM_SHA384, mgf: CKG_MGF1_SHA384 },
  SHA_512: { hash: 'sha512', digestOctets: 64, mechanism: CKM_SHA512, mgf: CKG_MGF1_SHA512 },
} as const;
type HashName = keyof typeof hashes;

function pkcs1(name: HashName): SigningSteps {
  const { hash, digestOctets } = hashes[name];
  const mechanism = { type: CKM_RSA_PKCS, parameter: { kind: 'none' } } as const;
  return { scheme: 'pkcs1', hash, digestOctets, mechanism, needs: 'rsaPkcs1Signature' };
}

function pss(name: HashName): SigningSteps {
  const { hash, digestOctets, mechanism, mgf } = hashes[name];
  const parameter = { kind: 'pss', hash: mechanism, mgf, saltBytes: digestOctets } as const;
  return {
    scheme: 'pss',
    hash,
    digestOctets,
    mechanism: { type: CKM_RSA_PKCS_PSS, parameter },
    needs: 'rsaPssSignature',
  };
}

function ecdsa(name: HashName): SigningSteps {
  const { hash, digestOctets } = hashes[name];
  const mechanism = { type: CKM_ECDSA, parameter: { kind: 'none' } } as const;
  return { scheme: 'ecdsa', hash, digestOctets, mechanism, needs: null };
}

/** Signing algorithms of AWS KMS. @source RFC 8017 sections 8.1 and 8.2; FIPS 186-5 section 6; RFC 8032 */
const signing: Readonly<Record<string, SigningSteps>> = {
  RSASSA_PKCS1_V1_5_SHA_256: pkcs1('SHA_256'),
  RSASSA_PKCS1_V1_5_SHA_384: pkcs1('SHA_384'),
  RSASSA_PKCS1_V1_5_SHA_512: pkcs1('SHA_512'),
  RSASSA_PSS_SHA_256: pss('SHA_256'),
  RSASSA_PSS_SHA_384: pss('SHA_384'),
  RSASSA_PSS_SHA_512: pss('SHA_512'),
  ECDSA_SHA_256: ecdsa('SHA_256'),
  ECDSA_SHA_384: ecdsa('SHA_384'),
  ECDSA_SHA_512: ecdsa('SHA_512'),
  ED25519_SHA_512: {
    scheme: 'ed25519',
    hash: 'sha512',
    digestOctets: 64,
    mechanism: { type: CKM_EDDSA, parameter: { kind: 'none' } },
    needs: 'edKeyEd25519',
  },
};

/** RSAES-OAEP of AWS KMS: one hash for the label and for MGF1, no label. */
const encryption: Readonly<Record<string, { readonly mechanism: Mechanism; readonly needs: FactName }>> = {
  RSAES_OAEP_SHA_1: {
    mechanism: {
      type: CKM_RSA_PKCS_OAEP,
      parameter: { kind: 'oaep', hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1, label: null },
    },
    needs: 'rsaOaepSha1',
  },
  RSAES_OAEP_SHA_256: {
    mechanism: {
      type: CKM_RSA_PKCS_OAEP,
      parameter: { kind: 'oaep', hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, label: null },
    },
    needs: 'rsaOaepSha256',
  },
};

/** How an algorithm signs; undefined for one that no token here can do. */
export function signingSteps(algorithm: string): SigningSteps | undefined {
  return Object.hasOwn(signing, algorithm) ? signing[algorithm] : undefined;
}

/** How an algorithm encrypts with RSA; undefined for any other. */
export function oaepSteps(algorithm: string): { readonly mechanism: Mechanism; readonly needs: FactName } | undefined {
  return Object.hasOwn(encryption, algorithm) ? encryption[algorithm] : undefined;
}
