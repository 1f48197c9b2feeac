/**
 * What Node's cryptography said of octets that a token told: a point that is not on the curve, a modulus that is none.
 *
 * @returns null for any other error, which is no answer about the token
 */
export function softwareRefusal(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  return /^ERR_(?:OSSL|CRYPTO)_/u.test(error.code) ? `software cannot use what the token told: ${error.code}` : null;
}
