import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeySpec } from '../hsm/material.js';

/** A curve on which keys agree. */
interface AgreementCurve {
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
    name: 'P-256',
    coordinateOctets: 32,
    uncompressed: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    compressed: '3039301306072a8648ce3d020106082a8648ce3d030107032200',
  },
  ECC_NIST_P384: {
    name: 'P-384',
    coordinateOctets: 48,
    uncompressed: '3076301006072a8648ce3d020106052b81040022036200',
    compressed: '3046301006072a8648ce3d020106052b81040022033200',
  },
  ECC_NIST_P521: {
    name: 'P-521',
    coordinateOctets: 66,
    uncompressed: '30819b301006072a8648ce3d020106052b8104002303818600',
    compressed: '3058301006072a8648ce3d020106052b81040023034400',
  },
};

/**
 * Reads a peer's public key: DER, a named curve, the curve of the key that it is to agree with, and a point of that curve.
 * A compressed point is accepted.
 *
 * @returns the same key with an uncompressed point, DER SubjectPublicKeyInfo; undefined for everything else
 * @source AWS KMS API Reference, DeriveSharedSecret; NIST SP 800-56A section 5.6.2.3.3
 */
export function parsePeerPublicKey(octets: Uint8Array, keySpec: KeySpec): Uint8Array | undefined {
  const curve = CURVES[keySpec];
  if (curve === undefined) throw new RangeError(`${keySpec} agrees with nobody`);
  let key: KeyObject;
  try {
    // OpenSSL refuses a point that is not on the curve; the prime-order curves have no small subgroups.
    key = createPublicKey({ key: Buffer.from(octets), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  const { crv, x = '', y = '' } = key.asymmetricKeyType === 'ec' ? key.export({ format: 'jwk' }) : {};
  if (crv !== curve.name) return undefined;
  const [horizontal, vertical] = [coordinate(x, curve), coordinate(y, curve)];
  const sign = ((vertical.at(-1) ?? 0) & 1) + 2;
  const given = Buffer.from(octets);
  const uncompressed = Buffer.concat([Buffer.from(curve.uncompressed, 'hex'), Buffer.of(4), horizontal, vertical]);
  const compressed = Buffer.concat([Buffer.from(curve.compressed, 'hex'), Buffer.of(sign), horizontal]);
  // Explicit curve parameters, other encodings and trailing octets are none of the two.
  return given.equals(uncompressed) || given.equals(compressed) ? uncompressed : undefined;
}

/** A coordinate of a JWK, as long as the field. */
function coordinate(text: string, curve: AgreementCurve): Buffer {
  const octets = Buffer.from(text, 'base64url');
  return Buffer.concat([Buffer.alloc(curve.coordinateOctets - octets.length), octets]);
}
