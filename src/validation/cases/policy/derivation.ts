import { CKM_AES_CBC_ENCRYPT_DATA, CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_GCM } from '../../../token/cryptoki.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { policyCheck, wrappingKey } from './known_wrapping_key.js';

const CKM_CONCATENATE_BASE_AND_DATA = 0x362;
const CKM_CONCATENATE_DATA_AND_BASE = 0x363;
const CKM_XOR_BASE_AND_DATA = 0x364;
const CKM_EXTRACT_KEY_FROM_KEY = 0x365;
const CKM_SHA256_KEY_DERIVATION = 0x393;

/** A derivation, what it gives to whoever may read its result, and what it starts from. */
interface Related {
  readonly mechanism: Mechanism;
  readonly valueBytes: number;
  readonly base: 'generic' | 'aes';
  readonly gives: string;
}

function relatedDerivations(): readonly Related[] {
  const zeros = new Uint8Array(32);
  const iv = new Uint8Array(16);
  // CK_EXTRACT_PARAMS is a CK_ULONG: the bit at which the key starts.
  const fromFirstBit = new Uint8Array(8);
  const withData = (type: number): Mechanism => ({ type, parameter: { kind: 'string-data', octets: zeros } });
  const whole = 'octets of the base can be read';
  const derived = 'keys that are derived from the base can be read';
  return [
    { mechanism: withData(CKM_XOR_BASE_AND_DATA), valueBytes: 32, base: 'generic', gives: whole },
    { mechanism: withData(CKM_CONCATENATE_BASE_AND_DATA), valueBytes: 64, base: 'generic', gives: whole },
    { mechanism: withData(CKM_CONCATENATE_DATA_AND_BASE), valueBytes: 64, base: 'generic', gives: whole },
    {
      mechanism: { type: CKM_EXTRACT_KEY_FROM_KEY, parameter: { kind: 'octets', octets: fromFirstBit } },
      ...{ valueBytes: 16, base: 'generic', gives: whole },
    },
    {
      mechanism: { type: CKM_SHA256_KEY_DERIVATION, parameter: { kind: 'none' } },
      ...{ valueBytes: 32, base: 'generic', gives: derived },
    },
    { mechanism: withData(CKM_AES_ECB_ENCRYPT_DATA), valueBytes: 32, base: 'aes', gives: derived },
    {
      mechanism: {
        type: CKM_AES_CBC_ENCRYPT_DATA,
        parameter: { kind: 'aes-cbc-encrypt-data', iv, data: zeros },
      },
      ...{ valueBytes: 32, base: 'aes', gives: derived },
    },
  ];
}

/** Whether a derivation or a cipher lets something out that a key protects. */
export const derivationPolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-16',
    flows: ['replication', 'operations'],
    means: {
      replication:
        'the keys that are derived from an agreement can be had in clear by whoever has the PIN while it lasts',
      operations: 'the key of each message can be derived in clear from the KMS key by whoever has the PIN',
    },
    title: 'What is derived from a sensitive key cannot be read',
    source:
      'Clulow, CHES 2003, section 3.3; PKCS#11 v2.40 current mechanisms section 2.31: the result of a sensitive key is sensitive',
    attack:
      'whoever can log in derives a key that he may read from one that he may not: the key itself where the mechanism only joins, cuts or combines octets, and the keys that an application derives, such as the message keys of Keyferry, where it encrypts or hashes',
    remedy:
      'make the result of a sensitive base sensitive, or bind it by CKA_DERIVE_TEMPLATE, and turn off CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_* and ' +
      'CKM_EXTRACT_KEY_FROM_KEY by policy; until then no key with CKA_DERIVE is safe from others who hold the PIN, and Keyferry’s keys for messages have it',
    run: async (context) => {
      context.need('createSecretKey');
      const secret = context.random.octets(32);
      let tries = 0;
      for (const { mechanism, valueBytes, base: keyType, gives } of relatedDerivations()) {
        const derive = (job: Job, sensitive: boolean): ObjectRef => {
          const base = job.createObject(knownSecretTemplate({ keyType, usage: ['derive'] }, secret));
          const shape = {
            keyType: 'generic',
            usage: ['sign'],
            sensitive,
            extractable: !sensitive,
            valueBytes,
          } as const;
          return job.deriveKey(mechanism, base, secretTemplate(shape));
        };
        const name = mechanismName(mechanism.type);
        // NSS softoken does some mechanisms in a slot that does not list them: only doing it tells.
        const control = await context.attempt(
          'sensitive result',
          (job) => void derive(job, true),
          () => true,
        );
        if (!control.ok) {
          context.record('a sensitive result', answerOf(control), { call: control.call, mechanism: name });
          continue;
        }
        tries += 1;
        const tried = await context.attempt(
          'readable result',
          (job) => void job.readSecret(derive(job, false)),
          () => true,
        );
        // readSecret fails where the result stayed sensitive: then C_GetAttributeValue is what refused.
        context.expect(!tried.ok, {
          what: 'a result with CKA_SENSITIVE false from a base with CKA_SENSITIVE true',
          ...{ call: 'C_DeriveKey', mechanism: name, expected: 'refused, or a result that cannot be read' },
          seen: tried.ok ? `CKR_OK: ${gives}` : answerOf(tried),
        });
      }
      if (tries === 0) context.skip('the token has none of the derivations');
    },
  },
  {
    ...policyCheck,
    id: 'POL-24',
    severity: 'information',
    flows: ['operations'],
    means: {
      operations:
        'not by Keyferry, which has a key for each message or a random nonce, and a tag of 128 bits; others can break their own keys so',
    },
    title: 'AES-GCM is not done twice with one nonce, nor with a tag that can be guessed',
    source: 'NIST SP 800-38D sections 5.2.1.2 and 8; Joux, comments on SP 800-38D, 2006',
    attack:
      'an application that repeats a nonce, or whoever can log in and repeats it on purpose, gives away the authentication key: ciphertexts can be forged from then on, and the XOR of the plaintexts is known',
    remedy:
      'let the token make the nonces (CKF_GENERATE, C_MessageEncrypt, or the vendor’s mechanism) and refuse those of callers by policy. ' +
      'Keyferry derives a key for each message where the token can, so that no nonce comes twice, and always asks for a tag of 128 bits',
    run: async (context) => {
      context.need('createSecretKey', 'aesGcm');
      const name = mechanismName(CKM_AES_GCM);
      const gcm = (tagBits: number): Mechanism => ({
        type: CKM_AES_GCM,
        parameter: { kind: 'gcm', iv: new Uint8Array(12), aad: new Uint8Array(0), tagBits },
      });
      const block = knownKey.subarray(0, 16);
      const encryptKey = (job: Job): ObjectRef => wrappingKey(job, { usage: ['encrypt'] });
      await expectRefused(context, 'a second message with the same key and nonce', name, (job) => {
        const key = encryptKey(job);
        job.encrypt(gcm(128), key, block);
        job.encrypt(gcm(128), key, Uint8Array.from(block).reverse());
      });
      for (const tagBits of [0, 8, 32]) {
        await expectRefused(context, `a tag of ${tagBits} bits`, name, (job) => {
          job.encrypt(gcm(tagBits), encryptKey(job), block);
        });
      }
    },
  },
];

async function expectRefused(
  context: CheckContext,
  what: string,
  mechanism: string,
  build: (job: Job) => void,
): Promise<void> {
  const tried = await context.attempt(what, build, () => true);
  const seen = tried.ok ? 'CKR_OK: encrypted' : answerOf(tried);
  context.expect(!tried.ok, { what, call: 'C_EncryptInit', mechanism, expected: 'refused', seen });
}
