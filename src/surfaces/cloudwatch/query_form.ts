import { malformed } from './failure.js';
import type { Dialect } from './read.js';

/** Parameters of one request: a thousand data points with a few members each. */
const PARAMETERS_MAX = 20_000;
/** Levels of one parameter's name; the API has nine. */
const LEVELS_MAX = 16;
const INDEX = /^[1-9]\d{0,5}$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
const ISO_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** A parameter's text, or what is below its name. */
type Node = string | Map<string, Node>;

/**
 * Puts the parameters of the AWS Query protocol in the tree that their names describe: `Dimensions.member.1.Name`.
 *
 * @throws {@link ProtocolError} `MalformedInput` for names that contradict each other
 * @source Smithy, AWS query protocol
 */
export function parseQueryForm(parameters: URLSearchParams): ReadonlyMap<string, unknown> {
  const root = new Map<string, Node>();
  let count = 0;
  for (const [name, value] of parameters) {
    count += 1;
    if (count > PARAMETERS_MAX) throw malformed(`There are more than ${PARAMETERS_MAX} parameters.`);
    place(root, name.split('.', LEVELS_MAX + 1), value, name);
  }
  return root;
}

function place(root: Map<string, Node>, levels: readonly string[], value: string, name: string): void {
  if (levels.length > LEVELS_MAX) throw malformed('The name of a parameter has too many parts.');
  let node = root;
  for (const level of levels.slice(0, -1)) {
    const next = node.get(level);
    // A list that is announced as empty, and then has members, is a list with members.
    if (next === undefined || next === '') {
      const made = new Map<string, Node>();
      node.set(level, made);
      node = made;
    } else if (typeof next === 'string') {
      throw malformed(`The parameter ${name.slice(0, 128)} is both a value and a structure.`);
    } else {
      node = next;
    }
  }
  const last = levels.at(-1) ?? '';
  if (node.has(last)) throw malformed(`The parameter ${name.slice(0, 128)} comes twice.`);
  node.set(last, value);
}

/** How the Query protocol writes values: everything is a text. */
export const QUERY_DIALECT: Dialect = {
  text: textOf,
  number: (value) => {
    const found = textOf(value);
    if (found === undefined) return undefined;
    if (found === 'NaN') return Number.NaN;
    if (found === 'Infinity' || found === '-Infinity') return Number(found);
    return DECIMAL.test(found) ? Number(found) : undefined;
  },
  boolean: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  timestamp: (value) => {
    const found = textOf(value);
    if (found === undefined) return undefined;
    if (DECIMAL.test(found) && found.length > 4) return new Date(Math.round(Number(found) * 1000));
    return parseTime(found);
  },
  list: (value) => {
    if (value === '') return [];
    const items = value instanceof Map ? (value.get('member') as unknown) : undefined;
    if (!(items instanceof Map)) return undefined;
    const indexed: [number, unknown][] = [];
    for (const [index, item] of items as Map<unknown, unknown>) {
      if (typeof index !== 'string' || !INDEX.test(index)) return undefined;
      indexed.push([Number(index), item]);
    }
    return indexed.toSorted(([one], [other]) => one - other).map(([, item]) => item);
  },
  members: (value) => (value instanceof Map ? (value as ReadonlyMap<string, unknown>) : undefined),
};

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** ISO 8601; without offset it is UTC, without time midnight. */
function parseTime(text: string): Date | undefined {
  const parts = ISO_TIME.exec(text);
  if (parts === null) return undefined;
  const [, date = '', minutes = '00:00', seconds = ':00', offset = 'Z'] = parts;
  const zone = offset.length === 5 ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset;
  return new Date(`${date}T${minutes}${seconds}${zone}`);
}
