import { authorizeAccount } from './authorization.js';
import { KmsError } from './errors.js';
import type { Call } from './region.js';

/** Kinds of custom key stores. */
export const CUSTOM_KEY_STORE_TYPES = ['AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'] as const;
export type CustomKeyStoreType = (typeof CUSTOM_KEY_STORE_TYPES)[number];

/** How a service reaches the proxy of an external key store. */
export const XKS_PROXY_CONNECTIVITIES = ['PUBLIC_ENDPOINT', 'VPC_ENDPOINT_SERVICE'] as const;
export type XksProxyConnectivity = (typeof XKS_PROXY_CONNECTIVITIES)[number];

/** By what the proxy of an external key store knows who asks. */
export interface XksProxyCredential {
  readonly AccessKeyId: string;
  readonly RawSecretAccessKey: string;
}

/** The store that a request names does not exist: there are none. */
export function customKeyStoreNotFound(store: string): KmsError {
  return new KmsError('CustomKeyStoreNotFoundException', `Custom key store '${store}' does not exist.`);
}

/**
 * Answers a request about one custom key store: the caller may ask, and there is none.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} `AccessDeniedException`, else `CustomKeyStoreNotFoundException`
 */
export function refuseCustomKeyStore(call: Call, operation: string, store: string): never {
  authorizeAccount(call, operation);
  throw customKeyStoreNotFound(store);
}
