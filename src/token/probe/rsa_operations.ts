import { constants, createHash, publicEncrypt, verify, type KeyObject } from 'node:crypto';
import { concat, utf8 } from '../../bytes.js';
import { digestInfo } from '../../wire/digest_info.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA256,
  CKG_MGF1_SHA384,
  CKG_MGF1_SHA512,
  CKK_RSA,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_PKCS_PSS,
  CKM_SHA256,
  CKM_SHA384,
  CKM_SHA512,
  CKM_SHA_1,
  CKO_PRIVATE_KEY,
} from '../cryptoki.js';
import type { Job, ObjectOperand } from '../job.js';
import type { Mechanism } from '../mechanism.js';
import type { FactName } from '../profile.js';
import { publicKeyTemplate } from '../public_key.js';
import { template, type Template } from '../template.js';
import { knownBlock, knownKey } from './known_key.js';
import { isKnownAnswer, plain, probeLabel, type ProbeContext } from './probe_context.js';
import { generateRsaPair, type ProbeRsaPair } from './rsa.js';

const names: readonly FactName[] = ['rsaPkcs1Signature', 'rsaPssSignature', 'rsaOaepSha1', 'rsaOaepSha256'];

const hashes = [
  { name: 'sha256', hash: CKM_SHA256, mgf: CKG_MGF1_SHA256, octets: 32 },
  { name: 'sha384', hash: CKM_SHA384, mgf: CKG_MGF1_SHA384, octets: 48 },
  { name: 'sha512', hash: CKM_SHA512, mgf: CKG_MGF1_SHA512, octets: 64 },
] as const;

/**
 * Probes RSA signatures and RSAES-OAEP with private keys that were unwrapped, or that were made where the token wraps none, and with public
 * keys that come from outside.
 */
export async function probeRsaOperations(context: ProbeContext, pair: ProbeRsaPair | undefined): Promise<void> {
  const wrapping = context.rules.aesKeyWrapPadMechanism;
  if (pair === undefined || wrapping === null) {
    for (const name of names) context.lacks(name, null, 'rsaPrivateUnwrap');
    return;
  }
  const keyFor = await usableKeys(context, pair, wrapping);
  await context.fact('rsaPkcs1Signature', CKM_RSA_PKCS, async () => {
    const steps = hashes.map(({ name }) => {
      const digest = createHash(name).update(knownBlock).digest();
      return { hash: name, mechanism: plain(CKM_RSA_PKCS), data: digestInfo(name, digest), options: {} };
    });
    return signs(context, await keyFor('sign'), steps);
  });
  await context.fact('rsaPssSignature', CKM_RSA_PKCS_PSS, async () => {
    const steps = hashes.map(({ name, hash, mgf, octets }) => ({
      hash: name,
      mechanism: { type: CKM_RSA_PKCS_PSS, parameter: { kind: 'pss', hash, mgf, saltBytes: octets } } as const,
      data: createHash(name).update(knownBlock).digest(),
      options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: octets },
    }));
    return signs(context, await keyFor('sign'), steps);
  });
  await context.fact('rsaOaepSha1', CKM_RSA_PKCS_OAEP, async () =>
    deciphers(context, await keyFor('decrypt'), 'sha1', {
      kind: 'oaep',
      hash: CKM_SHA_1,
      mgf: CKG_MGF1_SHA1,
      label: null,
    }),
  );
  await context.fact('rsaOaepSha256', CKM_RSA_PKCS_OAEP, async () =>
    deciphers(context, await keyFor('decrypt'), 'sha256', {
      kind: 'oaep',
      hash: CKM_SHA256,
      mgf: CKG_MGF1_SHA256,
      label: null,
    }),
  );
}

type RsaUse = 'sign' | 'decrypt';

/** A private key for one use, as a job gets it, and its public half. */
interface UsableRsaKey {
  readonly publicKey: KeyObject;
  readonly addTo: (job: Job) => ObjectOperand;
}

/** Where the probe's keys come from: unwrapped for each job, or made once for each use. */
async function usableKeys(
  context: ProbeContext,
  pair: ProbeRsaPair,
  wrapping: number,
): Promise<(use: RsaUse) => Promise<UsableRsaKey>> {
  if (!context.works('rsaPrivateUnwrap')) {
    const made: Partial<Record<RsaUse, UsableRsaKey>> = {};
    return async (use) => {
      const known = made[use];
      if (known !== undefined) return known;
      const { publicKey, privateKey } = await generateRsaPair(context, use);
      return (made[use] = { publicKey, addTo: () => privateKey });
    };
  }
  const { result, outputs } = await context.run('wrap', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });
    return job.wrapKey(plain(wrapping), kek, pair.privateKey);
  });
  const wrapped = result.bytes(outputs);
  return async (use) => ({
    publicKey: pair.publicKey,
    addTo: (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
      return job.unwrapKey(plain(wrapping), kek, wrapped, privateTemplate(use));
    },
  });
}

function privateTemplate(use: 'sign' | 'decrypt'): Template {
  return template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, CKK_RSA],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, false],
    [CKA_SIGN, use === 'sign'],
    [CKA_DECRYPT, use === 'decrypt'],
  );
}

async function signs(
  context: ProbeContext,
  key: UsableRsaKey,
  steps: readonly {
    readonly hash: string;
    readonly mechanism: Mechanism;
    readonly data: Uint8Array;
    readonly options: { readonly padding?: number; readonly saltLength?: number };
  }[],
): Promise<boolean | string> {
  const signed = await context.run('sign', (job) => {
    const privateKey = key.addTo(job);
    return steps.map(({ mechanism, data }) => job.sign(mechanism, privateKey, data));
  });
  const signatures = signed.outputs.map((output) => signed.result.bytes(output));
  const areGood = steps.every(({ hash, options }, at) =>
    verify(hash, knownBlock, { key: key.publicKey, ...options }, signatures[at] ?? new Uint8Array()),
  );
  if (!areGood) return 'a signature that does not verify';
  const verified = await context.run('verify', (job) => {
    const publicKey = job.createObject([
      ...publicKeyTemplate(key.publicKey, 'verify'),
      { type: CKA_LABEL, value: utf8(probeLabel) },
    ]);
    return steps.map(({ mechanism, data }, at) => {
      const signature = signatures[at] ?? new Uint8Array();
      job.verify(mechanism, publicKey, data, signature);
      const other = Uint8Array.from(data);
      other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
      const refused = job.attempt();
      job.verify(mechanism, publicKey, other, signature);
      return refused;
    });
  });
  const takesOther = verified.outputs.some((refused) => verified.result.rv(refused) === 0);
  return takesOther ? 'C_Verify takes the signature of other data' : true;
}

async function deciphers(
  context: ProbeContext,
  key: UsableRsaKey,
  oaepHash: string,
  parameter: Mechanism['parameter'],
): Promise<boolean | string> {
  const mechanism: Mechanism = { type: CKM_RSA_PKCS_OAEP, parameter };
  const encrypted = await context.run('encrypt', (job) => {
    const publicKey = job.createObject([
      ...publicKeyTemplate(key.publicKey, 'encrypt'),
      { type: CKA_LABEL, value: utf8(probeLabel) },
    ]);
    return job.encrypt(mechanism, publicKey, knownBlock);
  });
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const foreign = publicEncrypt({ key: key.publicKey, padding, oaepHash }, knownBlock);
  const decrypted = await context.run('decrypt', (job) => {
    const privateKey = key.addTo(job);
    return [foreign, encrypted.result.bytes(encrypted.outputs)].map((octets) =>
      job.decrypt(mechanism, privateKey, octets),
    );
  });
  const plaintexts = concat(...decrypted.outputs.map((output) => decrypted.result.bytes(output)));
  return isKnownAnswer(plaintexts, concat(knownBlock, knownBlock));
}
