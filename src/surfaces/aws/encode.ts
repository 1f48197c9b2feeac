import { quote } from '../../wire/json_text.js';

/** Operations whose answer has no body. @source AWS KMS API Reference: "the service sends back an HTTP 200 response with an empty HTTP body" */
const WITHOUT_BODY: ReadonlySet<string> = new Set([
  'CreateAlias',
  'DeleteAlias',
  'DisableKey',
  'DisableKeyRotation',
  'EnableKey',
  'EnableKeyRotation',
  'PutKeyPolicy',
  'RetireGrant',
  'RevokeGrant',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateKeyDescription',
  'UpdatePrimaryRegion',
]);

/** The body of an operation's answer, as {@link encodeResponse}; empty for operations that answer nothing. */
export function encodeAnswer(operation: string, response: object): string {
  return WITHOUT_BODY.has(operation) ? '' : encodeResponse(response);
}

/** A value of an operation's answer. */
type Encodable = string | number | boolean | null | Date | Uint8Array | readonly Encodable[] | object | undefined;

/**
 * Encodes an operation's answer as AWS JSON 1.1: octets as base64, times as seconds since the epoch with their fraction,
 * absent members left out.
 *
 * @source AWS JSON 1.1 protocol
 */
export function encodeResponse(response: object): string {
  return encodeMembers(response);
}

function encodeMembers(value: object): string {
  const members = value as Readonly<Record<string, Encodable>>;
  let text = '';
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (member === undefined) continue;
    text += text === '' ? '{' : ',';
    text += `${quote(name)}:${encodeValue(member)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

function encodeValue(value: Encodable): string {
  if (typeof value === 'string') return quote(value);
  if (value === undefined || value === null) return 'null';
  if (typeof value !== 'object') return JSON.stringify(value);
  // No character of base64 has to be escaped.
  if (value instanceof Uint8Array) return `"${toBase64(value)}"`;
  if (value instanceof Date) return JSON.stringify(value.getTime() / 1000);
  if (Array.isArray(value)) return `[${value.map((member: Encodable) => encodeValue(member)).join(',')}]`;
  return encodeMembers(value);
}

function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');
}
