import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { concat, equalOctets } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_WRAP,
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA256,
  CKK_AES,
  CKK_GENERIC_SECRET,
  CKM_AES_KEY_GEN,
  CKM_AES_KEY_WRAP_KWP,
  CKM_AES_KEY_WRAP_PAD,
  CKM_RSA_AES_KEY_WRAP,
  CKM_RSA_PKCS_OAEP,
  CKM_SHA256,
  CKM_SHA_1,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import type { Executor } from '../token/executor.js';
import { Job, type ObjectOperand, type ObjectRef } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { ObjectHandle } from '../token/object.js';
import { aesKeyWrapPad, knownKey, knownOctets33 } from '../token/probe/known_key.js';
import { publicKeyTemplate } from '../token/public_key.js';
import type { Slot } from '../token/slot.js';
import { template, type Template } from '../token/template.js';
import type { Wrapping } from './rules.js';

const AES_KEY_OCTETS = 32;
const PROBE_MODULUS_BITS = 2048;

/** How a token wraps, found by doing each once with keys that are nobody's. */
export interface TokenWrapping {
  /** Hashes that its RSAES-OAEP wraps with. */
  readonly oaep: readonly Wrapping['hash'][];
  /** Its AES key wrap with padding; `fillsUp` where it wraps keys filled up with zero octets to a multiple of 8. */
  readonly keyWrap: { readonly mechanism: number; readonly fillsUp: boolean } | null;
  /** Whether it lists `CKM_RSA_AES_KEY_WRAP`: both steps in one call. */
  readonly rsaAesKeyWrap: boolean;
}

const OAEP = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
} as const;

/** AES-256 key of one wrapping: it exists in the session only, and leaves the token wrapped. */
const EPHEMERAL_AES_KEY = template(
  [CKA_CLASS, CKO_SECRET_KEY],
  [CKA_KEY_TYPE, CKK_AES],
  [CKA_TOKEN, false],
  [CKA_PRIVATE, true],
  [CKA_SENSITIVE, true],
  [CKA_EXTRACTABLE, true],
  [CKA_WRAP, true],
  [CKA_VALUE_LEN, AES_KEY_OCTETS],
);

/** Finds out how a token wraps. Leaves nothing in it. */
export async function probeTokenWrapping(executor: Executor, slot: Slot): Promise<TokenWrapping> {
  const listed = new Set(slot.mechanisms().map(({ type }) => type));
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: PROBE_MODULUS_BITS });
  const oaep: Wrapping['hash'][] = [];
  for (const hash of ['sha256', 'sha1'] as const) {
    const works = await succeeds(executor, 'probe RSAES-OAEP', (job) => {
      const target = job.generateKey(plain(CKM_AES_KEY_GEN), EPHEMERAL_AES_KEY);
      job.wrapKey(oaepMechanism(hash), publicKeyIn(job, publicKey), target);
    });
    if (works) oaep.push(hash);
  }
  return { oaep, keyWrap: await probeKeyWrap(executor, listed), rsaAesKeyWrap: listed.has(CKM_RSA_AES_KEY_WRAP) };
}

/** What a wrapping of a token's key gave. */
export interface TokenWrapped {
  readonly octets: Uint8Array;
  readonly strategy: string;
}

/**
 * Wraps a token's key under a public key, by the algorithm of an import. The key stays in the token: what comes out is wrapped.
 *
 * @param publicKey - DER SubjectPublicKeyInfo of an RSA key, checked by the caller; in the token it is a session object of this job
 * @throws {@link TokenError}
 * @source PKCS#11 v2.40 sections 2.1.8 and 2.1.21 (CKM_RSA_AES_KEY_WRAP); RFC 5649
 */
export async function wrapTokenKey(
  executor: Executor,
  key: ObjectHandle,
  under: { readonly publicKey: Uint8Array; readonly wrapping: Wrapping; readonly token: TokenWrapping },
): Promise<TokenWrapped> {
  const { wrapping, token } = under;
  const publicKey = createPublicKey({ key: Buffer.from(under.publicKey), format: 'der', type: 'spki' });
  if (!wrapping.withAesKey) {
    const octets = await wrapOnce(executor, key, publicKey, oaepMechanism(wrapping.hash));
    return { octets, strategy: 'in the token by CKM_RSA_PKCS_OAEP' };
  }
  if (token.rsaAesKeyWrap) {
    const mechanism: Mechanism = {
      type: CKM_RSA_AES_KEY_WRAP,
      parameter: { kind: 'rsa-aes-key-wrap', aesKeyBits: AES_KEY_OCTETS * 8, ...OAEP[wrapping.hash] },
    };
    const octets = await wrapOnce(executor, key, publicKey, mechanism);
    return { octets, strategy: 'in the token by CKM_RSA_AES_KEY_WRAP' };
  }
  if (token.keyWrap === null) throw new TypeError('a token without AES key wrap was asked for it');
  return wrapTwice(executor, key, { publicKey, hash: wrapping.hash, keyWrap: token.keyWrap.mechanism });
}

async function wrapOnce(
  executor: Executor,
  key: ObjectHandle,
  publicKey: KeyObject,
  mechanism: Mechanism,
): Promise<Uint8Array> {
  const job = new Job('wrap for import', 'one call');
  const wrapped = job.wrapKey(mechanism, publicKeyIn(job, publicKey), key);
  return (await executor.run(job)).bytes(wrapped);
}

/** The key under an AES key of this job, and that one under the public key. */
async function wrapTwice(
  executor: Executor,
  key: ObjectHandle,
  under: { readonly publicKey: KeyObject; readonly hash: Wrapping['hash']; readonly keyWrap: number },
): Promise<TokenWrapped> {
  const job = new Job('wrap for import', 'two steps');
  const aesKey = job.generateKey(plain(CKM_AES_KEY_GEN), EPHEMERAL_AES_KEY);
  const behind = job.wrapKey(plain(under.keyWrap), aesKey, key);
  const front = job.wrapKey(oaepMechanism(under.hash), publicKeyIn(job, under.publicKey), aesKey);
  const result = await executor.run(job);
  return {
    octets: concat(result.bytes(front), result.bytes(behind)),
    strategy: 'in the token in two steps, under an AES-256 key of its own and that one by CKM_RSA_PKCS_OAEP',
  };
}

/** Which number is RFC 5649 here, the known answer tells: on NSS and openCryptoki `CKM_AES_KEY_WRAP_PAD` is something else. */
async function probeKeyWrap(executor: Executor, listed: ReadonlySet<number>): Promise<TokenWrapping['keyWrap']> {
  const filledUp = concat(knownOctets33, new Uint8Array(7));
  for (const mechanism of [CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD]) {
    if (!listed.has(mechanism)) continue;
    const job = new Job('probe AES key wrap', 'known answer');
    const aesKey = knownSecret(job, knownKey, CKK_AES, template([CKA_WRAP, true]));
    const target = knownSecret(
      job,
      knownOctets33,
      CKK_GENERIC_SECRET,
      template([CKA_SIGN, true], [CKA_EXTRACTABLE, true]),
    );
    const wrapped = job.wrapKey(plain(mechanism), aesKey, target);
    const octets = await executor.run(job).then((result) => result.bytes(wrapped), unlessSessionLost);
    if (octets === null) continue;
    if (equalOctets(octets, aesKeyWrapPad(knownKey, knownOctets33))) return { mechanism, fillsUp: false };
    if (equalOctets(octets, aesKeyWrapPad(knownKey, filledUp))) return { mechanism, fillsUp: true };
  }
  return null;
}

function knownSecret(job: Job, value: Uint8Array, keyType: number, uses: Template): ObjectRef {
  return job.createObject([
    ...template(
      [CKA_CLASS, CKO_SECRET_KEY],
      [CKA_KEY_TYPE, keyType],
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_VALUE, value],
    ),
    ...uses,
  ]);
}

function publicKeyIn(job: Job, publicKey: KeyObject): ObjectOperand {
  return job.createObject([...publicKeyTemplate(publicKey, 'encrypt'), ...template([CKA_WRAP, true])]);
}

async function succeeds(executor: Executor, name: string, steps: (job: Job) => void): Promise<boolean> {
  const job = new Job(name, 'throw-away keys');
  steps(job);
  return (await executor.run(job).then(() => true, unlessSessionLost)) ?? false;
}

/** A token that answers that it cannot is no failure; one that is gone is. */
function unlessSessionLost(error: unknown): null {
  if (error instanceof TokenError && error.severity === 'call') return null;
  throw error;
}

function plain(type: number): Mechanism {
  return { type, parameter: { kind: 'none' } };
}

function oaepMechanism(hash: Wrapping['hash']): Mechanism {
  return { type: CKM_RSA_PKCS_OAEP, parameter: { kind: 'oaep', ...OAEP[hash], label: null } };
}
