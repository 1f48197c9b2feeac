import { parseJws, parsePayload, signJws, type JsonInput, type UnverifiedJws } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';
import type { JsonObject } from '../../src/wire/strict_json.js';
import { toBase64Url, utf8 } from '../../src/bytes.js';

/** Whoever can sign with an RSK: a region, or an attacker that has got one. */
export interface Signer {
  readonly kid: string;
  sign(kid: string, octets: Uint8Array): Promise<Uint8Array>;
}

/** A region's RSK in the hands of whoever writes the test. */
export function signerOf(
  region: { readonly kid: string; readonly hsm: { sign(kid: string, octets: Uint8Array): Promise<Uint8Array> } },
  kid = region.kid,
): Signer {
  return { kid, sign: (name, octets) => region.hsm.sign(name, octets) };
}

/** A compact message taken apart. */
export function takeApart(compact: string | Uint8Array): { readonly jws: UnverifiedJws; readonly payload: JsonObject } {
  const jws = parseJws(compact);
  if (isReject(jws)) throw new Error(`not a JWS: ${jws.code}`);
  const payload = parsePayload(jws);
  if (isReject(payload)) throw new Error(`no payload: ${payload.code}`);
  return { jws, payload };
}

/** JSON that may be changed. */
export type ChangeableValue = null | boolean | number | string | ChangeableValue[] | Changeable;
/** A copy of a payload that may be changed. */
export interface Changeable {
  [name: string]: ChangeableValue;
}

/** An object inside a payload: `at(payload, 'keys', 0)`. */
export function at(payload: Changeable, ...path: readonly (string | number)[]): Changeable {
  let value: ChangeableValue = payload;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) throw new Error(`nothing at ${path.join('.')}`);
    value = (value as { [step: string | number]: ChangeableValue })[step] ?? null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`no object at ${path.join('.')}`);
  return value;
}

/**
 * Changes a message and signs it again: a validly signed bad message.
 *
 * @param change - changes a copy of the payload in place
 * @param typ - another type in the header
 */
export async function resign(
  compact: string | Uint8Array,
  signer: Signer,
  change: (payload: Changeable) => void,
  typ?: string,
): Promise<Uint8Array> {
  const { jws, payload } = takeApart(compact);
  const copy = JSON.parse(JSON.stringify(payload)) as Changeable;
  change(copy);
  return utf8(
    await signJws({ kid: signer.kid, typ: typ ?? jws.typ }, copy as JsonInput, (kid, octets) =>
      signer.sign(kid, octets),
    ),
  );
}

/** Signs any header and payload texts, whatever is wrong with them. */
export async function signTexts(header: string, payload: string, signer: Signer): Promise<Uint8Array> {
  const input = `${toBase64Url(utf8(header))}.${toBase64Url(utf8(payload))}`;
  return utf8(`${input}.${toBase64Url(await signer.sign(signer.kid, utf8(input)))}`);
}

/** Replaces the signature of a message. */
export function withSignature(compact: Uint8Array, signature: Uint8Array): Uint8Array {
  const text = Buffer.from(compact).toString('latin1');
  return utf8(`${text.slice(0, text.lastIndexOf('.'))}.${toBase64Url(signature)}`);
}

/** Flips one bit of a text inside one part of a message, in the decoded octets. */
export function flipBit(compact: Uint8Array, part: 0 | 1 | 2, bit: number): Uint8Array {
  const parts = Buffer.from(compact).toString('latin1').split('.');
  const octets = Buffer.from(parts[part] ?? '', 'base64url');
  const at = Math.floor(bit / 8) % octets.length;
  octets[at] = (octets[at] ?? 0) ^ (1 << (bit % 8));
  parts[part] = octets.toString('base64url');
  return utf8(parts.join('.'));
}
