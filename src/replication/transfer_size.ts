import { WIRE_LIMITS } from '../wire/limits.js';
import { REPLICATION_LIMITS } from './limits.js';

/** Octets of M2 that every material takes: its id, blob and other members, in base64url. */
const MATERIAL_OCTETS = 320;
/** Octets of M2 without metadata and materials, with room to spare. */
const FIXED_OCTETS = 3_000;

/**
 * Whether one transfer can carry a key.
 *
 * @param contextOctets - length of its metadata as encoded, which is base64url twice in M2
 */
export function fitsTransfer(contextOctets: number, materialCount: number): boolean {
  const octets = Math.ceil((contextOctets * 16) / 9) + materialCount * MATERIAL_OCTETS + FIXED_OCTETS;
  return octets <= WIRE_LIMITS.messageOctetsMax && materialCount <= REPLICATION_LIMITS.materialsPerKeyMax;
}
