import { utf8 } from '../../bytes.js';
import {
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_ECB,
  CKM_SHA256_HMAC,
  CKM_SHA384_HMAC,
  CKM_SP800_108_COUNTER_KDF,
} from '../cryptoki.js';
import type { Job, ObjectRef, Output } from '../job.js';
import type { Mechanism } from '../mechanism.js';
import type { FactName } from '../profile.js';
import type { Template } from '../template.js';
import { aesCbc, aesEcb, hmac, knownBlock, knownKey, knownOctets48, sp800108HmacSha256 } from './known_key.js';
import { isKnownAnswer, plain, secretKeyTemplate, type ProbeContext } from './probe_context.js';

const AES_256_BYTES = 32;

/** Template of a derived key: AES-256 that encrypts, or a longer secret that makes MACs. */
export function derivedTemplate(octets: number): Template {
  return octets === AES_256_BYTES
    ? secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: octets })
    : secretKeyTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: octets });
}

/** Uses a key of {@link derivedTemplate}: what comes out shows which key it is, and no one reads its value. */
export function useDerived(job: Job, key: ObjectRef, octets: number): Output<'bytes'> {
  return octets === AES_256_BYTES
    ? job.encrypt(plain(CKM_AES_ECB), key, knownBlock)
    : job.sign(plain(CKM_SHA384_HMAC), key, knownBlock);
}

/** Whether what {@link useDerived} gave comes from this key. */
export function isDerived(used: Uint8Array, expectedKey: Uint8Array): boolean {
  const expected =
    expectedKey.length === AES_256_BYTES ? aesEcb(expectedKey, knownBlock) : hmac('sha384', expectedKey, knownBlock);
  return isKnownAnswer(used, expected);
}

const iv16 = knownOctets48.subarray(16, 32);

/** `CKM_AES_CBC_ENCRYPT_DATA` over some data with the probe's IV. */
export function cbcEncryptData(data: Uint8Array): Mechanism {
  return { type: CKM_AES_CBC_ENCRYPT_DATA, parameter: { kind: 'aes-cbc-encrypt-data', iv: iv16, data } };
}

/** What {@link cbcEncryptData} derives from a key. */
export function cbcEncryptDataResult(key: Uint8Array, data: Uint8Array): Uint8Array {
  return aesCbc(key, iv16, data);
}

/** Probes the derivation of keys from symmetric keys. */
export async function probeDerivations(context: ProbeContext): Promise<void> {
  const fixedInput = utf8('keyferry probe: fixed input');
  const counter: Mechanism = {
    type: CKM_SP800_108_COUNTER_KDF,
    parameter: { kind: 'sp800-108-counter', prf: CKM_SHA256_HMAC, fixedInput },
  };
  const data32 = knownOctets48.subarray(0, 32);
  const derivations: readonly {
    readonly name: FactName;
    readonly mechanism: Mechanism;
    readonly base: 'aes' | 'generic';
    readonly derived: Uint8Array;
  }[] = [
    {
      name: 'aesCbcEncryptDataAes256',
      mechanism: cbcEncryptData(data32),
      base: 'aes',
      derived: cbcEncryptDataResult(knownKey, data32),
    },
    {
      name: 'aesCbcEncryptDataGeneric48',
      mechanism: cbcEncryptData(knownOctets48),
      base: 'aes',
      derived: cbcEncryptDataResult(knownKey, knownOctets48),
    },
    {
      name: 'sp800108HmacSha256OnAes',
      mechanism: counter,
      base: 'aes',
      derived: sp800108HmacSha256(knownKey, fixedInput),
    },
    {
      name: 'sp800108HmacSha256OnGeneric',
      mechanism: counter,
      base: 'generic',
      derived: sp800108HmacSha256(knownKey, fixedInput),
    },
  ];
  for (const { name, mechanism, base, derived } of derivations) {
    await context.factWithKnownKey(name, mechanism.type, async () => {
      const { result, outputs } = await context.run(name, (job) => {
        const from = context.knownKey(job, knownKey, { keyType: base, usage: ['derive'] });
        return useDerived(job, job.deriveKey(mechanism, from, derivedTemplate(derived.length)), derived.length);
      });
      return isDerived(result.bytes(outputs), derived);
    });
  }
}
