import { concat } from '../bytes.js';

/**
 * An ECDSA signature as AWS KMS gives it.
 *
 * @param raw - r || s, as tokens give it, both of one length
 * @returns DER SEQUENCE of the two INTEGERs
 * @source RFC 3279 section 2.2.3
 */
export function encodeEcdsaSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const numbers = concat(encodeInteger(raw.subarray(0, half)), encodeInteger(raw.subarray(half)));
  return concat(Uint8Array.of(0x30), encodeLength(numbers.length), numbers);
}

/**
 * Reads a DER signature strictly: shortest lengths, shortest and positive integers, nothing behind them.
 *
 * @param coordinateOctets - octets of r and of s in the result
 * @returns r || s, or null for anything else
 */
export function decodeEcdsaSignature(der: Uint8Array, coordinateOctets: number): Uint8Array | null {
  const sequence = readElement(der, 0x30);
  if (sequence === null || sequence.rest.length !== 0) return null;
  const r = readElement(sequence.content, 0x02);
  const s = r === null ? null : readElement(r.rest, 0x02);
  if (r === null || s === null || s.rest.length !== 0) return null;
  const raw = new Uint8Array(2 * coordinateOctets);
  for (const [at, { content }] of [r, s].entries()) {
    const number = positive(content);
    if (number === null || number.length > coordinateOctets) return null;
    raw.set(number, (at + 1) * coordinateOctets - number.length);
  }
  return raw;
}

function encodeInteger(number: Uint8Array): Uint8Array {
  let start = 0;
  while (start < number.length - 1 && number[start] === 0) start += 1;
  const digits = number.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array();
  return concat(Uint8Array.of(0x02), encodeLength(sign.length + digits.length), sign, digits);
}

/** Signatures of P-521 are longer than 127 octets, and none is longer than 255. */
function encodeLength(length: number): Uint8Array {
  return length < 0x80 ? Uint8Array.of(length) : Uint8Array.of(0x81, length);
}

interface Element {
  readonly content: Uint8Array;
  readonly rest: Uint8Array;
}

function readElement(octets: Uint8Array, tag: number): Element | null {
  const first = octets[1];
  if (octets[0] !== tag || first === undefined) return null;
  const isLong = first === 0x81;
  const length = isLong ? octets[2] : first;
  if (length === undefined || (isLong ? length < 0x80 : first >= 0x80)) return null;
  const start = isLong ? 3 : 2;
  if (octets.length < start + length) return null;
  return { content: octets.subarray(start, start + length), rest: octets.subarray(start + length) };
}

/** The digits of a positive INTEGER without its sign octet; null where it is negative, empty or longer than it must be. */
function positive(content: Uint8Array): Uint8Array | null {
  const [first, second] = content;
  if (first === undefined || first >= 0x80) return null;
  if (first !== 0) return content;
  return second !== undefined && second >= 0x80 ? content.subarray(1) : null;
}
