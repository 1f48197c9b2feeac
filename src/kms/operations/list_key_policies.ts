import { authorizeKey } from '../authorization.js';
import { findKey } from '../key_lookup.js';
import { pageOf, readMarker } from '../pagination.js';
import { POLICY_NAME } from '../policy.js';
import type { Operation } from '../region.js';

export interface ListKeyPoliciesRequest {
  readonly KeyId: string;
  /** 1–1000; 100 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

export interface ListKeyPoliciesResponse {
  readonly PolicyNames: readonly string[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Lists the names of a key's policies: every key has one.
 *
 * @throws {@link KmsError} `InvalidMarkerException`
 * @source AWS KMS API Reference, ListKeyPolicies
 */
export const listKeyPolicies: Operation<ListKeyPoliciesRequest, ListKeyPoliciesResponse> = async (call, request) => {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'ListKeyPolicies', record);
  // A list of one name ends on its first page, so that no marker is ever given.
  readMarker(request.Marker, () => false);
  const { page, ...end } = pageOf([POLICY_NAME], request.Limit ?? 100, (name) => name);
  return { PolicyNames: page, ...end };
};
