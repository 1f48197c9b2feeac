import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { thumbprint, type PublicJwk } from '../../src/wire/p384.js';

/** Order of the base point of P-384. */
export const CURVE_ORDER =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

/** Who signs a forgery: a key that the adversary may use. */
export interface Signer {
  readonly kid: string;
  sign(octets: Uint8Array): Promise<Uint8Array>;
}

/** A payload or header that a test changes in place. */
export type Loose = Record<string, unknown>;

/** Changes a member of any depth: `put(payload, 'keys.0.gen', '7')`; `undefined` takes it away. */
export function put(target: Loose, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  const owner = names.length === 0 ? target : (get(target, names.join('.')) as Loose);
  if (value === undefined) delete owner[last];
  else owner[last] = value;
}

/** A member of any depth. */
export function get(target: Loose, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Loose)[name], target);
}

/** A message taken apart, without any check. */
export interface Parts {
  readonly header: Loose;
  readonly payload: Loose;
  readonly signature: Buffer;
  readonly signingInput: string;
  readonly messageId: string;
}

const text64 = (octets: Uint8Array | string): string => Buffer.from(octets).toString('base64url');

/** Takes a compact JWS apart. */
export function partsOf(octets: Uint8Array | string): Parts {
  const [header = '', payload = '', signature = ''] = Buffer.from(octets).toString('latin1').split('.');
  const signingInput = `${header}.${payload}`;
  return {
    header: JSON.parse(Buffer.from(header, 'base64url').toString()) as Loose,
    payload: JSON.parse(Buffer.from(payload, 'base64url').toString()) as Loose,
    signature: Buffer.from(signature, 'base64url'),
    signingInput,
    messageId: createHash('sha384').update(signingInput).digest('base64url'),
  };
}

/** Puts a compact JWS together from texts and a signature, whatever they are. */
export function compactOf(header: string | Loose, payload: string | Loose, signature: Uint8Array): Buffer {
  const text = (part: string | Loose): string => (typeof part === 'string' ? part : JSON.stringify(part));
  return Buffer.from(`${text64(text(header))}.${text64(text(payload))}.${text64(signature)}`);
}

/** Signs texts that need not be well formed. */
export async function signTexts(signer: Signer, header: string | Loose, payload: string | Loose): Promise<Buffer> {
  const unsigned = compactOf(header, payload, Buffer.alloc(0)).toString('latin1').slice(0, -1);
  return Buffer.from(`${unsigned}.${text64(await signer.sign(Buffer.from(unsigned)))}`);
}

/** The message with changes, validly signed by a key that the adversary has; its kid is in the header unless a change says otherwise. */
export async function resigned(
  octets: Uint8Array | string,
  signer: Signer,
  change: (payload: Loose, header: Loose) => void = () => undefined,
): Promise<Buffer> {
  const { header, payload } = partsOf(octets);
  header['kid'] = signer.kid;
  change(payload, header);
  return signTexts(signer, header, payload);
}

/** The message with changes in its payload and the signature that it had. */
export function tampered(octets: Uint8Array, change: (payload: Loose) => void): Buffer {
  const { header, payload, signature } = partsOf(octets);
  change(payload);
  return compactOf(header, payload, signature);
}

/** The message with one bit of a decoded part changed; base64url is right again. */
export function withBitFlipped(octets: Uint8Array, part: 'header' | 'payload' | 'signature', bit: number): Buffer {
  const parts = Buffer.from(octets).toString('latin1').split('.');
  const at = ['header', 'payload', 'signature'].indexOf(part);
  const decoded = Buffer.from(parts[at] ?? '', 'base64url');
  const index = Math.floor(bit / 8) % decoded.length;
  decoded[index] = (decoded[index] ?? 0) ^ (1 << (bit % 8));
  parts[at] = decoded.toString('base64url');
  return Buffer.from(parts.join('.'));
}

const hex = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(96, '0'), 'hex');

/** r || s of two integers. */
export function signatureOf(r: bigint, s: bigint): Buffer {
  return Buffer.concat([hex(r), hex(s)]);
}

/** The message with another signature. */
export function withSignature(octets: Uint8Array, signature: Uint8Array): Buffer {
  return Buffer.from(`${partsOf(octets).signingInput}.${text64(signature)}`);
}

/** The message with the signature's other half: (r, n − s) verifies as well. */
export function withMirroredSignature(octets: Uint8Array): Buffer {
  const { signature } = partsOf(octets);
  const s = BigInt(`0x${signature.subarray(48).toString('hex')}`);
  return withSignature(octets, Buffer.concat([signature.subarray(0, 48), hex(CURVE_ORDER - s)]));
}

/** A signing key outside every token. */
export interface SoftwareSigner extends Signer {
  readonly jwk: PublicJwk;
}

/** Makes a signing key outside every token. */
export function softwareSigner(): SoftwareSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const jwk: PublicJwk = { kty: 'EC', crv: 'P-384', x, y };
  return {
    jwk,
    kid: thumbprint(jwk),
    sign: async (octets) => sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

/** SubjectPublicKeyInfo of a JWK in PEM: what an algorithm confusion takes for an HMAC secret. */
export function publicPem(jwk: PublicJwk): string {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}
