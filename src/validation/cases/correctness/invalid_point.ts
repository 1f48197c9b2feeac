import { createECDH } from 'node:crypto';
import type { CheckContext } from '../../check_context.js';
import { makePeer } from '../../peer.js';
import { FIELD, scalarOctets, twistPoint } from '../../software_p384.js';

/** What is no public key of P-384, and would give parts of a private key away if it were taken for one. */
export function invalidPoints(context: CheckContext): readonly (readonly [string, Uint8Array])[] {
  const { point } = makePeer(context);
  const offCurve = Uint8Array.from(point);
  offCurve[96] = (offCurve[96] ?? 0) ^ 1;
  const field = scalarOctets(FIELD);
  const { x, y } = twistPoint(context.random.octets(48));
  const twist = { x: scalarOctets(x), y: scalarOctets(y) };
  const bare = (x: Uint8Array, y: Uint8Array): Uint8Array => Uint8Array.of(4, ...x, ...y);
  const zero = new Uint8Array(48);
  return [
    ['a point that is not on the curve', offCurve],
    ['the same in a DER OCTET STRING', Uint8Array.of(4, 97, ...offCurve)],
    ['a point of the quadratic twist', bare(twist.x, twist.y)],
    ['the compressed point of the twist', Uint8Array.of(2, ...twist.x)],
    ['the point at infinity', Uint8Array.of(0)],
    ['97 octets of zero', new Uint8Array(97)],
    ['the coordinates (0, 0)', bare(zero, zero)],
    ['the coordinates (p, p)', bare(field, field)],
    ['y = 0', bare(point.subarray(1, 49), zero)],
    ['x not below the field prime', Uint8Array.from(point).fill(0xff, 1, 49)],
    ['y not below the field prime', Uint8Array.from(point).fill(0xff, 49)],
    ['x and y exchanged', bare(point.subarray(49), point.subarray(1, 49))],
    ['a point of P-256', createECDH('prime256v1').generateKeys()],
    ['a point of P-521', createECDH('secp521r1').generateKeys()],
    ['a point of brainpoolP384r1, which is as long', createECDH('brainpoolP384r1').generateKeys()],
    ['a point without its last octet', point.subarray(0, 96)],
    ['a point without its y', point.subarray(0, 49)],
    ['a point with an octet behind it', Uint8Array.of(...point, 0)],
    ['an unknown form octet', Uint8Array.of(5, ...point.subarray(1))],
    ['no octets', new Uint8Array()],
  ];
}
