import { createHash } from 'node:crypto';
import { toBase64Url, utf8 } from '../bytes.js';

const LABEL = 'KEYFERRY-DELETED-KEY\0';

/**
 * The name under which a region remembers what it must about a multi-Region key that was deleted: from it nobody learns the key id,
 * and whoever has the key id finds it again.
 *
 * @returns `deleted:` and SHA-384 of a label and the key id, base64url
 */
export function deletedKeyName(keyId: string): string {
  return `deleted:${toBase64Url(
    createHash('sha384')
      .update(utf8(`${LABEL}${keyId}`))
      .digest(),
  )}`;
}
