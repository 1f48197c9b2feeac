import type { AttributeValue } from '../token/job.js';
import { HsmError } from './errors.js';

/** `CKA_EC_PARAMS` of P-384: the object identifier 1.3.132.0.34 in DER. */
export const P384_PARAMETERS = Uint8Array.of(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22);
const POINT_OCTETS = 97;

/**
 * The uncompressed point of a P-384 public key as the token told it.
 *
 * @param attribute - `CKA_EC_POINT`: a DER OCTET STRING, or the bare point, which some tokens give
 * @returns 97 octets: 04 || X || Y
 * @throws {@link HsmError} `ERR_HSM_TYPE`
 * @source PKCS#11 v2.40 current mechanisms 2.3.3; SEC 1 section 2.3.3
 */
export function pointFrom(attribute: AttributeValue | undefined): Uint8Array {
  const octets = attribute?.state === 'value' ? attribute.octets : new Uint8Array();
  const isDer = octets.length === POINT_OCTETS + 2 && octets[0] === 0x04 && octets[1] === POINT_OCTETS;
  const point = isDer ? octets.subarray(2) : octets;
  if (point.length !== POINT_OCTETS || point[0] !== 0x04) {
    throw new HsmError('ERR_HSM_TYPE', 'the token told no uncompressed P-384 point for a public key of its own');
  }
  return Uint8Array.from(point);
}
