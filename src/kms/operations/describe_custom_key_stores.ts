import { authorizeAccount } from '../authorization.js';
import { customKeyStoreNotFound } from '../custom_key_store.js';
import { validationError } from '../errors.js';
import { invalidMarker } from '../pagination.js';
import type { Operation } from '../region.js';

export interface DescribeCustomKeyStoresRequest {
  /** At most one of this and `CustomKeyStoreName`. */
  readonly CustomKeyStoreId?: string;
  readonly CustomKeyStoreName?: string;
  readonly Limit?: number;
  readonly Marker?: string;
}

export interface DescribeCustomKeyStoresResponse {
  readonly CustomKeyStores: readonly never[];
  readonly Truncated: false;
}

/**
 * Describes the custom key stores: there are none.
 *
 * @throws {@link KmsError} `ValidationException` for a store that is named twice; `CustomKeyStoreNotFoundException` for one that is
 * named; `InvalidMarkerException` for every marker
 * @source AWS KMS API Reference, DescribeCustomKeyStores
 */
export const describeCustomKeyStores: Operation<
  DescribeCustomKeyStoresRequest,
  DescribeCustomKeyStoresResponse
> = async (call, request) => {
  const { CustomKeyStoreId: id, CustomKeyStoreName: name } = request;
  if (id !== undefined && name !== undefined) {
    throw validationError('You cannot specify CustomKeyStoreId and CustomKeyStoreName in the same request.');
  }
  authorizeAccount(call, 'DescribeCustomKeyStores');
  const named = id ?? name;
  if (named !== undefined) throw customKeyStoreNotFound(named);
  if (request.Marker !== undefined) throw invalidMarker();
  return { CustomKeyStores: [], Truncated: false };
};
