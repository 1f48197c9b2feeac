import { awaitDependency } from '../dependency_failure.js';
import { dryRunSucceeded } from '../errors.js';
import { findUsableKey } from '../key_lookup.js';
import type { MacAlgorithm } from '../key_spec.js';
import type { Operation } from '../region.js';

export interface GenerateMacRequest {
  /** 1–4,096 octets. */
  readonly Message: Uint8Array;
  readonly KeyId: string;
  readonly MacAlgorithm: MacAlgorithm;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
}

export interface GenerateMacResponse {
  /** As long as the algorithm's digest: 28, 32, 48 or 64 octets. */
  readonly Mac: Uint8Array;
  readonly MacAlgorithm: MacAlgorithm;
  readonly KeyId: string;
}

/**
 * Makes the HMAC of a message in the token.
 *
 * @throws {@link KmsError} lookup, authorisation, state, usage, algorithm, in this order; `DryRunOperationException` last
 * @source AWS KMS API Reference, GenerateMac; RFC 2104
 */
export const generateMac: Operation<GenerateMacRequest, GenerateMacResponse> = async (call, request) => {
  const key = findUsableKey(
    call,
    { usage: 'GENERATE_VERIFY_MAC', operation: 'GenerateMac', algorithm: request.MacAlgorithm },
    { keyId: request.KeyId, grantTokens: request.GrantTokens },
  );
  if (request.DryRun === true) throw dryRunSucceeded();
  const mac = await awaitDependency('key', call.region.hsm.generateMac(key.material, key.algorithm, request.Message));
  return { Mac: mac, MacAlgorithm: key.algorithm, KeyId: key.arn };
};
