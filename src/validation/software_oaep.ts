import { constants, createHash, hash as digest, publicEncrypt, type KeyObject } from 'node:crypto';
import { concat, u32be } from '../bytes.js';
import { rsaNumbers } from '../wire/public_key.js';
import { hashOctets, type HashName } from './software_kdf.js';

/** How a message is encoded: as RFC 8017 says, but for what is given here. */
export interface OaepForm {
  readonly hash: HashName;
  /** Of the mask generation function. */
  readonly mgf: HashName;
  readonly label?: Uint8Array;
  /** What stands before the masked seed; 0 in a good encoding. */
  readonly firstOctet?: number;
  /** What stands between padding and message; 1 in a good encoding. */
  readonly separator?: number;
  /** The last octet of the padding; 0 in a good encoding. */
  readonly paddingOctet?: number;
}

function mgf1(name: HashName, seed: Uint8Array, octets: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let counter = 0; counter * hashOctets[name] < octets; counter += 1) {
    blocks.push(createHash(name).update(seed).update(u32be(counter)).digest());
  }
  return concat(...blocks).subarray(0, octets);
}

function xor(octets: Uint8Array, mask: Uint8Array): Uint8Array {
  return octets.map((octet, at) => octet ^ (mask[at] ?? 0));
}

/** Octets of the longest message under a modulus of some octets. */
export function oaepMessageMax(modulusOctets: number, hash: HashName): number {
  return modulusOctets - 2 * hashOctets[hash] - 2;
}

/**
 * EME-OAEP, and encodings that are none.
 *
 * @param seed - at least as long as the hash
 * @source RFC 8017 section 7.1.1
 */
export function encodeOaep(message: Uint8Array, form: OaepForm, modulusOctets: number, seed: Uint8Array): Uint8Array {
  const labelHash = digest(form.hash, form.label ?? new Uint8Array(), 'buffer');
  const padding = new Uint8Array(oaepMessageMax(modulusOctets, form.hash) - message.length);
  if (padding.length > 0) padding[padding.length - 1] = form.paddingOctet ?? 0;
  const data = concat(labelHash, padding, Uint8Array.of(form.separator ?? 1), message);
  const used = seed.subarray(0, hashOctets[form.hash]);
  const maskedData = xor(data, mgf1(form.mgf, used, data.length));
  const maskedSeed = xor(used, mgf1(form.mgf, maskedData, used.length));
  return concat(Uint8Array.of(form.firstOctet ?? 0), maskedSeed, maskedData);
}

/** RSAES-OAEP of a message in some form; the hash of the mask may be another one, which OpenSSL’s own function does not offer. */
export function encryptOaep(publicKey: KeyObject, message: Uint8Array, form: OaepForm, seed: Uint8Array): Uint8Array {
  const encoded = encodeOaep(message, form, rsaNumbers(publicKey).modulus.length, seed);
  return Uint8Array.from(publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, encoded));
}
