import { concat } from '../bytes.js';

/** Tags that Keyferry reads and writes. @source ITU-T X.690 section 8 */
export const DER = { integer: 0x02, bitString: 0x03, sequence: 0x30 } as const;

/** One element, and what follows it. */
export interface DerElement {
  readonly content: Uint8Array;
  readonly rest: Uint8Array;
}

/**
 * Reads one element strictly: this tag, and a definite length in its shortest form, up to 65,535 octets.
 *
 * @returns null for anything else
 */
export function readDer(octets: Uint8Array, tag: number): DerElement | null {
  const [actual, first, second, third] = octets;
  if (actual !== tag || first === undefined) return null;
  let length = first;
  let start = 2;
  if (first === 0x81) {
    if (second === undefined || second < 0x80) return null;
    length = second;
    start = 3;
  } else if (first === 0x82) {
    if (second === undefined || third === undefined || second === 0) return null;
    length = second * 256 + third;
    start = 4;
  } else if (first >= 0x80) {
    return null;
  }
  if (octets.length < start + length) return null;
  return { content: octets.subarray(start, start + length), rest: octets.subarray(start + length) };
}

/** Digits of a positive INTEGER without its sign octet; null where it is negative, zero, empty or longer than it must be. */
export function positiveInteger(content: Uint8Array): Uint8Array | null {
  const [first, second] = content;
  if (first === undefined || first >= 0x80) return null;
  if (first !== 0) return content;
  return second !== undefined && second >= 0x80 ? content.subarray(1) : null;
}

/** An element of up to 65,535 octets. */
export function encodeDer(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  if (length < 0x80) return concat(Uint8Array.of(tag, length), content);
  if (length < 0x100) return concat(Uint8Array.of(tag, 0x81, length), content);
  return concat(Uint8Array.of(tag, 0x82, length >>> 8, length & 0xff), content);
}

/** A positive INTEGER from big-endian digits; leading zeros are allowed in them. */
export function encodePositiveInteger(digits: Uint8Array): Uint8Array {
  const shortest = withoutLeadingZeros(digits);
  const sign = (shortest[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array();
  return encodeDer(DER.integer, concat(sign, shortest));
}

/** Big-endian digits of a number, as few as there can be. */
export function withoutLeadingZeros(digits: Uint8Array): Uint8Array {
  let start = 0;
  while (start < digits.length - 1 && digits[start] === 0) start += 1;
  return digits.subarray(start);
}
