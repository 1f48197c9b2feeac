import { authorizeAccount } from '../authorization.js';
import type { CustomKeyStoreType, XksProxyConnectivity, XksProxyCredential } from '../custom_key_store.js';
import { KmsError, validationError } from '../errors.js';
import type { Operation } from '../region.js';

export interface CreateCustomKeyStoreRequest {
  readonly CustomKeyStoreName: string;
  /** `AWS_CLOUDHSM` where it is absent. */
  readonly CustomKeyStoreType?: CustomKeyStoreType;
  readonly CloudHsmClusterId?: string;
  readonly TrustAnchorCertificate?: string;
  readonly KeyStorePassword?: string;
  readonly XksProxyUriEndpoint?: string;
  readonly XksProxyUriPath?: string;
  readonly XksProxyVpcEndpointServiceName?: string;
  readonly XksProxyVpcEndpointServiceOwner?: string;
  readonly XksProxyAuthenticationCredential?: XksProxyCredential;
  readonly XksProxyConnectivity?: XksProxyConnectivity;
}

type Member = Exclude<keyof CreateCustomKeyStoreRequest, 'CustomKeyStoreName' | 'CustomKeyStoreType'>;

/** The members that each kind of store needs. */
const NEEDED: Readonly<Record<CustomKeyStoreType, readonly Member[]>> = {
  AWS_CLOUDHSM: ['CloudHsmClusterId', 'TrustAnchorCertificate', 'KeyStorePassword'],
  EXTERNAL_KEY_STORE: [
    'XksProxyUriEndpoint',
    'XksProxyUriPath',
    'XksProxyAuthenticationCredential',
    'XksProxyConnectivity',
  ],
};

/**
 * Makes no custom key store: every key of a region lives in the region's own token.
 *
 * @throws {@link KmsError} `ValidationException` for members that such a store needs and that are missing, or that belong to another
 * kind; `UnsupportedOperationException` for everything else
 * @source AWS KMS API Reference, CreateCustomKeyStore
 */
export const createCustomKeyStore: Operation<CreateCustomKeyStoreRequest, never> = async (call, request) => {
  const type = request.CustomKeyStoreType ?? 'AWS_CLOUDHSM';
  requireMembers(request, type);
  authorizeAccount(call, 'CreateCustomKeyStore');
  throw new KmsError(
    'UnsupportedOperationException',
    'Custom key stores are not supported here: every KMS key lives in the PKCS #11 token of its region.',
  );
};

function requireMembers(request: CreateCustomKeyStoreRequest, type: CustomKeyStoreType): void {
  const other = type === 'AWS_CLOUDHSM' ? 'EXTERNAL_KEY_STORE' : 'AWS_CLOUDHSM';
  const foreign = NEEDED[other].find((member) => request[member] !== undefined);
  if (foreign !== undefined) throw validationError(`${foreign} is not supported for CustomKeyStoreType ${type}.`);
  const missing = NEEDED[type].find((member) => request[member] === undefined);
  if (missing !== undefined) throw validationError(`${missing} is required for CustomKeyStoreType ${type}.`);
  const overVpc = request.XksProxyConnectivity === 'VPC_ENDPOINT_SERVICE';
  if (overVpc === (request.XksProxyVpcEndpointServiceName !== undefined)) return;
  throw validationError(
    overVpc
      ? 'XksProxyVpcEndpointServiceName is required for XksProxyConnectivity VPC_ENDPOINT_SERVICE.'
      : 'XksProxyVpcEndpointServiceName is supported for XksProxyConnectivity VPC_ENDPOINT_SERVICE only.',
  );
}
