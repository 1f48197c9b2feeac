import { fromHex } from '../bytes.js';

/** Curves of AWS KMS key specs. */
export const CURVE_NAMES = ['P-256', 'P-384', 'P-521', 'secp256k1', 'Ed25519'] as const;
export type CurveName = (typeof CURVE_NAMES)[number];

/** What an encoding of a curve's keys goes by. */
export interface Curve {
  /** Its name in a JWK. */
  readonly name: CurveName;
  /** Octets of a coordinate; 32 for the whole public key of Ed25519. */
  readonly coordinateOctets: number;
  /** DER of the named curve's object identifier. */
  readonly oid: Uint8Array;
  /** The base point G, uncompressed; null for Ed25519, where nobody agrees on keys. */
  readonly basePoint: Uint8Array | null;
}

/**
 * The curves as data.
 *
 * @source SEC 2 version 2 sections 2.4.1, 2.4.2, 2.5.1, 2.6.1; RFC 5480 section 2.1.1.1; RFC 8410 section 3
 */
export const CURVES: Readonly<Record<CurveName, Curve>> = {
  'P-256': {
    name: 'P-256',
    coordinateOctets: 32,
    oid: fromHex('06082a8648ce3d030107'),
    basePoint: fromHex(
      '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
        '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
    ),
  },
  'P-384': {
    name: 'P-384',
    coordinateOctets: 48,
    oid: fromHex('06052b81040022'),
    basePoint: fromHex(
      '04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7' +
        '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
    ),
  },
  'P-521': {
    name: 'P-521',
    coordinateOctets: 66,
    oid: fromHex('06052b81040023'),
    basePoint: fromHex(
      '0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8' +
        'de3348b3c1856a429bf97e7e31c2e5bd66' +
        '011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761' +
        '353c7086a272c24088be94769fd16650',
    ),
  },
  secp256k1: {
    name: 'secp256k1',
    coordinateOctets: 32,
    oid: fromHex('06052b8104000a'),
    basePoint: fromHex(
      '0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798' +
        '483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8',
    ),
  },
  Ed25519: { name: 'Ed25519', coordinateOctets: 32, oid: fromHex('06032b6570'), basePoint: null },
};
