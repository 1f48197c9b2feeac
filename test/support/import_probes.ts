import { KMSServiceException } from '@aws-sdk/client-kms';
import { BIRTH_TYP } from '../../src/replication/key_certificate.js';
import { compactOf, partsOf, withBitFlipped } from './forgery.js';
import { constants, createHash, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import type { Chance } from './chance.js';
import { oaepEncrypt, wrapForImport } from './import_wrapping.js';
import { keyWrapPad } from './software_source.js';

/** One ciphertext by which an adversary who knows only the public key asks what unwrapping makes of it. */
export interface WrappingProbe {
  readonly name: string;
  /** Makes the ciphertext for a wrapping key, DER SubjectPublicKeyInfo. */
  readonly probe: (publicKey: Uint8Array) => Uint8Array;
}

/** Octets of the modulus of the probed wrapping keys, RSA-2048. */
const MODULUS = 256;
const HASH = 32;

/**
 * Probes in the manner of Bleichenbacher and of Manger: encoded messages that fail at each step of decoding, and numbers at the edges.
 *
 * @source RFC 8017, 7.1.2; J. Manger, CRYPTO 2001
 */
export function wrappingProbes(algorithm: 'RSAES_OAEP_SHA_256' | 'RSA_AES_KEY_WRAP_SHA_256'): readonly WrappingProbe[] {
  const isKeyWrap = algorithm === 'RSA_AES_KEY_WRAP_SHA_256';
  const whole = (rsa: (publicKey: Uint8Array, message: Uint8Array) => Uint8Array) => (publicKey: Uint8Array) => {
    const message = randomBytes(32);
    const first = rsa(publicKey, message);
    return isKeyWrap ? Buffer.concat([first, keyWrapPad(message, randomBytes(32))]) : first;
  };
  const faulty = (fault: EncodingFault) => whole((publicKey, message) => rawRsa(publicKey, encodeOaep(message, fault)));
  const probes: WrappingProbe[] = [
    { name: 'a first octet of 1', probe: faulty('first octet') },
    { name: 'another label', probe: faulty('label') },
    { name: 'no separator', probe: faulty('separator') },
    { name: 'a padding that is not zero', probe: faulty('padding') },
    { name: 'an encoding of PKCS #1 1.5', probe: whole(pkcs1Encrypt) },
    { name: 'the other hash', probe: whole((key, message) => oaepEncrypt('RSAES_OAEP_SHA_1', key, message)) },
    { name: 'zero', probe: whole(() => Buffer.alloc(MODULUS)) },
    { name: 'one', probe: whole(() => octetsOf(1n)) },
    { name: 'the modulus less one', probe: whole((key) => octetsOf(modulusOf(key) - 1n)) },
    { name: 'the modulus', probe: whole((key) => octetsOf(modulusOf(key))) },
    { name: 'the greatest number', probe: whole(() => Buffer.alloc(MODULUS, 0xff)) },
    {
      name: 'a recorded ciphertext multiplied by 2^e',
      probe: whole((key, message) => multiplied(key, oaepEncrypt('RSAES_OAEP_SHA_256', key, message), 2n)),
    },
    {
      name: 'a recorded ciphertext multiplied by 256^e',
      probe: whole((key, message) => multiplied(key, oaepEncrypt('RSAES_OAEP_SHA_256', key, message), 256n)),
    },
    { name: 'one octet', probe: () => Uint8Array.of(0) },
    { name: 'an octet less', probe: (key) => wrapForImport(algorithm, key, randomBytes(32)).subarray(1) },
    {
      name: 'an octet more',
      probe: (key) => Buffer.concat([Buffer.alloc(1), wrapForImport(algorithm, key, randomBytes(32))]),
    },
  ];
  if (!isKeyWrap) return probes;
  const withKey = (octets: number, second: (key: Uint8Array) => Uint8Array) => (publicKey: Uint8Array) => {
    const key = randomBytes(octets);
    return Buffer.concat([oaepEncrypt(algorithm, publicKey, key), second(key)]);
  };
  return [
    ...probes,
    { name: 'another AES key', probe: withKey(32, () => keyWrapPad(randomBytes(32), randomBytes(138))) },
    { name: 'an AES key of 20 octets', probe: withKey(20, () => keyWrapPad(randomBytes(32), randomBytes(138))) },
    { name: 'no wrapped material', probe: withKey(32, () => new Uint8Array()) },
    {
      name: 'wrapped material of half a block',
      probe: withKey(32, (key) => keyWrapPad(key, randomBytes(32)).subarray(4)),
    },
  ];
}

type EncodingFault = 'first octet' | 'label' | 'separator' | 'padding';

/** EME-OAEP with SHA-256, with one fault. */
function encodeOaep(message: Uint8Array, fault: EncodingFault): Buffer {
  const labelHash = createHash('sha256')
    .update(fault === 'label' ? 'other' : '')
    .digest();
  const block = Buffer.alloc(MODULUS - HASH - 1);
  labelHash.copy(block);
  block.set(message, block.length - message.length);
  block[block.length - message.length - 1] = fault === 'separator' ? 2 : 1;
  if (fault === 'padding') block[HASH + 3] = 0x80;
  const seed = randomBytes(HASH);
  const masked = xor(block, mask(seed, block.length));
  return Buffer.concat([Uint8Array.of(fault === 'first octet' ? 1 : 0), xor(seed, mask(masked, HASH)), masked]);
}

function mask(seed: Uint8Array, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / HASH) }, (_, at) =>
    createHash('sha256')
      .update(seed)
      .update(Uint8Array.of(0, 0, 0, at))
      .digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((octet, at) => octet ^ (other[at] ?? 0)));
}

function rawRsa(publicKey: Uint8Array, octets: Uint8Array): Buffer {
  return publicEncrypt({ key: keyOf(publicKey), padding: constants.RSA_NO_PADDING }, octets);
}

function pkcs1Encrypt(publicKey: Uint8Array, message: Uint8Array): Buffer {
  return publicEncrypt({ key: keyOf(publicKey), padding: constants.RSA_PKCS1_PADDING }, message);
}

function keyOf(publicKey: Uint8Array) {
  return createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
}

function modulusOf(publicKey: Uint8Array): bigint {
  const { n = '' } = keyOf(publicKey).export({ format: 'jwk' });
  return numberOf(Buffer.from(n, 'base64url'));
}

function multiplied(publicKey: Uint8Array, ciphertext: Uint8Array, by: bigint): Buffer {
  const factor = numberOf(rawRsa(publicKey, octetsOf(by)));
  return octetsOf((numberOf(ciphertext) * factor) % modulusOf(publicKey));
}

const numberOf = (octets: Uint8Array): bigint => BigInt(`0x${Buffer.from(octets).toString('hex')}`);
const octetsOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(2 * MODULUS, '0'), 'hex');

/** The octets with a seeded change: bits, octets, a cut, an addition, a part twice or moved. Never the same octets. */
export function mutated(octets: Uint8Array, chance: Chance): Uint8Array {
  for (;;) {
    const changed = mutatedOnce(Buffer.from(octets), chance);
    if (changed.length > 0 && !changed.equals(octets)) return changed;
  }
}

function mutatedOnce(octets: Buffer, chance: Chance): Buffer {
  const at = chance.below(octets.length);
  const random = (length: number): Buffer => Buffer.from(Array.from({ length }, () => chance.below(256)));
  switch (chance.below(8)) {
    case 0:
    case 1:
      octets[at] = (octets[at] ?? 0) ^ (1 << chance.below(8));
      return octets;
    case 2:
      octets[at] = chance.below(256);
      return octets;
    case 3:
      return octets.subarray(0, at);
    case 4:
      return Buffer.concat([octets, random(1 + chance.below(64))]);
    case 5:
      return Buffer.concat([octets.subarray(0, at), random(1 + chance.below(16)), octets.subarray(at)]);
    case 6:
      return Buffer.concat([octets.subarray(at), octets.subarray(0, at)]);
    default:
      return random(1 + chance.below(octets.length + 16));
  }
}

/** Never the same token: changes the text, one part as decoded, or one member, so that every check of a token gets its share. */
export function mutatedToken(good: Uint8Array, chance: Chance): Uint8Array {
  for (;;) {
    const changed = changedToken(good, chance);
    if (!Buffer.from(changed).equals(good)) return changed;
  }
}

function changedToken(good: Uint8Array, chance: Chance): Uint8Array {
  const bit = chance.below(1 << 13);
  const { header, payload, signature } = partsOf(good);
  switch (chance.below(7)) {
    case 0:
      return withBitFlipped(good, 'header', bit);
    case 1:
      return withBitFlipped(good, 'payload', bit);
    case 2:
      return withBitFlipped(good, 'signature', bit);
    case 3: {
      const name = chance.pick(Object.keys(header)) ?? 'typ';
      const value = chance.pick([BIRTH_TYP, 'A'.repeat(43), 'none', 7, null, undefined, 'mrkr1-offer+jws']);
      return compactOf({ ...header, [name]: value }, payload, signature);
    }
    case 4: {
      const name = chance.pick([...Object.keys(payload), '__proto__x']) ?? 'v';
      const value = chance.pick([0, -1, 2 ** 53, '', 'x'.repeat(500), null, undefined, [], {}, 1.5, true]);
      return compactOf(header, { ...payload, [name]: value }, signature);
    }
    case 5: {
      const kid = Buffer.from(Array.from({ length: 32 }, () => chance.below(256))).toString('base64url');
      return compactOf({ ...header, kid }, payload, signature);
    }
    default:
      return mutated(good, chance);
  }
}

/** What a caller of the API is told, without the id of the request. */
export async function toldOf(
  work: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof KMSServiceException)) throw error;
    return { name: error.name, message: error.message, status: error.$metadata.httpStatusCode };
  }
  return { name: 'nothing was refused', message: '', status: 200 };
}
