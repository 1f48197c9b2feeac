import { decode, encode, Tagged, Token, Type, type EncodeOptions } from 'cborg';
import { malformed, type WireFailure } from './failure.js';
import type { Dialect } from './read.js';
import { membersOf, type Shape, type StructureShape } from './shape.js';

/** Tag of seconds since the epoch. @source RFC 8949 §3.4.2 */
const EPOCH_TAG = 1;

/** Seconds since the epoch, as they were tagged. */
class EpochSeconds {
  readonly seconds: unknown;

  constructor(seconds: unknown) {
    this.seconds = seconds;
  }
}

/**
 * Reads the body of an RPC v2 CBOR request.
 *
 * @throws {@link ProtocolError} `MalformedInput`
 * @source Smithy, RPC v2 CBOR protocol; RFC 8949
 */
export function parseCbor(body: Uint8Array): unknown {
  if (body.length === 0) return new Map();
  try {
    return decode(body, {
      useMaps: true,
      rejectDuplicateMapKeys: true,
      tags: { [EPOCH_TAG]: (content) => new EpochSeconds(content()) },
    }) as unknown;
  } catch {
    throw malformed('The request body is not valid CBOR.');
  }
}

/** How RPC v2 CBOR writes values. */
export const CBOR_DIALECT: Dialect = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  number: (value) => {
    if (typeof value === 'bigint') return Number(value);
    return typeof value === 'number' ? value : undefined;
  },
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  timestamp: (value) => {
    if (!(value instanceof EpochSeconds)) return undefined;
    const seconds = typeof value.seconds === 'bigint' ? Number(value.seconds) : value.seconds;
    return typeof seconds === 'number' ? new Date(Math.round(seconds * 1000)) : undefined;
  },
  list: (value) => (Array.isArray(value) ? (value as readonly unknown[]) : undefined),
  members: (value) => (value instanceof Map ? (value as ReadonlyMap<string, unknown>) : undefined),
};

/** Floating-point numbers stay so, whole or not: a one-element array stands for one. */
const OPTIONS: EncodeOptions = {
  float64: true,
  typeEncoders: { Float64Array: (value: Float64Array) => new Token(Type.float, value[0]) },
};

/** An answer in CBOR; empty for an operation that answers nothing. */
export function writeCborAnswer(output: StructureShape | null, value: object): Uint8Array {
  return output === null ? new Uint8Array() : encode(cborOf(output, value), OPTIONS);
}

/** A failure in CBOR. */
export function writeCborFailure({ shapeName, message }: WireFailure): Uint8Array {
  return encode({ __type: `com.amazonaws.cloudwatch#${shapeName}`, message });
}

function cborOf(shape: Shape, value: unknown): unknown {
  if (value instanceof Date) return new Tagged(EPOCH_TAG, Float64Array.of(value.getTime() / 1000));
  if (shape.type === 'number' && typeof value === 'number') return Float64Array.of(value);
  if (shape.type === 'list' && Array.isArray(value)) return value.map((item: unknown) => cborOf(shape.member, item));
  if (shape.type === 'structure' && typeof value === 'object' && value !== null) {
    const values = new Map<string, unknown>(Object.entries(value));
    return new Map(
      membersOf(shape)
        .filter(([name]) => values.get(name) !== undefined)
        .map(([name, member]) => [name, cborOf(member, values.get(name))]),
    );
  }
  return value;
}
