import { refuseCustomKeyStore } from '../custom_key_store.js';
import type { Operation } from '../region.js';

export interface ConnectCustomKeyStoreRequest {
  readonly CustomKeyStoreId: string;
}

/**
 * Connects no store: there are no custom key stores.
 *
 * @throws {@link KmsError} `CustomKeyStoreNotFoundException`
 * @source AWS KMS API Reference, ConnectCustomKeyStore
 */
export const connectCustomKeyStore: Operation<ConnectCustomKeyStoreRequest, never> = async (call, request) =>
  refuseCustomKeyStore(call, 'ConnectCustomKeyStore', request.CustomKeyStoreId);
