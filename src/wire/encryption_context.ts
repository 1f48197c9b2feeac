import { concat, lengthPrefixed, u32be, utf8 } from '../bytes.js';

/**
 * One encoding for each encryption context: the number of pairs, then each name and value behind its length, sorted by the
 * names' UTF-8 octets. Two contexts with the same pairs give the same octets in whatever order they were written down.
 *
 * @param context - names and values; an empty context and none at all are the same
 * @source AWS KMS developer guide, "Encryption context": order does not matter, case and content do
 */
export function encodeEncryptionContext(context: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(context).map(([name, value]) => ({
    name: Buffer.from(name, 'utf8'),
    value: utf8(value),
  }));
  pairs.sort((a, b) => Buffer.compare(a.name, b.name));
  return concat(
    u32be(pairs.length),
    ...pairs.flatMap((pair) => [lengthPrefixed(pair.name), lengthPrefixed(pair.value)]),
  );
}
