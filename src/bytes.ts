import { timingSafeEqual } from 'node:crypto';

/** UTF-8 octets of a text. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** The octets of several arrays, one after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** Big-endian 32-bit unsigned integer, 4 octets. */
export function u32be(value: number): Uint8Array {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}

/** Big-endian 64-bit unsigned integer, 8 octets. */
export function u64be(value: bigint): Uint8Array {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(value);
  return octets;
}

/** Octets behind their length as 4 octets, big-endian: the `L()` of the replication protocol. */
export function lengthPrefixed(octets: Uint8Array): Uint8Array {
  return concat(u32be(octets.length), octets);
}

/** Octets of a text of hex digits. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** Lower-case hexadecimal of some octets. */
export function toHex(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('hex');
}

/** base64url without padding (RFC 4648 section 5). */
export function toBase64Url(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64url');
}

/** Whether two arrays hold the same octets, in time that depends on their lengths only. */
export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
