import { createHash } from 'node:crypto';
import { utf8, concat, toHex } from '../bytes.js';

const NAME = /^[a-z0-9-]{1,32}$/;
const KEY_ID = /^mrk-[0-9a-f]{32}$/;
const MATERIAL_ID = /^[0-9a-f]{64}$/;
const COUNTER = /^(?:0|[1-9][0-9]{0,19})$/;
const COUNTER_MAX = 2n ** 64n - 1n;

/** Octets of a birth nonce. */
export const BIRTH_NONCE_OCTETS = 32;

/** Whether a text names a partition or a region: lower-case ASCII letters, digits and hyphens, 1–32. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether a text is the id of a multi-Region key: `mrk-` and 32 lower-case hex digits. */
export function isMultiRegionKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** Whether a text is a key material id: 64 lower-case hex digits. */
export function isMaterialId(text: string): boolean {
  return MATERIAL_ID.test(text);
}

/** The unsigned 64-bit integer that a decimal text without leading zeros says, or null. */
export function parseCounter(text: string): bigint | null {
  if (!COUNTER.test(text)) return null;
  const value = BigInt(text);
  return value <= COUNTER_MAX ? value : null;
}

/**
 * Key id of a multi-Region key; anyone can check that it belongs to the region where the key was born.
 *
 * @param birthNonce - 32 octets from the origin region's token
 * @returns `mrk-` and the first 16 octets of SHA-384("MRKR1-keyid" 00 partition 00 region 00 nonce) in hex
 * @source docs/PROTOCOL.md section 2
 */
export function multiRegionKeyId(args: {
  readonly partition: string;
  readonly originRegion: string;
  readonly birthNonce: Uint8Array;
}): string {
  const zero = new Uint8Array(1);
  const input = concat(
    utf8('MRKR1-keyid'),
    zero,
    utf8(args.partition),
    zero,
    utf8(args.originRegion),
    zero,
    args.birthNonce,
  );
  return `mrk-${toHex(createHash('sha384').update(input).digest().subarray(0, 16))}`;
}
