import { ECDH } from 'node:crypto';
import type { KeySpec } from '../hsm/material.js';

/** A curve on which keys agree. */
interface AgreementCurve {
  /** As OpenSSL calls it. */
  readonly name: string;
  readonly coordinateOctets: number;
  /** SubjectPublicKeyInfo up to the point: named curve, uncompressed. */
  readonly uncompressed: string;
  /** The same with a compressed point. */
  readonly compressed: string;
}

/** @source RFC 5480 sections 2.1.1 and 2.2 */
const CURVES: { readonly [Spec in KeySpec]?: AgreementCurve } = {
  ECC_NIST_P256: {
    name: 'prime256v1',
    coordinateOctets: 32,
    uncompressed: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    compressed: '3039301306072a8648ce3d020106082a8648ce3d030107032200',
  },
  ECC_NIST_P384: {
    name: 'secp384r1',
    coordinateOctets: 48,
    uncompressed: '3076301006072a8648ce3d020106052b81040022036200',
    compressed: '3046301006072a8648ce3d020106052b81040022033200',
  },
  ECC_NIST_P521: {
    name: 'secp521r1',
    coordinateOctets: 66,
    uncompressed: '30819b301006072a8648ce3d020106052b8104002303818600',
    compressed: '3058301006072a8648ce3d020106052b81040023034400',
  },
};

/**
 * Reads a peer's public key: DER, a named curve, the curve of the key that it is to agree with, and a point of that curve.
 * A compressed point is accepted.
 *
 * HAZARD: the octets are not given to Node's decoder of keys, which takes the point at infinity for a key; exporting that key ends
 * the process in Node 20. For a named curve there are two encodings, which are compared.
 *
 * @returns the same key with an uncompressed point, DER SubjectPublicKeyInfo; undefined for everything else
 * @source AWS KMS API Reference, DeriveSharedSecret; NIST SP 800-56A section 5.6.2.3.3
 */
export function parsePeerPublicKey(octets: Uint8Array, keySpec: KeySpec): Uint8Array | undefined {
  const curve = CURVES[keySpec];
  if (curve === undefined) throw new RangeError(`${keySpec} agrees with nobody`);
  const point = pointOf(octets, curve);
  if (point === undefined) return undefined;
  try {
    // OpenSSL refuses a point that is not on the curve; the curves have prime order, so that no point is in a small subgroup.
    const converted = ECDH.convertKey(point, curve.name, undefined, undefined, 'uncompressed');
    if (typeof converted === 'string') return undefined;
    return Buffer.concat([Buffer.from(curve.uncompressed, 'hex'), converted]);
  } catch {
    return undefined;
  }
}

/** The point of a SubjectPublicKeyInfo in one of its two encodings. */
function pointOf(octets: Uint8Array, curve: AgreementCurve): Uint8Array | undefined {
  const given = Buffer.from(octets);
  const forms = [
    { prefix: curve.uncompressed, pointOctets: 1 + 2 * curve.coordinateOctets, tags: [4] },
    { prefix: curve.compressed, pointOctets: 1 + curve.coordinateOctets, tags: [2, 3] },
  ];
  for (const { prefix, pointOctets, tags } of forms) {
    const header = Buffer.from(prefix, 'hex');
    const point = given.subarray(header.length);
    const isForm = given.subarray(0, header.length).equals(header) && point.length === pointOctets;
    if (isForm && tags.includes(point[0] ?? 0)) return point;
  }
  return undefined;
}
