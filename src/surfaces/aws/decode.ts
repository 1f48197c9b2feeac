import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../limits.js';
import { AwsError } from './exceptions.js';
import type { Decoded, EnumShape, IntegerShape, Shape, StructureShape, TextShape } from './shape.js';

/** Members whose values no message ever shows. */
const SENSITIVE: ReadonlySet<string> = new Set([
  'KeyStorePassword',
  'Message',
  'Plaintext',
  'PrivateKeyPlaintext',
  'SharedSecret',
  'XksProxyAuthenticationCredential',
]);
/** Longest value that a validation message repeats, UTF-16 units. */
const SHOWN_LENGTH_MAX = 2048;
const SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Where in the request a value is; put into words only where something is wrong with the value. */
interface Place {
  readonly parent: Place | null;
  /** Name of a member, or `1.member` in a list. */
  readonly name: string;
}

const ROOT: Place = { parent: null, name: '' };

/** `keyId`, `tags.1.member.tagKey`. */
function pathOf({ parent, name }: Place): string {
  const camelCase = name.charAt(0).toLowerCase() + name.slice(1);
  return parent === null || parent === ROOT ? camelCase : `${pathOf(parent)}.${camelCase}`;
}

function isSensitive({ parent, name }: Place): boolean {
  return SENSITIVE.has(name) || (parent !== null && isSensitive(parent));
}

/**
 * Decodes the body of a request: one JSON object, checked against the members' shapes. Unknown members are ignored and null is
 * absent, as the service does.
 *
 * @param body - UTF-8
 * @throws {@link AwsError} `SerializationException` for what is not JSON of the right types; `ValidationException` with every
 * broken constraint at once
 * @source AWS JSON 1.1 protocol; texts as recorded from the service
 */
export function decodeRequest<S extends StructureShape>(shape: S, body: Uint8Array): Decoded<S> {
  const violations: string[] = [];
  const decoded = decodeStructure(shape, parseObject(body), ROOT, violations);
  if (violations.length > 0) throw validationFailure(violations);
  // The walk has checked each member against its shape, which is what Decoded states.
  return decoded as Decoded<S>;
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (!isUtf8(body)) throw serialization('The request body is not valid UTF-8.');
  let value: unknown;
  try {
    value =
      body.length === 0 ? {} : JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch {
    throw serialization('The request body is not valid JSON.');
  }
  if (!isObject(value)) throw serialization('The request body is not a JSON object.');
  return value;
}

function validationFailure(violations: readonly string[]): AwsError {
  const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
  return new AwsError('ValidationException', `${count} detected: ${violations.join('; ')}`);
}

function decodeStructure(
  shape: StructureShape,
  value: Readonly<Record<string, unknown>>,
  place: Place,
  violations: string[],
): Record<string, unknown> {
  const decoded: Record<string, unknown> = {};
  for (const name in shape.required) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    const at = within(place, name);
    if (member === undefined || member === null) {
      violations.push(`Value null at '${pathOf(at)}' failed to satisfy constraint: Member must not be null`);
    } else {
      decoded[name] = decodeValue(memberShape(shape.required, name), member, at, violations);
    }
  }
  for (const name in shape.optional) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    if (member === undefined || member === null) continue;
    decoded[name] = decodeValue(memberShape(shape.optional, name), member, within(place, name), violations);
  }
  return decoded;
}

function memberShape(members: Readonly<Record<string, Shape>>, name: string): Shape {
  const shape = members[name];
  if (shape === undefined) throw new Error(`member ${name} has no shape`);
  return shape;
}

function within(parent: Place, name: string): Place {
  return { parent, name };
}

function decodeValue(shape: Shape, value: unknown, place: Place, violations: string[]): unknown {
  switch (shape.type) {
    case 'text':
      return decodeText(shape, requireType(value, 'string', place), place, violations);
    case 'enum':
      return decodeEnum(shape, requireType(value, 'string', place), place, violations);
    case 'integer':
      return decodeInteger(shape, value, place, violations);
    case 'boolean':
      return requireType(value, 'boolean', place);
    case 'timestamp':
      return decodeTimestamp(value, place);
    case 'blob':
      return decodeBlob(shape, requireType(value, 'string', place), place, violations);
    case 'map':
      return decodeMap(value, place, violations);
    case 'list':
      return decodeList(shape, value, place, violations);
    case 'structure':
      if (!isObject(value)) throw serialization(`The value at '${pathOf(place)}' is not a JSON object.`);
      return decodeStructure(shape, value, place, violations);
  }
}

function decodeText(shape: TextShape, value: string, place: Place, violations: string[]): string {
  requireWellFormed(value, place);
  checkLength(shape, value.length, () => value, place, violations);
  if (shape.pattern !== undefined && !shape.pattern.expression.test(value)) {
    violations.push(broken(value, place, `Member must satisfy regular expression pattern: ${shape.pattern.shown}`));
  }
  return value;
}

function decodeEnum(shape: EnumShape, value: string, place: Place, violations: string[]): string {
  if (!shape.values.includes(value)) {
    violations.push(broken(value, place, `Member must satisfy enum value set: [${shape.values.join(', ')}]`));
  }
  return value;
}

function decodeInteger(shape: IntegerShape, value: unknown, place: Place, violations: string[]): number {
  const number = requireType(value, 'number', place);
  if (!Number.isSafeInteger(number)) throw serialization(`The value at '${pathOf(place)}' is not an integer.`);
  if (number < shape.min) {
    violations.push(broken(String(number), place, `Member must have value greater than or equal to ${shape.min}`));
  }
  if (number > shape.max) {
    violations.push(broken(String(number), place, `Member must have value less than or equal to ${shape.max}`));
  }
  return number;
}

/** Seconds since the epoch, kept to the millisecond. */
function decodeTimestamp(value: unknown, place: Place): Date {
  const date = new Date(Math.round(requireType(value, 'number', place) * 1000));
  if (Number.isNaN(date.getTime())) throw serialization(`The value at '${pathOf(place)}' is not a point in time.`);
  return date;
}

function decodeBlob(
  shape: { readonly lengthMin: number; readonly lengthMax: number },
  value: string,
  place: Place,
  violations: string[],
): Uint8Array {
  if (!BASE64.test(value)) throw serialization(`The value at '${pathOf(place)}' is not base64.`);
  const octets = Buffer.from(value, 'base64');
  checkLength(shape, octets.length, undefined, place, violations);
  return octets;
}

function checkLength(
  shape: { readonly lengthMin: number; readonly lengthMax: number },
  length: number,
  shown: (() => string) | undefined,
  place: Place,
  violations: string[],
): void {
  if (length < shape.lengthMin) {
    violations.push(broken(shown?.(), place, `Member must have length greater than or equal to ${shape.lengthMin}`));
  }
  if (length > shape.lengthMax) {
    violations.push(broken(shown?.(), place, `Member must have length less than or equal to ${shape.lengthMax}`));
  }
}

/** An object without prototype, so that every name, `__proto__` included, is a pair like any other. */
function decodeMap(value: unknown, place: Place, violations: string[]): Readonly<Record<string, string>> {
  if (!isObject(value)) throw serialization(`The value at '${pathOf(place)}' is not a JSON object.`);
  const map: Record<string, string> = Object.create(null);
  let octets = 0;
  for (const name of Object.keys(value)) {
    const entry = value[name];
    if (typeof entry !== 'string' && typeof entry !== 'number' && typeof entry !== 'boolean') {
      throw serialization(`A value of the map at '${pathOf(place)}' is not a string.`);
    }
    requireWellFormed(name, place);
    const text = requireWellFormed(String(entry), place);
    octets += Buffer.byteLength(name) + Buffer.byteLength(text);
    map[name] = text;
  }
  if (octets > LIMITS.kmsEncryptionContextBytesMax) {
    const bound = `Member must have at most ${LIMITS.kmsEncryptionContextBytesMax} bytes of names and values`;
    violations.push(broken(undefined, place, bound));
  }
  return map;
}

function decodeList(
  shape: { readonly member: Shape; readonly lengthMax: number },
  value: unknown,
  place: Place,
  violations: string[],
): readonly unknown[] {
  if (!Array.isArray(value)) throw serialization(`The value at '${pathOf(place)}' is not a list.`);
  const members: readonly unknown[] = value;
  if (members.length > shape.lengthMax) {
    const shown = `[${members.filter((member) => typeof member === 'string').join(', ')}]`;
    violations.push(broken(shown, place, `Member must have length less than or equal to ${shape.lengthMax}`));
  }
  return members.slice(0, shape.lengthMax).map((member, index) => {
    const at = within(place, `${index + 1}.member`);
    if (member !== null) return decodeValue(shape.member, member, at, violations);
    violations.push(`Value null at '${pathOf(at)}' failed to satisfy constraint: Member must not be null`);
    return member;
  });
}

function broken(value: string | undefined, place: Place, constraint: string): string {
  const shown = value === undefined || isSensitive(place) ? 'Value' : `Value '${value.slice(0, SHOWN_LENGTH_MAX)}'`;
  return `${shown} at '${pathOf(place)}' failed to satisfy constraint: ${constraint}`;
}

interface JsonTypes {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

function requireType<Name extends keyof JsonTypes>(value: unknown, type: Name, place: Place): JsonTypes[Name] {
  if (typeof value !== type) throw serialization(`The value at '${pathOf(place)}' is not a ${type}.`);
  return value as JsonTypes[Name];
}

/** Lone surrogates have no UTF-8: two texts that differ in them only would become the same octets. */
function requireWellFormed(value: string, place: Place): string {
  // Texts without surrogates, which is nearly all, need no search by code points.
  if (SURROGATE.test(value) && LONE_SURROGATE.test(value)) {
    throw serialization(`The value at '${pathOf(place)}' is not valid Unicode.`);
  }
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function serialization(message: string): AwsError {
  return new AwsError('SerializationException', message);
}
