import { refuseCustomKeyStore } from '../custom_key_store.js';
import type { Operation } from '../region.js';

export interface DeleteCustomKeyStoreRequest {
  readonly CustomKeyStoreId: string;
}

/**
 * Deletes no store: there are no custom key stores.
 *
 * @throws {@link KmsError} `CustomKeyStoreNotFoundException`
 * @source AWS KMS API Reference, DeleteCustomKeyStore
 */
export const deleteCustomKeyStore: Operation<DeleteCustomKeyStoreRequest, never> = async (call, request) =>
  refuseCustomKeyStore(call, 'DeleteCustomKeyStore', request.CustomKeyStoreId);
