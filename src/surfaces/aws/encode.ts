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
type Encodable = string | number | boolean | Date | Uint8Array | readonly Encodable[] | object | undefined;

/**
 * Encodes an operation's answer as AWS JSON 1.1: octets as base64, times as seconds since the epoch with their fraction,
 * absent members left out.
 *
 * @source AWS JSON 1.1 protocol
 */
export function encodeResponse(response: object): string {
  return JSON.stringify(encodeMembers(response));
}

function encodeMembers(value: object): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  const members = value as Readonly<Record<string, Encodable>>;
  for (const name of Object.keys(members)) encoded[name] = encodeValue(members[name]);
  return encoded;
}

function encodeValue(value: Encodable): unknown {
  if (typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return toBase64(value);
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map((member: Encodable) => encodeValue(member));
  return encodeMembers(value);
}

function toBase64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');
}
