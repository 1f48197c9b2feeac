import { quote } from '../wire/json_text.js';
import type { TrailValue } from './trail_event.js';

/** What the trail keeps of one operation: members by the API's names. What is not named is never kept. */
interface RecordedOperation {
  readonly readOnly: boolean;
  readonly request: readonly string[];
  readonly response: readonly string[];
  /** Whether the event of a success names the key as if the operation had answered its ARN. */
  readonly showsKey?: true;
}

function reading(...request: readonly string[]): RecordedOperation {
  return { readOnly: true, request, response: [] };
}

function changing(request: readonly string[], response: readonly string[]): RecordedOperation {
  return { readOnly: false, request, response };
}

/** An operation that changes a key and does not say in its answer which. @source AWS KMS Developer Guide, log entries since December 2022 */
function changingKey(request: readonly string[], response: readonly string[] = []): RecordedOperation {
  return { readOnly: false, request, response, showsKey: true };
}

/**
 * The members of each operation that the trail keeps. Plaintext, ciphertext, messages, signatures, MACs, key material, import
 * tokens and grant tokens are in no list; encryption contexts are, as in CloudTrail.
 *
 * @source AWS KMS Developer Guide, log entries of each operation
 */
const RECORDED: Readonly<Record<string, RecordedOperation>> = {
  CancelKeyDeletion: changing(['KeyId'], ['KeyId']),
  ConnectCustomKeyStore: changing(['CustomKeyStoreId'], []),
  CreateAlias: changingKey(['AliasName', 'TargetKeyId']),
  CreateCustomKeyStore: changing(
    [
      'CustomKeyStoreName',
      'CustomKeyStoreType',
      'CloudHsmClusterId',
      'XksProxyUriEndpoint',
      'XksProxyUriPath',
      'XksProxyVpcEndpointServiceName',
      'XksProxyVpcEndpointServiceOwner',
      'XksProxyConnectivity',
    ],
    [],
  ),
  CreateGrant: changingKey(
    [
      'KeyId',
      'GranteePrincipal',
      'GranteeServicePrincipal',
      'RetiringPrincipal',
      'RetiringServicePrincipal',
      'Operations',
      'Constraints',
      'Name',
      'DryRun',
    ],
    ['GrantId'],
  ),
  CreateKey: changing(
    [
      'Description',
      'Origin',
      'BypassPolicyLockoutSafetyCheck',
      'CustomerMasterKeySpec',
      'KeySpec',
      'KeyUsage',
      'MultiRegion',
      'Tags',
      'Policy',
      'CustomKeyStoreId',
      'XksKeyId',
    ],
    ['KeyMetadata'],
  ),
  Decapsulate: reading('KeyId', 'EncapsulationAlgorithm', 'DryRun'),
  Decrypt: reading('KeyId', 'EncryptionContext', 'EncryptionAlgorithm', 'DryRun', 'DryRunModifiers'),
  DeleteAlias: changingKey(['AliasName']),
  DeleteCustomKeyStore: changing(['CustomKeyStoreId'], []),
  DeleteImportedKeyMaterial: changing(['KeyId', 'KeyMaterialId'], ['KeyId', 'KeyMaterialId']),
  DeriveSharedSecret: reading('KeyId', 'KeyAgreementAlgorithm', 'DryRun'),
  DescribeCustomKeyStores: reading('CustomKeyStoreId', 'CustomKeyStoreName', 'Limit', 'Marker'),
  DescribeKey: reading('KeyId'),
  DisableKey: changingKey(['KeyId']),
  DisconnectCustomKeyStore: changing(['CustomKeyStoreId'], []),
  EnableKey: changingKey(['KeyId']),
  Encapsulate: reading('KeyId', 'EncapsulationAlgorithm', 'DryRun'),
  DisableKeyRotation: changingKey(['KeyId']),
  EnableKeyRotation: changingKey(['KeyId', 'RotationPeriodInDays']),
  Encrypt: reading('KeyId', 'EncryptionContext', 'EncryptionAlgorithm', 'DryRun'),
  GenerateDataKey: reading('KeyId', 'EncryptionContext', 'KeySpec', 'NumberOfBytes', 'DryRun'),
  GenerateDataKeyPair: reading('KeyId', 'EncryptionContext', 'KeyPairSpec', 'DryRun'),
  GenerateDataKeyPairWithoutPlaintext: reading('KeyId', 'EncryptionContext', 'KeyPairSpec', 'DryRun'),
  GenerateDataKeyWithoutPlaintext: reading('KeyId', 'EncryptionContext', 'KeySpec', 'NumberOfBytes', 'DryRun'),
  GenerateMac: reading('KeyId', 'MacAlgorithm', 'DryRun'),
  GenerateRandom: reading('NumberOfBytes', 'CustomKeyStoreId'),
  GetKeyRotationStatus: reading('KeyId'),
  GetKeyPolicy: reading('KeyId', 'PolicyName'),
  GetKeyLastUsage: reading('KeyId'),
  GetParametersForImport: reading('KeyId', 'WrappingAlgorithm', 'WrappingKeySpec'),
  GetPublicKey: reading('KeyId'),
  ImportKeyMaterial: changing(
    ['KeyId', 'ValidTo', 'ExpirationModel', 'ImportType', 'KeyMaterialDescription', 'KeyMaterialId'],
    ['KeyId', 'KeyMaterialId'],
  ),
  ListAliases: reading('KeyId', 'Limit', 'Marker'),
  ListGrants: reading('KeyId', 'GrantId', 'GranteePrincipal', 'GranteeServicePrincipal', 'Limit', 'Marker'),
  ListKeyPolicies: reading('KeyId', 'Limit', 'Marker'),
  ListKeyRotations: reading('KeyId', 'IncludeKeyMaterial', 'Limit', 'Marker'),
  ListKeys: reading('Limit', 'Marker'),
  ListResourceTags: reading('KeyId', 'Limit', 'Marker'),
  ListRetirableGrants: reading('RetiringPrincipal', 'RetiringServicePrincipal', 'Limit', 'Marker'),
  PutKeyPolicy: changingKey(['KeyId', 'PolicyName', 'Policy', 'BypassPolicyLockoutSafetyCheck']),
  ReEncrypt: reading(
    'SourceKeyId',
    'SourceEncryptionContext',
    'SourceEncryptionAlgorithm',
    'DestinationKeyId',
    'DestinationEncryptionContext',
    'DestinationEncryptionAlgorithm',
    'DryRun',
    'DryRunModifiers',
  ),
  ReplicateKey: changing(
    ['KeyId', 'ReplicaRegion', 'Policy', 'BypassPolicyLockoutSafetyCheck', 'Description', 'Tags'],
    ['ReplicaKeyMetadata', 'ReplicaPolicy', 'ReplicaTags'],
  ),
  RetireGrant: changingKey(['KeyId', 'GrantId', 'DryRun']),
  RevokeGrant: changingKey(['KeyId', 'GrantId', 'DryRun']),
  RotateKeyOnDemand: changing(['KeyId'], ['KeyId']),
  ScheduleKeyDeletion: changing(
    ['KeyId', 'PendingWindowInDays'],
    ['KeyId', 'KeyState', 'DeletionDate', 'PendingWindowInDays'],
  ),
  Sign: reading('KeyId', 'MessageType', 'SigningAlgorithm', 'DryRun'),
  TagResource: changingKey(['KeyId', 'Tags']),
  UntagResource: changingKey(['KeyId', 'TagKeys']),
  UpdateAlias: changingKey(['AliasName', 'TargetKeyId']),
  UpdateCustomKeyStore: changing(
    [
      'CustomKeyStoreId',
      'NewCustomKeyStoreName',
      'CloudHsmClusterId',
      'XksProxyUriEndpoint',
      'XksProxyUriPath',
      'XksProxyVpcEndpointServiceName',
      'XksProxyVpcEndpointServiceOwner',
      'XksProxyConnectivity',
    ],
    [],
  ),
  UpdateKeyDescription: changingKey(['KeyId', 'Description']),
  UpdatePrimaryRegion: changingKey(['KeyId', 'PrimaryRegion']),
  SynchronizeMultiRegionKey: changing([], ['KeyId']),
  Verify: reading('KeyId', 'MessageType', 'SigningAlgorithm', 'DryRun'),
  VerifyMac: reading('KeyId', 'MacAlgorithm', 'DryRun'),
};

/** Members by the API's names, and as they are written. */
type KeptMembers = readonly { readonly name: string; readonly written: string; readonly hasOwnersNames: boolean }[];

/** What is kept of an operation, ready for use. */
interface PreparedOperation {
  readonly readOnly: boolean;
  readonly request: KeptMembers;
  readonly response: KeptMembers;
  readonly showsKey: boolean;
}

/** Operations that the trail knows. */
export const RECORDED_OPERATIONS: readonly string[] = Object.keys(RECORDED);

/** Whether an operation changes nothing. */
export function isReadOnly(operation: string): boolean {
  return recordedOf(operation).readOnly;
}

/** `requestParameters` of a call as JSON; `null` where nothing is kept. */
export function requestParameters(operation: string, request: object | null): string {
  return request === null ? 'null' : close(keep(request, recordedOf(operation).request));
}

/**
 * `responseElements` of a call as JSON; `null` where nothing is kept.
 *
 * @param response - null where the call was refused
 * @param keyArn - ARN of the key that was changed, for the operations that do not answer it
 */
export function responseElements(operation: string, response: object | null, keyArn: () => string | undefined): string {
  if (response === null) return 'null';
  const { response: members, showsKey } = recordedOf(operation);
  const kept = keep(response, members);
  const keyId = showsKey ? keyArn() : undefined;
  return close(keyId === undefined ? kept : `${kept}${kept === '' ? '' : ','}"keyId":${quote(keyId)}`);
}

function close(members: string): string {
  return members === '' ? 'null' : `{${members}}`;
}

/** Members with commas between them. */
function keep(from: object, members: KeptMembers): string {
  const values = from as Readonly<Record<string, unknown>>;
  let kept = '';
  for (const { name, written, hasOwnersNames } of members) {
    const value = values[name];
    if (value === undefined) continue;
    const text = typeof value === 'string' ? quote(value) : renderText(value, hasOwnersNames);
    if (text !== undefined) kept += kept === '' ? `${written}${text}` : `,${written}${text}`;
  }
  return kept;
}

function renderText(value: unknown, hasOwnersNames: boolean): string | undefined {
  const rendered = render(value, hasOwnersNames);
  return rendered === undefined ? undefined : JSON.stringify(rendered);
}

function camelCase(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** Octets are never shown, wherever they are. */
function render(value: unknown, namesAsTheyAre: boolean): TrailValue | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (value instanceof Date) return formatDate(value);
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      const rendered = render(item, namesAsTheyAre);
      return rendered === undefined ? [] : [rendered];
    });
  }
  const members: Record<string, TrailValue> = Object.create(null);
  for (const [name, member] of Object.entries(value)) {
    const rendered = render(member, namesAsTheyAre);
    if (rendered !== undefined) members[namesAsTheyAre ? name : camelCase(name)] = rendered;
  }
  return members;
}

const DATE_FORMAT = new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' });

/** `Aug 10, 2022, 10:38:27 PM`, in UTC, as CloudTrail shows dates inside members. */
export function formatDate(date: Date): string {
  // Some versions of the locale data put a narrow no-break space before AM and PM.
  return DATE_FORMAT.format(date).replaceAll('\u202f', ' ');
}

/** The names in an encryption context are its owner's: they are kept as they are. */
function prepare(names: readonly string[]): KeptMembers {
  return names.map((name) => ({
    name,
    written: `"${camelCase(name)}":`,
    hasOwnersNames: name.endsWith('EncryptionContext'),
  }));
}

/** What is kept of an operation that is in no list: nothing but that it was called. */
const UNLISTED: PreparedOperation = { readOnly: false, request: [], response: [], showsKey: false };

const PREPARED: ReadonlyMap<string, PreparedOperation> = new Map(
  Object.entries(RECORDED).map(([operation, { readOnly, request, response, showsKey = false }]) => [
    operation,
    { readOnly, request: prepare(request), response: prepare(response), showsKey },
  ]),
);

function recordedOf(operation: string): PreparedOperation {
  return PREPARED.get(operation) ?? UNLISTED;
}
