import { constants, publicEncrypt, randomBytes, randomUUID } from 'node:crypto';
import { oaepSteps, signingSteps } from '../src/hsm/algorithm.js';
import type { KeySpec, KeyUsage, StoredMaterial } from '../src/hsm/material.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_EC_PARAMS,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_MODULUS,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKK_GENERIC_SECRET,
  CKM_EC_KEY_PAIR_GEN,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_SHA256_HMAC,
  CKO_SECRET_KEY,
} from '../src/token/cryptoki.js';
import type { Executor } from '../src/token/executor.js';
import { Job } from '../src/token/job.js';
import type { Mechanism } from '../src/token/mechanism.js';
import type { ObjectHandle } from '../src/token/object.js';
import { template } from '../src/token/template.js';
import { CURVES } from '../src/wire/curve.js';
import { encodePublicKey, rsaPublicKey } from '../src/wire/public_key.js';
import type { RegionToken } from '../test/support/region_token.js';

/** Cryptographic operations of backing keys; the C loop has jobs of the same names. */
export const OPERATIONS = ['ecdsa-p256-sign', 'rsa-2048-pss-sign', 'hmac-256', 'rsa-2048-oaep-sha1-decrypt'] as const;
export type OperationName = (typeof OPERATIONS)[number];

/** One operation, ready to be repeated: by the region's HSM, and its token calls alone. */
export interface PreparedOperation {
  readonly region: () => Promise<unknown>;
  readonly plain: () => Promise<unknown>;
  /** What the region's operation does beyond the plain job. */
  readonly does: string;
}

const NOTHING = { kind: 'none' } as const;
const MESSAGE_OCTETS = 2048;
const DIGEST_OCTETS = 32;
const MODULUS_BITS = 2048;
const EXPONENT_65537 = Uint8Array.of(1, 0, 1);
const sessionKey = [
  [CKA_TOKEN, false],
  [CKA_PRIVATE, true],
  [CKA_SENSITIVE, true],
  [CKA_EXTRACTABLE, false],
] as const;

/** Makes the keys of one operation, one backing key and one plain session key of the same kind. */
export async function prepareOperation(name: OperationName, region: RegionToken): Promise<PreparedOperation> {
  switch (name) {
    case 'ecdsa-p256-sign':
      return prepareSignature(region, 'ECC_NIST_P256', 'ECDSA_SHA_256');
    case 'rsa-2048-pss-sign':
      return prepareSignature(region, 'RSA_2048', 'RSASSA_PSS_SHA_256');
    case 'hmac-256':
      return prepareMac(region);
    case 'rsa-2048-oaep-sha1-decrypt':
      return prepareDecryption(region);
  }
}

/** Material of a single-Region key. */
function makeMaterial({ hsm }: RegionToken, keySpec: KeySpec, keyUsage: KeyUsage): Promise<StoredMaterial> {
  return hsm.createMaterial({ keyId: randomUUID(), keySpec, keyUsage, multiRegion: false, dataSuite: null });
}

async function prepareSignature(
  region: RegionToken,
  keySpec: 'ECC_NIST_P256' | 'RSA_2048',
  algorithm: string,
): Promise<PreparedOperation> {
  const steps = signingSteps(algorithm);
  if (steps === undefined) throw new Error(`no token signs by ${algorithm}`);
  const material = await makeMaterial(region, keySpec, 'SIGN_VERIFY');
  const input = { kind: 'message', octets: randomBytes(MESSAGE_OCTETS) } as const;
  const key =
    keySpec === 'RSA_2048'
      ? (await makeRsaPair(region.executor, CKA_SIGN)).privateKey
      : await makeP256Key(region.executor);
  return {
    region: () => region.hsm.sign(material, algorithm, input),
    plain: signing(region.executor, steps.mechanism, key, randomBytes(DIGEST_OCTETS)),
    does: `hashes ${MESSAGE_OCTETS} octets, and verifies in software before it gives the signature out`,
  };
}

async function prepareMac(region: RegionToken): Promise<PreparedOperation> {
  const material = await makeMaterial(region, 'HMAC_256', 'GENERATE_VERIFY_MAC');
  const message = randomBytes(MESSAGE_OCTETS);
  const key = await makeHmacKey(region.executor);
  return {
    region: () => region.hsm.generateMac(material, 'HMAC_SHA_256', message),
    plain: signing(region.executor, { type: CKM_SHA256_HMAC, parameter: NOTHING }, key, message),
    does: 'finds the loaded key and holds it',
  };
}

async function prepareDecryption(region: RegionToken): Promise<PreparedOperation> {
  const algorithm = 'RSAES_OAEP_SHA_1';
  const steps = oaepSteps(algorithm);
  if (steps === undefined) throw new Error(`no token decrypts by ${algorithm}`);
  const material = await makeMaterial(region, 'RSA_2048', 'ENCRYPT_DECRYPT');
  const pair = await makeRsaPair(region.executor, CKA_DECRYPT);
  const stored = sealed(material.publicKey ?? new Uint8Array());
  const own = sealed(pair.publicKey);
  return {
    region: () => region.hsm.decryptRsa(material, algorithm, stored),
    plain: async () => {
      const job = new Job('plain decrypt', 'bench');
      const output = job.decrypt(steps.mechanism, pair.privateKey, own);
      return (await region.executor.run(job)).bytes(output);
    },
    does: 'finds the loaded key and holds it',
  };
}

function sealed(publicKey: Uint8Array): Uint8Array {
  const key = { key: Buffer.from(publicKey), format: 'der', type: 'spki' } as const;
  return publicEncrypt({ ...key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, randomBytes(32));
}

function signing(
  executor: Executor,
  mechanism: Mechanism,
  key: ObjectHandle,
  data: Uint8Array,
): () => Promise<Uint8Array> {
  return async () => {
    const job = new Job('plain sign', 'bench');
    const output = job.sign(mechanism, key, data);
    return (await executor.run(job)).bytes(output);
  };
}

async function makeP256Key(executor: Executor): Promise<ObjectHandle> {
  const job = new Job('make pair', 'bench');
  const { privateKey } = job.generateKeyPair(
    { type: CKM_EC_KEY_PAIR_GEN, parameter: NOTHING },
    template([CKA_EC_PARAMS, CURVES['P-256'].oid], [CKA_TOKEN, false]),
    template(...sessionKey, [CKA_SIGN, true]),
  );
  const kept = job.keep(privateKey);
  return (await executor.run(job)).object(kept);
}

async function makeRsaPair(
  executor: Executor,
  use: number,
): Promise<{ readonly publicKey: Uint8Array; readonly privateKey: ObjectHandle }> {
  const job = new Job('make pair', 'bench');
  const pair = job.generateKeyPair(
    { type: CKM_RSA_PKCS_KEY_PAIR_GEN, parameter: NOTHING },
    template([CKA_TOKEN, false], [CKA_MODULUS_BITS, MODULUS_BITS], [CKA_PUBLIC_EXPONENT, EXPONENT_65537]),
    template(...sessionKey, [use, true]),
  );
  const numbers = job.getAttributes(pair.publicKey, [CKA_MODULUS]);
  const kept = job.keep(pair.privateKey);
  const result = await executor.run(job);
  const modulus = result.attributes(numbers).get(CKA_MODULUS)?.octets ?? new Uint8Array();
  return {
    publicKey: encodePublicKey(rsaPublicKey({ modulus, exponent: EXPONENT_65537 })),
    privateKey: result.object(kept),
  };
}

async function makeHmacKey(executor: Executor): Promise<ObjectHandle> {
  const job = new Job('make key', 'bench');
  const key = job.generateKey(
    { type: CKM_GENERIC_SECRET_KEY_GEN, parameter: NOTHING },
    template(
      [CKA_CLASS, CKO_SECRET_KEY],
      [CKA_KEY_TYPE, CKK_GENERIC_SECRET],
      ...sessionKey,
      [CKA_SIGN, true],
      [CKA_VALUE_LEN, 32],
    ),
  );
  const kept = job.keep(key);
  return (await executor.run(job)).object(kept);
}
