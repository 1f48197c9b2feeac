import { createPrivateKey, generateKeyPairSync, generatePrimeSync, type KeyObject } from 'node:crypto';

/** One DER element. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const length =
    content.length < 0x80
      ? Buffer.of(content.length)
      : content.length < 0x100
        ? Buffer.of(0x81, content.length)
        : Buffer.of(0x82, content.length >> 8, content.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

/** One BER element of indefinite length. */
export function indefinite(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(tag, 0x80), ...contents, Buffer.of(0, 0)]);
}

/** A DER INTEGER. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return der(0x02, (octets[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), octets]) : octets);
}

const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');
const RSA_ENCRYPTION = Buffer.from('06092a864886f70d0101010500', 'hex');
const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;

/** Object identifiers of curves, DER. */
export const CURVE_OIDS = {
  prime256v1: Buffer.from('06082a8648ce3d030107', 'hex'),
  secp384r1: Buffer.from('06052b81040022', 'hex'),
} as const;

function octets(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

/** The scalar and the uncompressed point of an EC key. */
export function ecNumbers(key: KeyObject): { readonly scalar: Buffer; readonly point: Buffer } {
  const { d, x, y } = key.export({ format: 'jwk' });
  return { scalar: octets(d), point: Buffer.concat([Buffer.of(4), octets(x), octets(y)]) };
}

/** PKCS#8 of an EC key from its parts, so that each can be wrong; `sequence` writes the SEQUENCEs. */
export function ecPkcs8(parts: {
  readonly curve: Uint8Array;
  readonly scalar: Uint8Array;
  readonly point?: Uint8Array;
  readonly innerCurve?: Uint8Array;
  readonly version?: bigint;
  readonly innerVersion?: bigint;
  readonly sequence?: typeof der;
}): Buffer {
  const sequence = parts.sequence ?? der;
  const inner = sequence(
    SEQUENCE,
    integer(parts.innerVersion ?? 1n),
    der(OCTET_STRING, parts.scalar),
    ...(parts.innerCurve === undefined ? [] : [der(0xa0, parts.innerCurve)]),
    ...(parts.point === undefined ? [] : [der(0xa1, der(0x03, Buffer.of(0), parts.point))]),
  );
  return sequence(
    SEQUENCE,
    integer(parts.version ?? 0n),
    sequence(SEQUENCE, EC_PUBLIC_KEY, parts.curve),
    der(OCTET_STRING, inner),
  );
}

/** PKCS#8 of an RSA key from its numbers. */
export function rsaPkcs8(version: bigint, numbers: readonly bigint[], further: Uint8Array = Buffer.alloc(0)): Buffer {
  const inner = der(SEQUENCE, integer(version), ...numbers.map(integer), further);
  return der(SEQUENCE, integer(0n), der(SEQUENCE, RSA_ENCRYPTION), der(OCTET_STRING, inner));
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

/** An RSA-2048 key of three primes, 683 and 682 bits each, in the form of RFC 8017 appendix A.1.2. */
export function threePrimePkcs8(): Buffer {
  for (;;) {
    const [p, q, r] = [683, 683, 682].map((bits) => generatePrimeSync(bits, { bigint: true }));
    if (p === undefined || q === undefined || r === undefined) continue;
    const n = p * q * r;
    const phi = (p - 1n) * (q - 1n) * (r - 1n);
    const isWhole = n.toString(2).length === 2048 && phi % 65_537n !== 0n;
    if (!isWhole) continue;
    const d = inverse(65_537n, phi);
    const third = der(SEQUENCE, integer(r), integer(d % (r - 1n)), integer(inverse(p * q, r)));
    return rsaPkcs8(1n, [n, 65_537n, d, p, q, d % (p - 1n), d % (q - 1n), inverse(q, p)], der(SEQUENCE, third));
  }
}

/** The numbers of an RSA key, in the order of RFC 8017: n, e, d, p, q, dp, dq, qi. */
export function rsaNumbersOf(key: KeyObject): readonly bigint[] {
  const jwk = key.export({ format: 'jwk' });
  return [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((text) =>
    BigInt(`0x${Buffer.from(text ?? '', 'base64url').toString('hex')}`),
  );
}

/** PKCS#8 of a new EC key as OpenSSL writes it. */
export function newEcKey(namedCurve: string, paramEncoding: 'named' | 'explicit' = 'named'): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve,
    paramEncoding,
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  return createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
}
