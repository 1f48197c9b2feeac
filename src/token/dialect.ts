import { createHash } from 'node:crypto';
import { z } from 'zod';
import { concat } from '../bytes.js';
import { ConfigError } from '../errors.js';
import { constantNumber, mechanismNumber } from './names.js';

const WORD_MAX = 0xffff_ffff;
const ANY = WORD_MAX;

/** A number as a manual has it: `0x8000216F`, in quotes or not. */
const number = z.union([
  z.int().min(0).max(WORD_MAX),
  z
    .string()
    .regex(/^0x[0-9a-f]{1,8}$/iu, 'a number is written like 0x8000216F')
    .transform((text) => Number.parseInt(text, 16)),
]);

/** Calls that make objects, as rules name them; the public half of a pair has a template of its own. */
const callBits = {
  generate: 1,
  derive: 2,
  unwrap: 4,
  create: 8,
  copy: 16,
  generatePublic: 32,
} as const;
const CALLS = ['generate', 'derive', 'unwrap', 'create', 'copy', 'generatePublic'] as const;

const named = (prefix: string): z.ZodString =>
  z
    .string()
    .refine(
      (name) => constantNumber(prefix, name) !== undefined,
      `it is none of ${prefix} names that are known, and no number like 0x80000001`,
    );
const mechanism = z
  .string()
  .refine(
    (name) => mechanismNumber(name) !== undefined,
    'it is no mechanism of PKCS#11, and no number like 0x80000001',
  );

/** Form of a {@link ModuleDialect}. */
export const dialectForm = z.strictObject({
  /** The module's numbers of mechanisms, by their names in the standard. */
  mechanisms: z.record(mechanism, number).exactOptional(),
  /** The module's numbers of the key derivation functions of `CKM_ECDH1_DERIVE`, by their names in the standard. */
  kdfs: z.record(named('CKD_'), number).exactOptional(),
  attributes: z
    .array(
      z.strictObject({
        calls: z.array(z.enum(CALLS)).min(1),
        class: named('CKO_').exactOptional(),
        keyType: named('CKK_').exactOptional(),
        /** Attributes that are left out. What the token makes is compared with what was wanted all the same. */
        forbid: z.array(named('CKA_')).exactOptional(),
        /** Attributes that are put in where they are not: true, false, a number, or octets in hexadecimal behind `hex:`. */
        require: z
          .record(
            named('CKA_'),
            z.union([
              z.boolean(),
              z.int().min(0),
              z.string().regex(/^hex:(?:[0-9a-f]{2})*$/iu, 'octets are written like hex:00ff'),
            ]),
          )
          .exactOptional(),
      }),
    )
    .max(64)
    .exactOptional(),
});

/**
 * Where a module departs from the standard, as its manual says it: other numbers, attributes that it wants or refuses. Everything else
 * speaks the standard; jobs are put into the module's words before they reach it.
 */
export type ModuleDialect = Readonly<z.infer<typeof dialectForm>>;

/** A dialect as a person reads it, a line for each departure: `CKM_AES_KEY_WRAP_KWP is 0x8000216f`. */
export function describeDialect(dialect: ModuleDialect): readonly string[] {
  const numbers = Object.entries({ ...dialect.mechanisms, ...dialect.kdfs }).map(
    ([name, own]) => `${name} is 0x${own.toString(16).padStart(8, '0')}`,
  );
  const rules = (dialect.attributes ?? []).map(({ calls, class: objectClass, keyType, forbid = [], require = {} }) => {
    const where = [calls.join(', '), objectClass, keyType].filter((part) => part !== undefined).join(' ');
    const what = [
      ...forbid.map((name) => `without ${name}`),
      ...Object.entries(require).map(([name, value]) => `with ${name} ${value}`),
    ];
    return `${where}: ${what.join(', ')}`;
  });
  return [...numbers, ...rules];
}

/** A short name of a dialect, for a profile that was made with it: lower-case hexadecimal. */
export function dialectDigest(dialect: ModuleDialect): string {
  return createHash('sha256').update(encodeDialect(dialect)).digest('hex').slice(0, 32);
}

/**
 * A dialect as the addon reads it.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE` for a name that is none
 * @source native/src/dialect.h
 */
export function encodeDialect(dialect: ModuleDialect): Uint8Array {
  const numbers = (
    given: Readonly<Record<string, number>>,
    numberOf: (name: string) => number | undefined,
  ): Uint8Array => {
    const entries = Object.entries(given);
    return words(entries.length, ...entries.flatMap(([name, own]) => [known(name, numberOf(name)), own]));
  };
  const rules = (dialect.attributes ?? []).flatMap((rule) => {
    const where = [
      rule.calls.reduce((bits, call) => bits | callBits[call], 0),
      rule.class === undefined ? ANY : known(rule.class, constantNumber('CKO_', rule.class)),
      rule.keyType === undefined ? ANY : known(rule.keyType, constantNumber('CKK_', rule.keyType)),
    ];
    const attribute = (name: string): number => known(name, constantNumber('CKA_', name));
    return [
      ...(rule.forbid ?? []).map((name) => concat(words(...where, attribute(name), 0), octets(new Uint8Array()))),
      ...Object.entries(rule.require ?? {}).map(([name, value]) =>
        concat(words(...where, attribute(name)), valueOf(value)),
      ),
    ];
  });
  return concat(
    numbers(dialect.mechanisms ?? {}, mechanismNumber),
    numbers(dialect.kdfs ?? {}, (name) => constantNumber('CKD_', name)),
    words(rules.length),
    ...rules,
  );
}

function valueOf(value: boolean | number | string): Uint8Array {
  if (typeof value === 'boolean') return concat(words(1), octets(Uint8Array.of(value ? 1 : 0)));
  if (typeof value === 'number') {
    const eight = Buffer.alloc(8);
    eight.writeBigUInt64LE(BigInt(value));
    return concat(words(2), octets(eight));
  }
  return concat(words(3), octets(Buffer.from(value.slice('hex:'.length), 'hex')));
}

function known(name: string, found: number | undefined): number {
  if (found !== undefined) return found;
  throw new ConfigError('ERR_CONFIG_FILE', `${name} is no name of PKCS#11`, { details: { name } });
}

function words(...values: readonly number[]): Uint8Array {
  const written = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => written.writeUInt32LE(value, at * 4));
  return written;
}

/** Octets behind their length, filled up to whole words. */
function octets(value: Uint8Array): Uint8Array {
  return concat(words(value.length), value, new Uint8Array((4 - (value.length % 4)) % 4));
}
