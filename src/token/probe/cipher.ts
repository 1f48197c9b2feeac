import { createCipheriv } from 'node:crypto';
import { concat, utf8 } from '../../bytes.js';
import { CKM_AES_CBC, CKM_AES_CMAC, CKM_AES_ECB, CKM_AES_GCM, CKM_SHA256_HMAC, CKM_SHA384_HMAC } from '../cryptoki.js';
import { OWN_IV_OCTETS, type Mechanism, type OwnIvPlace } from '../mechanism.js';
import type { FactName } from '../profile.js';
import { aesCbc, aesEcb, hmac, knownBlock, knownCmac, knownKey, knownOctets48 } from './known_key.js';
import { answerIn, isKnownAnswer, plain, withIv, type ProbeContext } from './probe_context.js';

const iv16 = knownOctets48.subarray(16, 32);
const iv12 = knownOctets48.subarray(0, 12);
const aad = utf8('keyferry probe: additional data');
const TAG_BITS = 128;

/** AES-256-GCM with its 16-octet tag behind the ciphertext. */
function gcm(key: Uint8Array, iv: Uint8Array, additional: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(additional);
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** Probes randomness, ciphers and MACs. */
export async function probeCiphers(context: ProbeContext): Promise<void> {
  await context.fact('random', null, async () => {
    const { result, outputs } = await context.run('random', (job) => [job.random(32), job.random(32)] as const);
    const [first, second] = outputs.map((output) => result.bytes(output));
    return first !== undefined && second !== undefined && !isKnownAnswer(first, second) && new Set(first).size > 8;
  });
  const encryptions: readonly (readonly [FactName, Mechanism, Uint8Array])[] = [
    ['aesEcb', plain(CKM_AES_ECB), aesEcb(knownKey, knownOctets48)],
    ['aesCbc', withIv(CKM_AES_CBC, iv16), aesCbc(knownKey, iv16, knownOctets48)],
  ];
  for (const [name, mechanism, expected] of encryptions) {
    await context.factWithKnownKey(name, mechanism.type, () => encrypts(context, name, mechanism, expected));
  }
  await context.factWithKnownKey('aesGcm', CKM_AES_GCM, () => sealsAndOpens(context));
  await context.factWithKnownKey('aesGcmAnyIv', CKM_AES_GCM, () => sealsWithAnyIv(context));
  const macs: readonly (readonly [FactName, number, 'aes' | 'generic', Uint8Array, Uint8Array])[] = [
    ['aesCmac', CKM_AES_CMAC, 'aes', knownKey, knownCmac],
    ['hmacSha256', CKM_SHA256_HMAC, 'generic', knownOctets48, hmac('sha256', knownOctets48, knownBlock)],
    ['hmacSha384', CKM_SHA384_HMAC, 'generic', knownOctets48, hmac('sha384', knownOctets48, knownBlock)],
  ];
  for (const [name, type, keyType, key, expected] of macs) {
    await context.factWithKnownKey(name, type, async () => {
      const { result, outputs } = await context.run(name, (job) =>
        job.sign(plain(type), context.knownKey(job, key, { keyType, usage: ['sign'] }), knownBlock),
      );
      return isKnownAnswer(result.bytes(outputs), expected);
    });
  }
}

async function encrypts(
  context: ProbeContext,
  name: string,
  mechanism: Mechanism,
  expected: Uint8Array,
): Promise<boolean> {
  const { result, outputs } = await context.run(name, (job) => {
    const key = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['encrypt', 'decrypt'] });
    return [job.encrypt(mechanism, key, knownOctets48), job.decrypt(mechanism, key, expected)] as const;
  });
  const [ciphertext, plaintext] = outputs;
  return isKnownAnswer(result.bytes(ciphertext), expected) && isKnownAnswer(result.bytes(plaintext), knownOctets48);
}

async function sealsAndOpens(context: ProbeContext): Promise<boolean | string> {
  const expected = gcm(knownKey, iv12, aad, knownOctets48);
  const tampered = Buffer.from(expected);
  tampered[0] = (tampered[0] ?? 0) ^ 1;
  const mechanism: Mechanism = { type: CKM_AES_GCM, parameter: { kind: 'gcm', iv: iv12, aad, tagBits: TAG_BITS } };
  const { result, outputs } = await context.run('aesGcm', (job) => {
    const key = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['encrypt', 'decrypt'] });
    const sealed = job.encrypt(mechanism, key, knownOctets48);
    const opened = job.decrypt(mechanism, key, expected);
    const refused = job.attempt();
    job.decrypt(mechanism, key, tampered);
    return { sealed, opened, refused };
  });
  if (result.rv(outputs.refused) === 0) return 'a damaged ciphertext was decrypted';
  return (
    isKnownAnswer(result.bytes(outputs.sealed), expected) && isKnownAnswer(result.bytes(outputs.opened), knownOctets48)
  );
}

/** Finds whose IV the token encrypts with, where it opens what software has sealed; leaves it in the rules. */
async function sealsWithAnyIv(context: ProbeContext): Promise<boolean | string> {
  if (context.works('aesGcm')) {
    context.rules.gcmIv = 'caller';
    return true;
  }
  const opened = await opens(context);
  if (opened !== true) return opened;
  const refusals: string[] = [];
  for (const told of ['written-back', 'prepended'] as const) {
    const sealed = await sealsWithOwnIv(context, told).catch(answerIn);
    if (sealed === true) {
      context.rules.gcmIv = told;
      return true;
    }
    refusals.push(`with an IV of its own, ${told}: ${sealed}`);
  }
  return refusals.join('; ');
}

async function opens(context: ProbeContext): Promise<boolean | string> {
  const sealed = gcm(knownKey, iv12, aad, knownOctets48);
  const tampered = Buffer.from(sealed);
  tampered[0] = (tampered[0] ?? 0) ^ 1;
  const otherIv = Buffer.from(iv12);
  otherIv[0] = (otherIv[0] ?? 0) ^ 1;
  const under = (iv: Uint8Array): Mechanism => ({
    type: CKM_AES_GCM,
    parameter: { kind: 'gcm', iv, aad, tagBits: TAG_BITS },
  });
  const { result, outputs } = await context.run('aesGcmAnyIv', (job) => {
    const key = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['decrypt'] });
    const opened = job.decrypt(under(iv12), key, sealed);
    const refusedCiphertext = job.attempt();
    job.decrypt(under(iv12), key, tampered);
    const refusedIv = job.attempt();
    job.decrypt(under(otherIv), key, sealed);
    return { opened, refusedCiphertext, refusedIv };
  });
  if (result.rv(outputs.refusedCiphertext) === 0) return 'a damaged ciphertext was decrypted';
  if (result.rv(outputs.refusedIv) === 0) return 'a ciphertext was decrypted under another IV';
  return isKnownAnswer(result.bytes(outputs.opened), knownOctets48);
}

/** Encrypts the same twice; software must open both with what the token tells, and they must be two IVs. */
async function sealsWithOwnIv(context: ProbeContext, told: OwnIvPlace): Promise<true | string> {
  const mechanism: Mechanism = {
    type: CKM_AES_GCM,
    parameter: { kind: 'gcm-own-iv', told, aad, tagBits: TAG_BITS },
  };
  const { result, outputs } = await context.run('aesGcmAnyIv', (job) => {
    const key = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['encrypt'] });
    return [job.encrypt(mechanism, key, knownOctets48), job.encrypt(mechanism, key, knownOctets48)] as const;
  });
  const [one, other] = [result.bytes(outputs[0]), result.bytes(outputs[1])];
  for (const sealed of [one, other]) {
    const iv = sealed.subarray(0, OWN_IV_OCTETS);
    const expected = gcm(knownKey, iv, aad, knownOctets48);
    if (!isKnownAnswer(sealed.subarray(OWN_IV_OCTETS), expected)) return 'software does not open what it makes';
    if (iv.every((octet) => octet === 0)) return 'an IV of zeros';
  }
  return isKnownAnswer(one, other) ? 'the same IV twice' : true;
}
