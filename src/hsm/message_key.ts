import { concat, u32be, utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKK_AES,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_GCM,
  CKM_SHA256_HMAC,
  CKM_SP800_108_COUNTER_KDF,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import type { AttributeValue, Job, ObjectOperand, Output } from '../token/job.js';
import type { Mechanism, OwnIvPlace } from '../token/mechanism.js';
import { template, type Template } from '../token/template.js';
import { leavesIvToToken, type DataSuite } from '../wire/ciphertext_blob.js';
import type { HsmCapabilities } from './capability.js';
import { assertAttributes, type KeyUse } from './key_shape.js';

/** How one data suite makes a message key. */
export interface MessageKeySteps {
  /** What a backing key of this suite is loaded for. */
  readonly uses: readonly KeyUse[];
  /** The mechanisms that a loaded backing key of this suite may run. */
  readonly allowedMechanisms: readonly number[];
  /** The derivation, or null where the backing key itself encrypts. */
  readonly derivation: ((nonce: Uint8Array) => Mechanism) | null;
}

const FIXED_INPUT_LABEL = utf8('keyferry-message-key-1');
const TWO_FIXED_BLOCKS = utf8('keyferry-msgkey1keyferry-msgkey2');

const sp800108: MessageKeySteps = {
  uses: ['derive'],
  allowedMechanisms: [CKM_SP800_108_COUNTER_KDF],
  derivation: (nonce) => ({
    type: CKM_SP800_108_COUNTER_KDF,
    parameter: { kind: 'sp800-108-counter', prf: CKM_SHA256_HMAC, fixedInput: messageKeyFixedInput(nonce) },
  }),
};

const cbcData: MessageKeySteps = {
  uses: ['derive'],
  allowedMechanisms: [CKM_AES_CBC_ENCRYPT_DATA],
  derivation: (nonce) => ({
    type: CKM_AES_CBC_ENCRYPT_DATA,
    parameter: { kind: 'aes-cbc-encrypt-data', iv: nonce, data: TWO_FIXED_BLOCKS },
  }),
};

/**
 * The data suites as data.
 *
 * @source NIST SP 800-108r1 section 4.1 (label, 0x00, context, L in bits); PKCS#11 v2.40 current mechanisms 2.14 (encrypt data)
 */
export const messageKeySteps: Readonly<Record<DataSuite, MessageKeySteps>> = {
  'SP800108-GCM': sp800108,
  'CBCDATA-GCM': cbcData,
  'SP800108-GCM-TOKENIV': sp800108,
  'CBCDATA-GCM-TOKENIV': cbcData,
  'DIRECT-GCM': { uses: ['encrypt', 'decrypt'], allowedMechanisms: [CKM_AES_GCM], derivation: null },
};

/** Fixed input of SP 800-108 for one nonce; L is 256 bits. */
export function messageKeyFixedInput(nonce: Uint8Array): Uint8Array {
  return concat(FIXED_INPUT_LABEL, Uint8Array.of(0), nonce, u32be(256));
}

/** The two blocks that `CBCDATA-GCM` encrypts with the nonce as IV. */
export function messageKeyBlocks(): Uint8Array {
  return Uint8Array.from(TWO_FIXED_BLOCKS);
}

function messageKeyTemplate(use: 'encrypt' | 'decrypt'): Template {
  return template(
    [CKA_CLASS, CKO_SECRET_KEY],
    [CKA_KEY_TYPE, CKK_AES],
    [CKA_VALUE_LEN, 32],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, false],
    [CKA_ENCRYPT, use === 'encrypt'],
    [CKA_DECRYPT, use === 'decrypt'],
    [CKA_SIGN, false],
    [CKA_VERIFY, false],
    [CKA_WRAP, false],
    [CKA_UNWRAP, false],
    [CKA_DERIVE, false],
  );
}

/** Templates of message keys: session objects of one use that live for one job. */
export const messageKeyTemplates = {
  encrypt: messageKeyTemplate('encrypt'),
  decrypt: messageKeyTemplate('decrypt'),
} as const;

/** Reads everything back that the template of a message key asks for. */
export function readMessageKey(job: Job, key: ObjectOperand): Output<'attributes'> {
  return job.getAttributes(key, [...messageKeyTemplates.encrypt.map(({ type }) => type), CKA_VALUE]);
}

/**
 * Compares what the token made for a message with what it was asked for.
 *
 * @throws {@link HsmError} `ERR_HSM_TYPE`
 */
export function assertMessageKey(attributes: ReadonlyMap<number, AttributeValue>, use: 'encrypt' | 'decrypt'): void {
  assertAttributes(attributes, messageKeyTemplates[use]);
}

/** Makes the key of one message from a loaded backing key; it is destroyed at the end of the job. */
export function messageKey(
  job: Job,
  suite: DataSuite,
  backingKey: ObjectOperand,
  nonce: Uint8Array,
  use: 'encrypt' | 'decrypt',
): ObjectOperand {
  const { derivation } = messageKeySteps[suite];
  return derivation === null ? backingKey : job.deriveKey(derivation(nonce), backingKey, messageKeyTemplates[use]);
}

/** How the token tells the IV that it makes for a message of a suite; null where the caller gives it one. */
export function ownIvPlaceOf(suite: DataSuite, { gcmIv }: Pick<HsmCapabilities, 'gcmIv'>): OwnIvPlace | null {
  return gcmIv !== 'caller' && leavesIvToToken(suite) ? gcmIv : null;
}

/**
 * AES-256-GCM with a 96-bit IV and a 128-bit tag, for encryption. An IV that the token makes comes before what is encrypted so.
 *
 * @param told - {@link ownIvPlaceOf} the message's suite
 * @param iv - of no use where the token makes it
 */
export function sealingGcm(told: OwnIvPlace | null, iv: Uint8Array, aad: Uint8Array): Mechanism {
  if (told === null) return gcm(iv, aad);
  return { type: CKM_AES_GCM, parameter: { kind: 'gcm-own-iv', told, aad, tagBits: 128 } };
}

/** AES-256-GCM with a 96-bit IV and a 128-bit tag. */
export function gcm(iv: Uint8Array, aad: Uint8Array): Mechanism {
  return { type: CKM_AES_GCM, parameter: { kind: 'gcm', iv, aad, tagBits: 128 } };
}
