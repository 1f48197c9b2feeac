import { refuseCustomKeyStore, type XksProxyConnectivity, type XksProxyCredential } from '../custom_key_store.js';
import type { Operation } from '../region.js';

export interface UpdateCustomKeyStoreRequest {
  readonly CustomKeyStoreId: string;
  readonly NewCustomKeyStoreName?: string;
  readonly KeyStorePassword?: string;
  readonly CloudHsmClusterId?: string;
  readonly XksProxyUriEndpoint?: string;
  readonly XksProxyUriPath?: string;
  readonly XksProxyVpcEndpointServiceName?: string;
  readonly XksProxyVpcEndpointServiceOwner?: string;
  readonly XksProxyAuthenticationCredential?: XksProxyCredential;
  readonly XksProxyConnectivity?: XksProxyConnectivity;
}

/**
 * Changes no store: there are no custom key stores.
 *
 * @throws {@link KmsError} `CustomKeyStoreNotFoundException`
 * @source AWS KMS API Reference, UpdateCustomKeyStore
 */
export const updateCustomKeyStore: Operation<UpdateCustomKeyStoreRequest, never> = async (call, request) =>
  refuseCustomKeyStore(call, 'UpdateCustomKeyStore', request.CustomKeyStoreId);
