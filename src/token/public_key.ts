import type { KeyObject } from 'node:crypto';
import { concat } from '../bytes.js';
import { CURVES, type Curve } from '../wire/curve.js';
import { pointOf, rsaNumbers } from '../wire/public_key.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ENCRYPT,
  CKA_KEY_TYPE,
  CKA_MODULUS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_TOKEN,
  CKA_VERIFY,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKO_PUBLIC_KEY,
} from './cryptoki.js';
import type { AttributeValue } from './job.js';
import { template, type Template } from './template.js';

/** `CKA_EC_PARAMS` of Ed25519 as the curve's name, a PrintableString; other tokens take the object identifier. */
const EDWARDS25519_NAME = Uint8Array.from(Buffer.from('130c656477617264733235353139', 'hex'));

/** How a token wants `CKA_EC_PARAMS` of Ed25519. */
export type Ed25519Parameters = 'oid' | 'name';

/** `CKA_EC_PARAMS` of a curve. @source PKCS#11 v3.0 sections 2.3.3 and 2.3.5 */
export function curveParameters(curve: Curve, ed25519: Ed25519Parameters): Uint8Array {
  return curve.name === 'Ed25519' && ed25519 === 'name' ? EDWARDS25519_NAME : curve.oid;
}

/**
 * Template of a public key as a session object, for one use.
 *
 * @param key - an RSA, EC or Ed25519 public key
 */
export function publicKeyTemplate(
  key: KeyObject,
  use: 'verify' | 'encrypt',
  ed25519: Ed25519Parameters = 'oid',
): Template {
  const attributes = [
    [CKA_CLASS, CKO_PUBLIC_KEY],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, false],
    [CKA_VERIFY, use === 'verify'],
    [CKA_ENCRYPT, use === 'encrypt'],
  ] as const;
  if (key.asymmetricKeyType === 'rsa') {
    const { modulus, exponent } = rsaNumbers(key);
    return template(...attributes, [CKA_KEY_TYPE, CKK_RSA], [CKA_MODULUS, modulus], [CKA_PUBLIC_EXPONENT, exponent]);
  }
  const { crv } = key.export({ format: 'jwk' });
  const curve = Object.values(CURVES).find(({ name }) => name === crv);
  if (curve === undefined) throw new TypeError('a public key of no curve that Keyferry knows');
  return template(
    ...attributes,
    [CKA_KEY_TYPE, curve.name === 'Ed25519' ? CKK_EC_EDWARDS : CKK_EC],
    [CKA_EC_PARAMS, curveParameters(curve, ed25519)],
    [CKA_EC_POINT, derOctetString(pointOf(key))],
  );
}

/** A DER OCTET STRING: every token takes `CKA_EC_POINT` like this, and some take nothing else. */
export function derOctetString(octets: Uint8Array): Uint8Array {
  const length = octets.length < 0x80 ? Uint8Array.of(octets.length) : Uint8Array.of(0x81, octets.length);
  return concat(Uint8Array.of(0x04), length, octets);
}

/**
 * The point that a token told for a public key: `CKA_EC_POINT` as a DER OCTET STRING, or bare, as some tokens give it.
 *
 * @returns the point, or null where it has not the length of the curve's points
 */
export function pointFromAttribute(curve: Curve, attribute: AttributeValue | undefined): Uint8Array | null {
  const octets = attribute?.state === 'value' ? attribute.octets : new Uint8Array();
  const isEdwards = curve.name === 'Ed25519';
  const length = isEdwards ? curve.coordinateOctets : 1 + 2 * curve.coordinateOctets;
  const header = derOctetString(new Uint8Array(length)).length - length;
  const point = octets.length === length + header && octets[0] === 0x04 ? octets.subarray(header) : octets;
  if (point.length !== length || (!isEdwards && point[0] !== 0x04)) return null;
  return Uint8Array.from(point);
}
