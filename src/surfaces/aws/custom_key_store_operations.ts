import { CUSTOM_KEY_STORE_TYPES, XKS_PROXY_CONNECTIVITIES } from '../../kms/custom_key_store.js';
import { connectCustomKeyStore } from '../../kms/operations/connect_custom_key_store.js';
import { createCustomKeyStore } from '../../kms/operations/create_custom_key_store.js';
import { deleteCustomKeyStore } from '../../kms/operations/delete_custom_key_store.js';
import { describeCustomKeyStores } from '../../kms/operations/describe_custom_key_stores.js';
import { disconnectCustomKeyStore } from '../../kms/operations/disconnect_custom_key_store.js';
import { updateCustomKeyStore } from '../../kms/operations/update_custom_key_store.js';
import { customKeyStoreId, marker, matching } from './member_shapes.js';
import { integer, oneOf, structure, text } from './shape.js';
import { operation, type WireOperation } from './wire_operation.js';

const storeName = text(1, 256);
const ofStore = structure({ required: { CustomKeyStoreId: customKeyStoreId }, optional: {} });
/** What a store's maker and its changer may say of it alike. */
const store = {
  CloudHsmClusterId: text(19, 24, {
    expression: /^cluster-[2-7a-zA-Z]{11,16}$/,
    shown: 'cluster-[2-7a-zA-Z]{11,16}',
  }),
  KeyStorePassword: text(7, 32),
  XksProxyUriEndpoint: matching(10, 128, '^https://[a-zA-Z0-9.-]+$'),
  XksProxyUriPath: matching(10, 128, '^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$'),
  XksProxyVpcEndpointServiceName: matching(
    20,
    64,
    '^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$',
  ),
  XksProxyVpcEndpointServiceOwner: text(12, 12, { expression: /^[0-9]{12}$/, shown: '[0-9]{12}' }),
  XksProxyAuthenticationCredential: structure({
    required: {
      AccessKeyId: matching(20, 30, '^[A-Z2-7]+$'),
      RawSecretAccessKey: matching(43, 64, '^[a-zA-Z0-9\\/+=]+$'),
    },
    optional: {},
  }),
  XksProxyConnectivity: oneOf(XKS_PROXY_CONNECTIVITIES),
} as const;

/**
 * The operations of custom key stores, by the name in `X-Amz-Target`.
 *
 * @source AWS KMS API Reference
 */
export const CUSTOM_KEY_STORE_OPERATIONS: readonly (readonly [string, WireOperation])[] = [
  ['ConnectCustomKeyStore', operation(ofStore, connectCustomKeyStore)],
  [
    'CreateCustomKeyStore',
    operation(
      structure({
        required: { CustomKeyStoreName: storeName },
        optional: {
          ...store,
          CustomKeyStoreType: oneOf(CUSTOM_KEY_STORE_TYPES),
          TrustAnchorCertificate: text(1, 5000),
        },
      }),
      createCustomKeyStore,
    ),
  ],
  ['DeleteCustomKeyStore', operation(ofStore, deleteCustomKeyStore)],
  [
    'DescribeCustomKeyStores',
    operation(
      structure({
        required: {},
        optional: {
          CustomKeyStoreId: customKeyStoreId,
          CustomKeyStoreName: storeName,
          Limit: integer(1, 1000),
          Marker: marker,
        },
      }),
      describeCustomKeyStores,
    ),
  ],
  ['DisconnectCustomKeyStore', operation(ofStore, disconnectCustomKeyStore)],
  [
    'UpdateCustomKeyStore',
    operation(
      structure({
        required: { CustomKeyStoreId: customKeyStoreId },
        optional: { ...store, NewCustomKeyStoreName: storeName },
      }),
      updateCustomKeyStore,
    ),
  ],
];
