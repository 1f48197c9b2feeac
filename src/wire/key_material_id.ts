import { createHash } from 'node:crypto';
import { concat, lengthPrefixed, toHex, utf8 } from '../bytes.js';

const LABEL = utf8('keyferry-key-material-id-1');

/**
 * What the token encrypts under the material (AES-CBC, zero IV, no padding) to tell which material it is: 32 octets.
 *
 * @param keyId - key id without ARN
 */
export function keyMaterialIdChallenge(keyId: string): Uint8Array {
  return createHash('sha256')
    .update(concat(lengthPrefixed(LABEL), lengthPrefixed(utf8(keyId))))
    .digest();
}

/**
 * Key material id from the token's answer to {@link keyMaterialIdChallenge}.
 *
 * @param answer - the 32 encrypted octets; public, as the id is
 * @returns 64 lower-case hex digits, the same on every token that holds the material
 */
export function keyMaterialIdOf(answer: Uint8Array): string {
  return toHex(
    createHash('sha256')
      .update(concat(lengthPrefixed(LABEL), answer))
      .digest(),
  );
}
