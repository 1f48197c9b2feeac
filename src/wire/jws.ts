import { createHash, verify, type KeyObject } from 'node:crypto';
import { toBase64Url, utf8 } from '../bytes.js';
import { WIRE_LIMITS } from './limits.js';
import { decodeBase64Url } from './base64url.js';
import { isSignatureInRange } from './p384.js';
import { accepted, refuse, refusing, reject, type Reject } from './refusal.js';
import { parseStrictJson, type JsonObject, type JsonValue } from './strict_json.js';

/** Shape of a compact ES384 JWS; the signature of 96 octets is 128 characters and has no spare bits. */
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{128})$/;
const KID = /^[A-Za-z0-9_-]{1,64}$/;

/** A compact JWS whose form and header are right and whose signature has not been looked at. */
export interface UnverifiedJws {
  readonly compact: string;
  readonly kid: string;
  readonly typ: string;
  /** ASCII `header.payload`: what is signed. */
  readonly signingInput: string;
  /**
   * base64url of SHA-384 of the signing input: the identity of the message. Never of the signature, because (r, n − s) verifies too.
   */
  readonly messageId: string;
  /** Payload octets, not parsed. */
  readonly payload: Uint8Array;
  /** r || s, 96 octets. */
  readonly signature: Uint8Array;
}

/** Identity of a signing input: base64url of its SHA-384, 64 characters. */
export function messageIdOf(signingInput: string): string {
  return toBase64Url(createHash('sha384').update(signingInput, 'ascii').digest());
}

function asObject(value: JsonValue, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuse('SYNTAX', field, 'Not a JSON object.');
  return value as JsonObject;
}

/**
 * Takes a compact JWS apart: form, strict base64url, and a protected header of exactly `alg`, `kid` and `typ`.
 *
 * @param octets - the message as it came
 * @returns the parts, or a refusal `LIMIT`, `ENCODING`, `JSON_DUP`, `SYNTAX`, `ALG` or `HEADER`
 * @source RFC 7515 sections 3.1 and 4; docs/PROTOCOL.md section 3
 */
export function parseJws(octets: Uint8Array | string): UnverifiedJws | Reject {
  if (octets.length > WIRE_LIMITS.messageOctetsMax) {
    return reject('LIMIT', null, `The message has more than ${WIRE_LIMITS.messageOctetsMax} octets.`);
  }
  const compact = typeof octets === 'string' ? octets : Buffer.from(octets).toString('latin1');
  const parts = COMPACT.exec(compact);
  if (parts === null) return reject('ENCODING', null, 'Not a compact JWS with an ES384 signature.');
  const [, header64 = '', payload64 = '', signature64 = ''] = parts;
  const header = decodeBase64Url(header64);
  const payload = decodeBase64Url(payload64);
  const signature = decodeBase64Url(signature64);
  if (header === null) return reject('ENCODING', 'header', 'The header is not strict base64url.');
  if (payload === null) return reject('ENCODING', 'payload', 'The payload is not strict base64url.');
  if (signature === null) return reject('ENCODING', 'signature', 'The signature is not strict base64url.');
  return refusing(() => {
    const members = asObject(accepted(parseStrictJson(header)), 'header');
    const { alg, kid, typ } = members;
    //= RFC 8725 section 3.1: the algorithm is compared, never used to choose.
    if (alg !== 'ES384') refuse('ALG', 'alg', 'The algorithm is not ES384.');
    for (const name of Object.keys(members)) {
      if (name !== 'alg' && name !== 'kid' && name !== 'typ')
        refuse('HEADER', name.slice(0, 64), 'The header has a further member.');
    }
    if (typeof kid !== 'string' || !KID.test(kid)) refuse('HEADER', 'kid', 'The header names no signing key.');
    if (typeof typ !== 'string') refuse('HEADER', 'typ', 'The header has no type.');
    const signingInput = `${header64}.${payload64}`;
    return { compact, kid, typ, signingInput, messageId: messageIdOf(signingInput), payload, signature };
  });
}

/** Verifies an ES384 signature r || s over octets in software. */
export type VerifySignature = (key: KeyObject, octets: Uint8Array, signature: Uint8Array) => boolean;

/** {@link VerifySignature} by the platform's own library. */
export const verifyEs384: VerifySignature = (key, octets, signature) =>
  verify('sha384', octets, { key, dsaEncoding: 'ieee-p1363' }, signature);

/** A verification that may be done elsewhere than on the event loop. */
export type SignatureCheck = (key: KeyObject, octets: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

/** {@link verifyEs384} on the thread pool: it takes a millisecond, in which the event loop does something else. */
export function verifyEs384OnThreadPool(key: KeyObject, octets: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, fail) => {
    verify('sha384', octets, { key, dsaEncoding: 'ieee-p1363' }, signature, (error, isGood) => {
      if (error === null) resolve(isGood);
      else fail(error);
    });
  });
}

/**
 * Verifies the signature in software; the range of r and s is checked first.
 *
 * @returns null where it is good, or a refusal `SIG_INVALID`
 * @source RFC 7518 section 3.4; FIPS 186-5 section 6.4.2
 */
export function refusalOfSignature(
  jws: UnverifiedJws,
  key: KeyObject,
  verifySignature: VerifySignature = verifyEs384,
): Reject | null {
  if (!isSignatureInRange(jws.signature)) return OUT_OF_RANGE;
  return verifySignature(key, utf8(jws.signingInput), jws.signature) ? null : DOES_NOT_VERIFY;
}

/** {@link refusalOfSignature} without keeping the event loop: what may change in the meantime is checked after it. */
export async function checkSignature(
  jws: UnverifiedJws,
  key: KeyObject,
  check: SignatureCheck = verifyEs384OnThreadPool,
): Promise<Reject | null> {
  if (!isSignatureInRange(jws.signature)) return OUT_OF_RANGE;
  return (await check(key, utf8(jws.signingInput), jws.signature)) ? null : DOES_NOT_VERIFY;
}

const OUT_OF_RANGE = reject('SIG_INVALID', 'signature', 'r or s is out of range.');
const DOES_NOT_VERIFY = reject('SIG_INVALID', 'signature', 'The signature does not verify.');

/** The payload of a JWS as an object, or a refusal; call after the signature was verified. */
export function parsePayload(jws: UnverifiedJws): JsonObject | Reject {
  return refusing(() => asObject(accepted(parseStrictJson(jws.payload)), 'payload'));
}

/** Members that a payload is built from: plain JSON without fractions. */
export type JsonInput =
  null | boolean | number | string | readonly JsonInput[] | { readonly [name: string]: JsonInput };

/** Makes the octets that are signed for a header and payload. */
export function encodeSigningInput(header: { readonly kid: string; readonly typ: string }, payload: JsonInput): string {
  const head = JSON.stringify({ alg: 'ES384', kid: header.kid, typ: header.typ });
  return `${toBase64Url(utf8(head))}.${toBase64Url(utf8(JSON.stringify(payload)))}`;
}

/**
 * Makes a compact JWS with a signature that is made elsewhere (in a token).
 *
 * @param sign - ES384 over the octets, r || s, 96 octets
 */
export async function signJws(
  header: { readonly kid: string; readonly typ: string },
  payload: JsonInput,
  sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>,
): Promise<string> {
  return signSigningInput(header.kid, encodeSigningInput(header, payload), sign);
}

/** {@link signJws} of a signing input that was made before. */
export async function signSigningInput(
  kid: string,
  signingInput: string,
  sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>,
): Promise<string> {
  return `${signingInput}.${toBase64Url(await sign(kid, utf8(signingInput)))}`;
}
