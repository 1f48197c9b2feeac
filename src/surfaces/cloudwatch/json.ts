import { isUtf8 } from 'node:buffer';
import { malformed, type WireFailure } from './failure.js';
import type { Dialect } from './read.js';
import { membersOf, type Shape, type StructureShape } from './shape.js';

/**
 * Reads the body of an AWS JSON 1.0 request.
 *
 * @throws {@link ProtocolError} `MalformedInput`
 */
export function parseJson(body: Uint8Array): unknown {
  if (!isUtf8(body)) throw malformed('The request body is not valid UTF-8.');
  if (body.length === 0) return {};
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')) as unknown;
  } catch {
    throw malformed('The request body is not valid JSON.');
  }
}

/** How AWS JSON writes values. @source Smithy, AWS JSON 1.0 protocol */
export const JSON_DIALECT: Dialect = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  number: (value) => {
    if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
    return typeof value === 'number' ? value : undefined;
  },
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  timestamp: (value) => (typeof value === 'number' ? new Date(Math.round(value * 1000)) : undefined),
  list: (value) => (Array.isArray(value) ? (value as readonly unknown[]) : undefined),
  members: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : undefined,
};

/** An answer in AWS JSON. */
export function writeJsonAnswer(output: StructureShape | null, value: object): string {
  return JSON.stringify(output === null ? {} : jsonOf(output, value));
}

/** A failure in AWS JSON. */
export function writeJsonFailure({ shapeName, message }: WireFailure): string {
  return JSON.stringify({ __type: `com.amazonaws.cloudwatch#${shapeName}`, message });
}

function jsonOf(shape: Shape, value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (shape.type === 'list' && Array.isArray(value)) return value.map((item: unknown) => jsonOf(shape.member, item));
  if (shape.type === 'structure' && typeof value === 'object' && value !== null) {
    const values = new Map<string, unknown>(Object.entries(value));
    return Object.fromEntries(
      membersOf(shape)
        .filter(([name]) => values.get(name) !== undefined)
        .map(([name, member]) => [name, jsonOf(member, values.get(name))]),
    );
  }
  return value;
}
