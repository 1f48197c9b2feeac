import { timingSafeEqual } from 'node:crypto';
import { awaitDependency } from '../dependency_failure.js';
import { dryRunSucceeded, KmsError } from '../errors.js';
import { findUsableKey } from '../key_lookup.js';
import type { MacAlgorithm } from '../key_spec.js';
import type { Operation } from '../region.js';
import type { GenerateMacRequest } from './generate_mac.js';

export interface VerifyMacRequest extends GenerateMacRequest {
  /** 1–6,144 octets. */
  readonly Mac: Uint8Array;
}

export interface VerifyMacResponse {
  readonly KeyId: string;
  readonly MacValid: true;
  readonly MacAlgorithm: MacAlgorithm;
}

/**
 * Makes the HMAC of a message in the token again and compares it in constant time. Another one is an exception, never `false`.
 *
 * @throws {@link KmsError} as GenerateMac; `KMSInvalidMacException`
 * @source AWS KMS API Reference, VerifyMac
 */
export const verifyMac: Operation<VerifyMacRequest, VerifyMacResponse> = async (call, request) => {
  const key = findUsableKey(
    call,
    { usage: 'GENERATE_VERIFY_MAC', operation: 'VerifyMac', algorithm: request.MacAlgorithm },
    { keyId: request.KeyId, grantTokens: request.GrantTokens },
  );
  const mac = await awaitDependency('key', call.region.hsm.generateMac(key.material, key.algorithm, request.Message));
  const isValid = mac.length === request.Mac.length && timingSafeEqual(mac, request.Mac);
  // The right answer to another message would serve a forger.
  mac.fill(0);
  if (!isValid) throw new KmsError('KMSInvalidMacException', '');
  if (request.DryRun === true) throw dryRunSucceeded();
  return { KeyId: key.arn, MacValid: true, MacAlgorithm: key.algorithm };
};
