import { validationError } from '../../monitoring/errors.js';
import { malformed } from './failure.js';
import { membersOf, type Shape, type StructureShape, type Value } from './shape.js';

/** How a protocol writes the values that it has read; each returns undefined for a value of another type. */
export interface Dialect {
  readonly text: (value: unknown) => string | undefined;
  readonly number: (value: unknown) => number | undefined;
  readonly boolean: (value: unknown) => boolean | undefined;
  readonly timestamp: (value: unknown) => Date | undefined;
  readonly list: (value: unknown) => readonly unknown[] | undefined;
  readonly members: (value: unknown) => ReadonlyMap<string, unknown> | undefined;
}

/** Longest value that a message repeats, UTF-16 units. */
const SHOWN_LENGTH_MAX = 256;

/**
 * Reads the members of a request. Unknown members are ignored and null is absent, as the service does.
 *
 * @param input - what the protocol's parser gave
 * @throws {@link ProtocolError} `MalformedInput` for values of the wrong type; {@link MonitoringError} `ValidationError` with every
 * broken constraint at once
 */
export function readRequest<S extends StructureShape>(shape: S, input: unknown, dialect: Dialect): Value<S> {
  const violations: string[] = [];
  const value = read(shape, input, { dialect, path: '', violations });
  if (violations.length > 0) {
    const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
    throw validationError(`${count} detected: ${violations.join('; ')}`);
  }
  // The walk has checked each member against its shape, which is what Value states.
  return value as Value<S>;
}

interface Walk {
  readonly dialect: Dialect;
  readonly path: string;
  readonly violations: string[];
}

function read(shape: Shape, value: unknown, walk: Walk): unknown {
  const { dialect } = walk;
  switch (shape.type) {
    case 'text': {
      const found = present(dialect.text(value), 'a string', walk);
      if (found.length < shape.lengthMin) {
        violate(walk, found, `Member must have length greater than or equal to ${shape.lengthMin}`);
      }
      if (found.length > shape.lengthMax) {
        violate(walk, found, `Member must have length less than or equal to ${shape.lengthMax}`);
      }
      if (shape.pattern !== null && !shape.pattern.expression.test(found)) {
        violate(walk, found, `Member must satisfy regular expression pattern: ${shape.pattern.shown}`);
      }
      return found;
    }
    case 'enum': {
      const found = present(dialect.text(value), 'a string', walk);
      if (!shape.values.includes(found)) {
        violate(walk, found, `Member must satisfy enum value set: [${shape.values.join(', ')}]`);
      }
      return found;
    }
    case 'integer': {
      const found = dialect.number(value);
      if (found === undefined || !Number.isSafeInteger(found)) throw wrongType('an integer', walk);
      if (found < shape.min) violate(walk, found, `Member must have value greater than or equal to ${shape.min}`);
      if (found > shape.max) violate(walk, found, `Member must have value less than or equal to ${shape.max}`);
      return found;
    }
    case 'number':
      return present(dialect.number(value), 'a number', walk);
    case 'boolean':
      return present(dialect.boolean(value), 'a boolean', walk);
    case 'timestamp': {
      const found = present(dialect.timestamp(value), 'a timestamp', walk);
      if (Number.isNaN(found.getTime())) throw wrongType('a timestamp', walk);
      return found;
    }
    case 'list':
      return readList(shape.member, shape.lengthMax, present(dialect.list(value), 'a list', walk), walk);
    case 'structure':
      return readStructure(shape, present(dialect.members(value), 'a structure', walk), walk);
  }
}

function readList(member: Shape, lengthMax: number, items: readonly unknown[], walk: Walk): readonly unknown[] {
  if (items.length > lengthMax) {
    violate(walk, `a list of ${items.length}`, `Member must have length less than or equal to ${lengthMax}`);
    return [];
  }
  return items.map((item, index) => {
    const path = `${walk.path}.${index + 1}.member`;
    if (item === null || item === undefined) throw wrongType('a list without nulls', { ...walk, path });
    return read(member, item, { ...walk, path });
  });
}

function readStructure(
  shape: StructureShape,
  members: ReadonlyMap<string, unknown>,
  walk: Walk,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, member] of membersOf(shape)) {
    const value = members.get(name);
    const shown = name.charAt(0).toLowerCase() + name.slice(1);
    const path = walk.path === '' ? shown : `${walk.path}.${shown}`;
    if (value !== null && value !== undefined) values[name] = read(member, value, { ...walk, path });
    else if (Object.hasOwn(shape.required, name)) {
      walk.violations.push(`Value null at '${path}' failed to satisfy constraint: Member must not be null`);
    }
  }
  return values;
}

function present<Found>(found: Found | undefined, expected: string, walk: Walk): Found {
  if (found === undefined) throw wrongType(expected, walk);
  return found;
}

function wrongType(expected: string, { path }: Walk): Error {
  return malformed(`The value at '${path}' is not ${expected}.`);
}

function violate({ path, violations }: Walk, value: string | number, constraint: string): void {
  const shown = String(value).slice(0, SHOWN_LENGTH_MAX);
  violations.push(`Value '${shown}' at '${path}' failed to satisfy constraint: ${constraint}`);
}
