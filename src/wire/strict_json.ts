import { WIRE_LIMITS } from './limits.js';
import { refuse, refusing, type Reject } from './refusal.js';

/** What strict JSON can hold; numbers are integers that a double holds exactly. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** An object without prototype: every member is one that the text has. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** How much a text may hold. */
export interface JsonLimits {
  readonly depthMax: number;
  readonly arrayItemsMax: number;
  readonly membersMax: number;
}

const MESSAGE_LIMITS: JsonLimits = {
  depthMax: WIRE_LIMITS.jsonDepthMax,
  arrayItemsMax: WIRE_LIMITS.jsonArrayItemsMax,
  membersMax: WIRE_LIMITS.jsonMembersMax,
};

/** Reads one text from left to right; depth is bounded, so recursion is. */
class Scanner {
  readonly #text: string;
  readonly #limits: JsonLimits;
  #at = 0;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#take(SPACE);
    if (this.#at !== this.#text.length) refuse('SYNTAX', null, 'Something follows the JSON text.');
    return value;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #next(): string | undefined {
    this.#take(SPACE);
    return this.#text[this.#at];
  }

  #expect(character: string): void {
    if (this.#next() !== character) refuse('SYNTAX', null, `JSON lacks a "${character}".`);
    this.#at += 1;
  }

  #literal<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) refuse('SYNTAX', null, 'JSON has an unknown word.');
    this.#at += word.length;
    return value;
  }

  #value(depth: number): JsonValue {
    switch (this.#next()) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #number(): number {
    const digits = this.#take(NUMBER);
    const value = Number(digits);
    if (digits === '' || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      refuse('SYNTAX', null, 'JSON has something that is no value, or a number that is no integer below 2^53.');
    }
    if (/[.eE0-9]/.test(this.#text[this.#at] ?? ''))
      refuse('SYNTAX', null, 'JSON has a number that is no plain integer.');
    return value;
  }

  #string(): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      value += this.#take(PLAIN);
      const character = this.#text[this.#at];
      this.#at += 1;
      if (character === '"') break;
      if (character !== '\\') refuse('SYNTAX', null, 'A JSON string is not closed, or holds a control character.');
      const letter = this.#text[this.#at] ?? '';
      this.#at += 1;
      const plain = ESCAPES[letter];
      if (plain !== undefined) {
        value += plain;
        continue;
      }
      const digits = this.#text.slice(this.#at, this.#at + 4);
      if (letter !== 'u' || !/^[0-9A-Fa-f]{4}$/.test(digits))
        refuse('SYNTAX', null, 'A JSON string has an unknown escape.');
      value += String.fromCharCode(Number.parseInt(digits, 16));
      this.#at += 4;
    }
    if (LONE_SURROGATE.test(value)) refuse('SYNTAX', null, 'A JSON string is not Unicode.');
    return value;
  }

  #enter(depth: number): void {
    if (depth > this.#limits.depthMax) refuse('LIMIT', null, `JSON is nested deeper than ${this.#limits.depthMax}.`);
    this.#at += 1;
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth);
    const items: JsonValue[] = [];
    if (this.#next() === ']') {
      this.#at += 1;
      return items;
    }
    for (;;) {
      if (items.length === this.#limits.arrayItemsMax) {
        refuse('LIMIT', null, `A JSON array has more than ${this.#limits.arrayItemsMax} items.`);
      }
      items.push(this.#value(depth));
      if (this.#next() === ']') break;
      this.#expect(',');
    }
    this.#at += 1;
    return items;
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    const members = Object.create(null) as Record<string, JsonValue>;
    let count = 0;
    if (this.#next() === '}') {
      this.#at += 1;
      return members;
    }
    for (;;) {
      if (this.#next() !== '"') refuse('SYNTAX', null, 'A JSON object has a member without a name.');
      const name = this.#string();
      if (name in members) refuse('JSON_DUP', name.slice(0, 64), 'A member name occurs twice.');
      if (count === this.#limits.membersMax)
        refuse('LIMIT', null, `A JSON object has more than ${this.#limits.membersMax} members.`);
      count += 1;
      this.#expect(':');
      members[name] = this.#value(depth);
      if (this.#next() === '}') break;
      this.#expect(',');
    }
    this.#at += 1;
    return members;
  }
}

/**
 * Parses a JSON text strictly: UTF-8 without byte order mark, no duplicate member names, integers below 2^53 only, bounded in
 * depth, array length and member count.
 *
 * @returns the value, or a refusal `JSON_DUP`, `LIMIT` or `SYNTAX`
 * @source RFC 8259; RFC 7515 section 4 for duplicate names
 */
export function parseStrictJson(octets: Uint8Array, limits: JsonLimits = MESSAGE_LIMITS): JsonValue | Reject {
  return refusing(() => {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
    } catch {
      return refuse('SYNTAX', null, 'The JSON text is not UTF-8.');
    }
    return new Scanner(text, limits).document();
  });
}
