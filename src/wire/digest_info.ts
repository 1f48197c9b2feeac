import { concat } from '../bytes.js';

/** DER of DigestInfo up to the digest, by hash. */
const PREFIXES: Readonly<Record<string, Uint8Array>> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

/**
 * What RSASSA-PKCS1-v1_5 pads and signs: DigestInfo in DER.
 *
 * @param hash - `sha256`, `sha384` or `sha512`
 * @source RFC 8017 section 9.2, note 1
 */
export function digestInfo(hash: string, digest: Uint8Array): Uint8Array {
  const prefix = PREFIXES[hash];
  if (prefix === undefined) throw new TypeError(`no DigestInfo for ${hash}`);
  if (prefix.at(-1) !== digest.length) throw new RangeError(`a digest of ${hash} has ${prefix.at(-1)} octets`);
  return concat(prefix, digest);
}
