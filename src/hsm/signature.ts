import { constants, verify, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { SigningSteps } from './algorithm.js';

const verifyAsync: (
  hash: string | null,
  message: Uint8Array,
  key: {
    readonly key: KeyObject;
    readonly dsaEncoding?: 'ieee-p1363';
    readonly padding?: number;
    readonly saltLength?: number;
  },
  signature: Uint8Array,
) => Promise<boolean> = promisify(verify);

/** Octets of a salt of RSASSA-PSS, by hash: as many as the digest has. */
const saltOctets: Readonly<Record<string, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/**
 * Verifies in software what a token signed; it needs no secret, and runs off the event loop.
 *
 * @param signature - as the token gives it: for ECDSA r || s
 */
export function isSignatureOf(
  publicKey: KeyObject,
  algorithm: Pick<SigningSteps, 'scheme' | 'hash'>,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  switch (algorithm.scheme) {
    case 'pkcs1':
      return verifyAsync(algorithm.hash, message, { key: publicKey }, signature);
    case 'pss': {
      const saltLength = saltOctets[algorithm.hash] ?? 0;
      const key = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      return verifyAsync(algorithm.hash, message, key, signature);
    }
    case 'ecdsa':
      return verifyAsync(algorithm.hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    case 'ed25519':
      return verifyAsync(null, message, { key: publicKey }, signature);
  }
}
