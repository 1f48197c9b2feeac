import { decodeBase64Url } from './base64url.js';
import { isMaterialId, isMultiRegionKeyId, isName, parseCounter } from './names.js';
import type { PublicJwk } from './p384.js';
import { refuse, type RefusalCode } from './refusal.js';
import type { JsonObject, JsonValue } from './strict_json.js';

/**
 * Reads the members of one JSON object, each into a precise type. A member that is missing, unknown or of another type ends the
 * surrounding `refusing` with `SYNTAX` and the member's path.
 */
export class Members {
  readonly #object: JsonObject;
  readonly #path: string;

  /**
   * @param names - exactly the members that the object must have
   * @param path - where the object is, for the refusal; empty for the payload itself
   */
  constructor(value: JsonValue, names: readonly string[], path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      refuse('SYNTAX', path || null, 'Not an object.');
    this.#object = value as JsonObject;
    this.#path = path;
    for (const name of Object.keys(this.#object)) {
      if (!names.includes(name)) refuse('SYNTAX', this.path(name.slice(0, 64)), 'An unknown member.');
    }
    for (const name of names) {
      if (!(name in this.#object)) refuse('SYNTAX', this.path(name), 'A member is missing.');
    }
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  /** Whether the object has a member that it need not have. */
  has(name: string): boolean {
    return name in this.#object;
  }

  value(name: string): JsonValue {
    return this.#object[name] ?? null;
  }

  text(name: string, charactersMax = 65_536): string {
    const value = this.value(name);
    if (typeof value !== 'string') refuse('SYNTAX', this.path(name), 'Not a text.');
    if (value.length > charactersMax) refuse('LIMIT', this.path(name), `Longer than ${charactersMax} characters.`);
    return value;
  }

  integer(name: string): number {
    const value = this.value(name);
    if (typeof value !== 'number' || value < 0) refuse('SYNTAX', this.path(name), 'Not an integer from 0.');
    return value;
  }

  /** A text that must be this one. */
  literal<T extends string | number | boolean>(name: string, expected: T, code: RefusalCode = 'SYNTAX'): T {
    if (this.value(name) !== expected) refuse(code, this.path(name), `Not ${JSON.stringify(expected)}.`);
    return expected;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const text = this.text(name, 128);
    const found = choices.find((choice) => choice === text);
    return found ?? refuse('SYNTAX', this.path(name), 'Not one of the known words.');
  }

  /** A partition or region name. */
  name(name: string): string {
    const text = this.text(name);
    if (!isName(text)) refuse('SYNTAX', this.path(name), 'Not 1–32 lower-case ASCII letters, digits and hyphens.');
    return text;
  }

  keyId(name: string): string {
    const text = this.text(name);
    if (!isMultiRegionKeyId(text)) refuse('SYNTAX', this.path(name), 'Not the id of a multi-Region key.');
    return text;
  }

  materialId(name: string): string {
    const text = this.text(name);
    if (!isMaterialId(text)) refuse('SYNTAX', this.path(name), 'Not a key material id.');
    return text;
  }

  /** A decimal text of 64 bits. */
  counter(name: string): bigint {
    return parseCounter(this.text(name)) ?? refuse('SYNTAX', this.path(name), 'Not a decimal counter of 64 bits.');
  }

  /** Octets in base64url; `code` is what their absence or a wrong length means. */
  octets(
    name: string,
    options: { readonly length?: number; readonly lengthMax?: number; readonly code?: RefusalCode } = {},
  ): Uint8Array {
    const code = options.code ?? 'SYNTAX';
    const value = this.value(name);
    const octets = typeof value === 'string' ? decodeBase64Url(value) : null;
    if (octets === null) return refuse(code, this.path(name), 'Not strict base64url.');
    if (options.length !== undefined && octets.length !== options.length) {
      refuse(code, this.path(name), `Not ${options.length} octets.`);
    }
    if (options.lengthMax !== undefined && octets.length > options.lengthMax) {
      refuse('LIMIT', this.path(name), `More than ${options.lengthMax} octets.`);
    }
    return octets;
  }

  /** Octets of fixed length in base64url, kept as text. */
  encoded(name: string, octets: number): string {
    this.octets(name, { length: octets });
    return this.text(name);
  }

  nullable<T>(name: string, read: () => T): T | null {
    return this.value(name) === null ? null : read();
  }

  /** Each item of an array, read with its own path. */
  list<T>(
    name: string,
    bounds: { readonly min?: number; readonly max: number },
    read: (item: JsonValue, path: string) => T,
  ): readonly T[] {
    const value = this.value(name);
    if (!Array.isArray(value)) refuse('SYNTAX', this.path(name), 'Not an array.');
    const items = value as readonly JsonValue[];
    if (items.length > bounds.max) refuse('LIMIT', this.path(name), `More than ${bounds.max} items.`);
    if (items.length < (bounds.min ?? 0)) refuse('SYNTAX', this.path(name), `Fewer than ${bounds.min ?? 0} items.`);
    return items.map((item, index) => read(item, `${this.path(name)}[${index}]`));
  }

  /** Texts of an array, none of them twice. */
  texts(
    name: string,
    bounds: { readonly min?: number; readonly max: number },
    isValid: (text: string) => boolean,
  ): readonly string[] {
    const items = this.list(name, bounds, (item, path) =>
      typeof item === 'string' && isValid(item) ? item : refuse('SYNTAX', path, 'Not a text of the right form.'),
    );
    if (new Set(items).size !== items.length) refuse('SYNTAX', this.path(name), 'An item occurs twice.');
    return items;
  }

  jwk(name: string): PublicJwk {
    const members = new Members(this.value(name), ['kty', 'crv', 'x', 'y'], this.path(name));
    return {
      kty: members.literal('kty', 'EC'),
      crv: members.literal('crv', 'P-384'),
      x: members.encoded('x', 48),
      y: members.encoded('y', 48),
    };
  }
}
