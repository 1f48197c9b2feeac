import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKD_NULL,
  CKK_AES,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_GCM,
  CKM_AES_KEY_GEN,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_EC_KEY_PAIR_GEN,
  CKO_SECRET_KEY,
} from '../src/token/cryptoki.js';
import type { Executor } from '../src/token/executor.js';
import { Job } from '../src/token/job.js';
import type { Mechanism } from '../src/token/mechanism.js';
import type { ObjectHandle } from '../src/token/object.js';
import { template, type Template } from '../src/token/template.js';
import { P384_PARAMETERS, pointFrom } from '../src/hsm/p384_point.js';
import { randomBytes } from 'node:crypto';

/** Names of the jobs; the C loop has the same. */
export const PLAIN_JOBS = [
  'message-encrypt',
  'message-decrypt',
  'ecdsa-sign',
  'ec-keygen',
  'ecdh-derive',
  'kwp-wrap',
  'kwp-unwrap',
] as const;
export type PlainJobName = (typeof PLAIN_JOBS)[number];

/** Runs one job through the executor. */
export type PlainJob = () => Promise<unknown>;

const NOTHING = { kind: 'none' } as const;
const nonce = randomBytes(16);
const label = randomBytes(32);
const iv = randomBytes(12);
const plaintext = randomBytes(32);
const digest = randomBytes(48);
const gcm: Mechanism = { type: CKM_AES_GCM, parameter: { kind: 'gcm', iv, aad: new Uint8Array(), tagBits: 128 } };
const cbcEncryptData: Mechanism = {
  type: CKM_AES_CBC_ENCRYPT_DATA,
  parameter: { kind: 'aes-cbc-encrypt-data', iv: nonce, data: label },
};

const sessionSecret = [
  [CKA_TOKEN, false],
  [CKA_SENSITIVE, true],
  [CKA_EXTRACTABLE, false],
] as const;
const derivedAes = [
  [CKA_CLASS, CKO_SECRET_KEY],
  [CKA_KEY_TYPE, CKK_AES],
  [CKA_VALUE_LEN, 32],
  ...sessionSecret,
] as const;

function messageKeyTemplate(use: 'encrypt' | 'decrypt'): Template {
  return template(...derivedAes, [CKA_ENCRYPT, use === 'encrypt'], [CKA_DECRYPT, use === 'decrypt']);
}

const encryptingKey = messageKeyTemplate('encrypt');
const decryptingKey = messageKeyTemplate('decrypt');
const derivingKey = template(...derivedAes, [CKA_DERIVE, true]);
const unwrappedKey = template([CKA_CLASS, CKO_SECRET_KEY], [CKA_KEY_TYPE, CKK_AES], ...sessionSecret, [
  CKA_DERIVE,
  true,
]);

function pairTemplates(use: 'sign' | 'derive'): readonly [Template, Template] {
  return [
    template([CKA_EC_PARAMS, P384_PARAMETERS], [CKA_TOKEN, false], [CKA_VERIFY, use === 'sign']),
    template(
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_SENSITIVE, true],
      [CKA_EXTRACTABLE, false],
      [CKA_SIGN, use === 'sign'],
      [CKA_DERIVE, use === 'derive'],
    ),
  ];
}

async function makeKey(executor: Executor, use: number, extractable: boolean): Promise<ObjectHandle> {
  const job = new Job('make key', 'bench');
  const key = job.generateKey(
    { type: CKM_AES_KEY_GEN, parameter: NOTHING },
    template(
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_SENSITIVE, true],
      [CKA_EXTRACTABLE, extractable],
      [use, true],
      [CKA_VALUE_LEN, 32],
      [CKA_UNWRAP, use === CKA_WRAP],
    ),
  );
  const kept = job.keep(key);
  return (await executor.run(job)).object(kept);
}

async function makePair(
  executor: Executor,
  use: 'sign' | 'derive',
): Promise<{ readonly point: Uint8Array; readonly privateKey: ObjectHandle }> {
  const job = new Job('make pair', 'bench');
  const pair = job.generateKeyPair({ type: CKM_EC_KEY_PAIR_GEN, parameter: NOTHING }, ...pairTemplates(use));
  const point = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
  const kept = job.keep(pair.privateKey);
  const result = await executor.run(job);
  return { point: pointFrom(result.attributes(point).get(CKA_EC_POINT)), privateKey: result.object(kept) };
}

function sealJob(key: ObjectHandle): { readonly job: Job; readonly sealed: ReturnType<Job['encrypt']> } {
  const job = new Job('message-encrypt', 'bench');
  const sealed = job.encrypt(gcm, job.deriveKey(cbcEncryptData, key, encryptingKey), plaintext);
  return { job, sealed };
}

/**
 * Makes the keys of one job and gives what runs it: call for call what the C loop does, with the same templates and parameters.
 *
 * @param keyWrapPad - the number under which this token does RFC 5649
 */
export async function preparePlainJob(
  name: PlainJobName,
  executor: Executor,
  { keyWrapPad }: { readonly keyWrapPad: number },
): Promise<PlainJob> {
  const wrap: Mechanism = { type: keyWrapPad, parameter: NOTHING };
  switch (name) {
    case 'message-encrypt': {
      const key = await makeKey(executor, CKA_DERIVE, false);
      return async () => {
        const { job, sealed } = sealJob(key);
        return (await executor.run(job)).bytes(sealed);
      };
    }
    case 'message-decrypt': {
      const key = await makeKey(executor, CKA_DERIVE, false);
      const { job: sealing, sealed } = sealJob(key);
      const blob = (await executor.run(sealing)).bytes(sealed);
      return async () => {
        const job = new Job(name, 'bench');
        const opened = job.decrypt(gcm, job.deriveKey(cbcEncryptData, key, decryptingKey), blob);
        return (await executor.run(job)).bytes(opened);
      };
    }
    case 'ecdsa-sign': {
      const { privateKey } = await makePair(executor, 'sign');
      return async () => {
        const job = new Job(name, 'bench');
        const signature = job.sign({ type: CKM_ECDSA, parameter: NOTHING }, privateKey, digest);
        return (await executor.run(job)).bytes(signature);
      };
    }
    case 'ec-keygen': {
      const templates = pairTemplates('derive');
      return async () => {
        const job = new Job(name, 'bench');
        job.generateKeyPair({ type: CKM_EC_KEY_PAIR_GEN, parameter: NOTHING }, ...templates);
        return executor.run(job);
      };
    }
    case 'ecdh-derive': {
      const { point, privateKey } = await makePair(executor, 'derive');
      const parameter = { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData: point } as const;
      return async () => {
        const job = new Job(name, 'bench');
        job.deriveKey({ type: CKM_ECDH1_DERIVE, parameter }, privateKey, derivingKey);
        return executor.run(job);
      };
    }
    case 'kwp-wrap':
    case 'kwp-unwrap': {
      const wrapping = await makeKey(executor, CKA_WRAP, false);
      const wrapped = await makeKey(executor, CKA_ENCRYPT, true);
      const wrapOnce = async (): Promise<Uint8Array> => {
        const job = new Job(name, 'bench');
        const octets = job.wrapKey(wrap, wrapping, wrapped);
        return (await executor.run(job)).bytes(octets);
      };
      if (name === 'kwp-wrap') return wrapOnce;
      const blob = await wrapOnce();
      return async () => {
        const job = new Job(name, 'bench');
        job.unwrapKey(wrap, wrapping, blob, unwrappedKey);
        return executor.run(job);
      };
    }
  }
}
