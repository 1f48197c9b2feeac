import {
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { HsmError } from '../../src/hsm/errors.js';
import type { KeySpec } from '../../src/hsm/material.js';
import type { SigningInput } from '../../src/kms/ports.js';

/** Material as octets: the secret itself, or PKCS#8; and the public half. For tests only. */
export interface SoftwareMaterial {
  readonly octets: Buffer;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer | null;
}

const SECRET_OCTETS: { readonly [Spec in KeySpec]?: number } = {
  SYMMETRIC_DEFAULT: 32,
  HMAC_224: 28,
  HMAC_256: 32,
  HMAC_384: 48,
  HMAC_512: 64,
};

const CURVES: { readonly [Spec in KeySpec]?: string } = {
  ECC_NIST_P256: 'P-256',
  ECC_NIST_P384: 'P-384',
  ECC_NIST_P521: 'P-521',
  ECC_SECG_P256K1: 'secp256k1',
};

/** RSA pairs are slow to make: each spec has one that all tests of a process share. */
const rsaPairs = new Map<KeySpec, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>();

/** Makes material of a spec. */
export function makeMaterial(keySpec: KeySpec): SoftwareMaterial {
  const secretOctets = SECRET_OCTETS[keySpec];
  if (secretOctets !== undefined) return { octets: randomBytes(secretOctets), publicKey: null };
  const { privateKey, publicKey } = makePair(keySpec);
  return {
    octets: privateKey.export({ format: 'der', type: 'pkcs8' }),
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
  };
}

function makePair(keySpec: KeySpec): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (keySpec === 'ECC_NIST_EDWARDS25519') return generateKeyPairSync('ed25519');
  const namedCurve = CURVES[keySpec];
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve });
  const pair = rsaPairs.get(keySpec) ?? generateKeyPairSync('rsa', { modulusLength: Number(keySpec.slice(4)) });
  rsaPairs.set(keySpec, pair);
  return pair;
}

/** `sha256` of `RSASSA_PSS_SHA_256` and the like. */
export function hashOf(algorithm: string): string {
  return `sha${algorithm.slice(algorithm.lastIndexOf('_') + 1)}`;
}

function privateKeyOf(material: SoftwareMaterial): KeyObject {
  return createPrivateKey({ key: material.octets, format: 'der', type: 'pkcs8' });
}

function publicKeyOf(material: SoftwareMaterial): KeyObject {
  if (material.publicKey === null) throw new HsmError('ERR_HSM_TYPE', 'this material has no public half');
  return createPublicKey({ key: material.publicKey, format: 'der', type: 'spki' });
}

/** DigestInfo up to the digest. @source RFC 8017 section 9.2, note 1 */
const DIGEST_INFO: Readonly<Record<string, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

function digestInfo(algorithm: string, digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(DIGEST_INFO[hashOf(algorithm)] ?? '', 'hex'), digest]);
}

/** Signs a message; of digests this double signs those of RSASSA-PKCS1-v1_5 only, which Node can. */
export function softwareSign(material: SoftwareMaterial, algorithm: string, input: SigningInput): Buffer {
  if (algorithm === 'ED25519_PH_SHA_512') {
    throw new HsmError('ERR_HSM_STRATEGY', 'CKM_EDDSA with phFlag is missing');
  }
  const key = privateKeyOf(material);
  if (algorithm === 'ED25519_SHA_512') return sign(null, input.octets, key);
  if (input.kind === 'digest') {
    if (!algorithm.startsWith('RSASSA_PKCS1')) {
      throw new HsmError('ERR_HSM_STRATEGY', `the double signs no digests by ${algorithm}`);
    }
    return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(algorithm, input.octets));
  }
  return sign(hashOf(algorithm), input.octets, { key, ...paddingOf(algorithm) });
}

/** Whether a signature over a message is one of this key. */
export function softwareVerify(
  material: SoftwareMaterial,
  algorithm: string,
  input: SigningInput,
  signature: Uint8Array,
): boolean {
  const key = publicKeyOf(material);
  if (algorithm === 'ED25519_SHA_512') return verify(null, input.octets, key, signature);
  if (input.kind === 'digest') {
    if (!algorithm.startsWith('RSASSA_PKCS1')) {
      throw new HsmError('ERR_HSM_STRATEGY', `the double verifies no digests by ${algorithm}`);
    }
    try {
      return publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature).equals(
        digestInfo(algorithm, input.octets),
      );
    } catch {
      return false;
    }
  }
  return verify(hashOf(algorithm), input.octets, { key, ...paddingOf(algorithm) }, signature);
}

/** What Node has to be told of an algorithm besides its hash. */
export function paddingOf(algorithm: string): { readonly padding?: number; readonly saltLength?: number } {
  if (algorithm.startsWith('RSASSA_PSS')) {
    return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return algorithm.startsWith('RSASSA_PKCS1') ? { padding: constants.RSA_PKCS1_PADDING } : {};
}

/** HMAC, its algorithm as AWS KMS names it. */
export function softwareMac(material: SoftwareMaterial, algorithm: string, message: Uint8Array): Buffer {
  return createHmac(hashOf(algorithm), material.octets).update(message).digest();
}

/** RSAES-OAEP under a public key. */
export function softwareOaepEncrypt(publicKey: KeyObject, algorithm: string, plaintext: Uint8Array): Buffer {
  return publicEncrypt({ key: publicKey, oaepHash: hashOf(algorithm) }, plaintext);
}

/** RSAES-OAEP under this material's public half. */
export function softwareEncrypt(material: SoftwareMaterial, algorithm: string, plaintext: Uint8Array): Buffer {
  return softwareOaepEncrypt(publicKeyOf(material), algorithm, plaintext);
}

/** @throws `HsmError` `ERR_HSM_CIPHERTEXT` */
export function softwareDecrypt(material: SoftwareMaterial, algorithm: string, ciphertext: Uint8Array): Buffer {
  try {
    return privateDecrypt({ key: privateKeyOf(material), oaepHash: hashOf(algorithm) }, ciphertext);
  } catch {
    throw new HsmError('ERR_HSM_CIPHERTEXT', 'the ciphertext does not decrypt');
  }
}

/** ECDH: the x coordinate. */
export function softwareAgree(material: SoftwareMaterial, peerPublicKey: Uint8Array): Buffer {
  const publicKey = createPublicKey({ key: Buffer.from(peerPublicKey), format: 'der', type: 'spki' });
  return diffieHellman({ privateKey: privateKeyOf(material), publicKey });
}

/** Key material id: SHA-256 of the public half, else of key id and secret. */
export function softwareMaterialIdOf(keyId: string, material: SoftwareMaterial): string {
  const hash = createHash('sha256');
  if (material.publicKey !== null) return hash.update(material.publicKey).digest('hex');
  return hash.update(keyId).update(material.octets).digest('hex');
}
