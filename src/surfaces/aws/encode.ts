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
  for (const [name, member] of Object.entries(value)) encoded[name] = encodeValue(member as Encodable);
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
