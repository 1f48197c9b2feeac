import { concat } from '../bytes.js';
import { DER, encodeDer, encodePositiveInteger, positiveInteger, readDer } from './der.js';

/**
 * An ECDSA signature as AWS KMS gives it.
 *
 * @param raw - r || s, as tokens give it, both of one length
 * @returns DER SEQUENCE of the two INTEGERs
 * @source RFC 3279 section 2.2.3
 */
export function encodeEcdsaSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const [r, s] = [raw.subarray(0, half), raw.subarray(half)];
  return encodeDer(DER.sequence, concat(encodePositiveInteger(r), encodePositiveInteger(s)));
}

/**
 * Reads a DER signature strictly: shortest lengths, shortest and positive integers, nothing behind them.
 *
 * @param coordinateOctets - octets of r and of s in the result
 * @returns r || s, or null for anything else
 */
export function decodeEcdsaSignature(der: Uint8Array, coordinateOctets: number): Uint8Array | null {
  const sequence = readDer(der, DER.sequence);
  if (sequence === null || sequence.rest.length !== 0) return null;
  const r = readDer(sequence.content, DER.integer);
  const s = r === null ? null : readDer(r.rest, DER.integer);
  if (r === null || s === null || s.rest.length !== 0) return null;
  const raw = new Uint8Array(2 * coordinateOctets);
  for (const [at, { content }] of [r, s].entries()) {
    const number = positiveInteger(content);
    if (number === null || number.length > coordinateOctets) return null;
    raw.set(number, (at + 1) * coordinateOctets - number.length);
  }
  return raw;
}
