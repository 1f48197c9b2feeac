import { refuseCustomKeyStore } from '../custom_key_store.js';
import type { Operation } from '../region.js';

export interface DisconnectCustomKeyStoreRequest {
  readonly CustomKeyStoreId: string;
}

/**
 * Disconnects no store: there are no custom key stores.
 *
 * @throws {@link KmsError} `CustomKeyStoreNotFoundException`
 * @source AWS KMS API Reference, DisconnectCustomKeyStore
 */
export const disconnectCustomKeyStore: Operation<DisconnectCustomKeyStoreRequest, never> = async (call, request) =>
  refuseCustomKeyStore(call, 'DisconnectCustomKeyStore', request.CustomKeyStoreId);
