import { randomUUID } from 'node:crypto';
import { authorizeAccount, type RequestConditions } from '../authorization.js';
import { customKeyStoreNotFound } from '../custom_key_store.js';
import { KmsError, validationError } from '../errors.js';
import { awaitDependency } from '../dependency_failure.js';
import { isKeyId, keyArn } from '../key_id.js';
import { describeRecord, type KeyMetadata, type KeyOrigin, type KeyRecord } from '../key_record.js';
import { chooseKeySpec, type RequestedKeySpec, type RequestedKeyUsage } from '../key_spec.js';
import { defaultPolicy, requireValidPolicy, type PolicyCheck } from '../policy.js';
import type { Replicator } from '../ports.js';
import { tagConditions } from '../request_context.js';
import type { Call, KmsRegion, Operation } from '../region.js';
import type { DataSuite } from '../../wire/ciphertext_blob.js';
import { requireValidTags, type Tag } from '../tag.js';

export interface CreateKeyRequest {
  readonly Policy?: string;
  readonly Description?: string;
  readonly KeyUsage?: RequestedKeyUsage;
  readonly CustomerMasterKeySpec?: RequestedKeySpec;
  readonly KeySpec?: RequestedKeySpec;
  readonly Origin?: 'AWS_KMS' | 'EXTERNAL' | 'AWS_CLOUDHSM' | 'EXTERNAL_KEY_STORE';
  readonly CustomKeyStoreId?: string;
  readonly XksKeyId?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Tags?: readonly Tag[];
  readonly MultiRegion?: boolean;
}

export interface CreateKeyResponse {
  readonly KeyMetadata: KeyMetadata;
}

/**
 * Makes a KMS key: its material in the token, its record in one transaction that is durable before the caller hears of it.
 * A key of origin EXTERNAL has no material until its owner imports some.
 *
 * @throws {@link KmsError} as the members' rules say; `UnsupportedOperationException` for what Keyferry does not make
 * @source AWS KMS API Reference, CreateKey
 */
export const createKey: Operation<CreateKeyRequest, CreateKeyResponse> = (call, request) =>
  makeKey(call, request, null);

/** An identity that a new key is to have: a UUID, or `mrk-` and 32 hex digits with the certificate of the partition authority. */
export interface ChosenIdentity {
  readonly keyId: string;
  readonly birthCertificate: string | null;
}

/**
 * The same for a key whose id somebody has chosen. The API has no such operation: it is for preparing laboratories.
 *
 * @throws {@link KmsError} also `AlreadyExistsException`; `ValidationException` for an id that such a key cannot have
 */
export function createKeyWithId(
  call: Call,
  request: CreateKeyRequest,
  chosen: ChosenIdentity,
): Promise<CreateKeyResponse> {
  return makeKey(call, request, chosen);
}

async function makeKey(
  call: Call,
  request: CreateKeyRequest,
  chosen: ChosenIdentity | null,
): Promise<CreateKeyResponse> {
  const { region } = call;
  const spec = requestedSpec(request);
  const origin = requireOrigin(request, spec);
  const { keySpec, keyUsage } = chooseKeySpec(spec, request.KeyUsage);
  const tags = request.Tags ?? [];
  requireValidTags(tags);
  const multiRegion = request.MultiRegion === true;
  const conditions: RequestConditions = {
    'kms:KeySpec': keySpec,
    'kms:CustomerMasterKeySpec': keySpec,
    'kms:KeyUsage': keyUsage,
    'kms:CustomerMasterKeyUsage': keyUsage,
    'kms:KeyOrigin': origin,
    'kms:MultiRegion': multiRegion,
    'kms:MultiRegionKeyType': multiRegion ? 'PRIMARY' : undefined,
    'kms:PrimaryRegion': multiRegion ? region.home.region : undefined,
  };
  authorizeNewKey(call, { ...request, conditions });
  const policy = newKeyPolicy(call, request, { conditions });

  if (multiRegion) requireEnrolled(region.replicator);
  // Imported material is imported in each region: it never leaves the token.
  const isExported = multiRegion && origin !== 'EXTERNAL';
  const refusal =
    region.hsm.refusalOfSpec(keySpec, keyUsage) ?? (isExported ? region.hsm.refusalOfExport(keySpec) : undefined);
  if (refusal !== undefined) throw unsupported(refusal);
  const dataSuite = keySpec === 'SYMMETRIC_DEFAULT' ? chooseDataSuite(region, multiRegion) : null;
  const birth = await identityOf(region, chosen, { keySpec, keyUsage, origin, multiRegion });
  const { keyId } = birth;
  if (!isKeyId(keyId)) throw new Error(`a birth was issued with the malformed key id ${keyId}`);
  const material =
    origin === 'EXTERNAL'
      ? null
      : await awaitDependency(
          'service',
          region.hsm.createMaterial({ keyId, keySpec, keyUsage, multiRegion, dataSuite }),
        );

  const createdMs = region.clock.nowMs();
  const record: KeyRecord = {
    keyId,
    arn: keyArn(region.home, keyId),
    account: region.home.account,
    createdMs,
    description: request.Description ?? '',
    keySpec,
    keyUsage,
    origin,
    state: material === null ? 'PendingImport' : 'Enabled',
    dataSuite,
    multiRegion:
      birth.birthCertificate === null
        ? null
        : {
            type: 'PRIMARY',
            primaryRegion: region.home.region,
            replicaRegions: [],
            birthCertificate: birth.birthCertificate,
          },
    deletion: null,
    currentMaterial: material,
    imported: null,
  };
  const materials = material === null ? [] : [{ material, index: 0, state: 'CURRENT' as const, createdMs }];
  region.store.insertKey({ record, policy, tags, materials });
  if (origin === 'EXTERNAL') region.importHsm.expectImports();
  call.note?.({ keyArn: record.arn });
  return { KeyMetadata: describeRecord(record) };
}

/** The identity of a new key: chosen and checked, or made. */
async function identityOf(
  region: KmsRegion,
  chosen: ChosenIdentity | null,
  {
    multiRegion,
    ...kind
  }: { readonly keySpec: string; readonly keyUsage: string; readonly origin: string; readonly multiRegion: boolean },
): Promise<ChosenIdentity> {
  if (chosen === null) {
    return multiRegion
      ? awaitDependency('service', region.replicator.issueBirth(kind))
      : { keyId: randomUUID(), birthCertificate: null };
  }
  const { keyId, birthCertificate } = chosen;
  if (!isKeyId(keyId) || keyId.startsWith('mrk-') !== multiRegion || (birthCertificate !== null) !== multiRegion) {
    throw validationError(`A ${multiRegion ? 'multi' : 'single'}-Region key cannot have the key id ${keyId}.`);
  }
  if (region.store.key(keyId) !== undefined) {
    throw new KmsError('AlreadyExistsException', `Key '${keyArn(region.home, keyId)}' already exists.`);
  }
  if (birthCertificate === null) return chosen;
  const refusal = await region.replicator.refusalOfBirth({ ...kind, keyId, birthCertificate });
  if (refusal !== undefined) throw validationError(`The key id ${keyId} is not certified: ${refusal}`);
  return chosen;
}

/** What a request for a new key, here or in another region, says of its policy and tags. */
interface NewKeyRequest {
  readonly Policy?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Tags?: readonly Tag[];
}

/**
 * Checks that the caller may make keys, and give them the tags that it asks for.
 *
 * @throws {@link KmsError} `AccessDeniedException`
 */
export function authorizeNewKey(call: Call, request: NewKeyRequest & { readonly conditions: RequestConditions }): void {
  const conditions: RequestConditions = {
    ...request.conditions,
    ...tagConditions(request.Tags ?? []),
    'kms:BypassPolicyLockoutSafetyCheck': request.BypassPolicyLockoutSafetyCheck === true,
  };
  authorizeAccount(call, 'CreateKey', { conditions });
  if ((request.Tags ?? []).length > 0) authorizeAccount(call, 'TagResource', { conditions });
}

/** The policy that a new key gets, checked. */
export function newKeyPolicy(
  call: Call,
  request: NewKeyRequest,
  about: Omit<PolicyCheck, 'bypassLockoutCheck'>,
): string {
  if (request.Policy === undefined) return defaultPolicy(call.region.home);
  requireValidPolicy(call, request.Policy, {
    ...about,
    bypassLockoutCheck: request.BypassPolicyLockoutSafetyCheck === true,
  });
  return request.Policy;
}

function requireEnrolled(replicator: Replicator): void {
  if (replicator.regions().length === 0) throw unsupported('This region is not enrolled in a partition yet.');
}

/** The data suite of a new key; of a multi-Region key one that every region that may hold it can do. */
function chooseDataSuite(region: KmsRegion, multiRegion: boolean): DataSuite {
  const suite = multiRegion ? region.replicator.commonDataSuite() : region.hsm.dataSuites[0];
  if (suite !== undefined) return suite;
  throw unsupported(
    multiRegion
      ? 'The HSMs of this partition have no way of making message keys in common.'
      : 'The HSM of this region cannot make message keys.',
  );
}

function unsupported(message: string): KmsError {
  return new KmsError('UnsupportedOperationException', message);
}

function requestedSpec(request: CreateKeyRequest): RequestedKeySpec {
  if (request.KeySpec !== undefined && request.CustomerMasterKeySpec !== undefined) {
    throw validationError(
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    );
  }
  return request.KeySpec ?? request.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
}

function requireOrigin(request: CreateKeyRequest, spec: RequestedKeySpec): KeyOrigin {
  const origin = request.Origin ?? 'AWS_KMS';
  const custom = origin === 'AWS_CLOUDHSM' || origin === 'EXTERNAL_KEY_STORE';
  if (custom && spec !== 'SYMMETRIC_DEFAULT') {
    throw validationError(`KeySpec ${spec} is not supported for Origin ${origin}`);
  }
  if (!custom && request.CustomKeyStoreId !== undefined) {
    throw validationError(`CustomKeyStoreId is not supported for Origin ${origin}`);
  }
  if (origin !== 'EXTERNAL_KEY_STORE' && request.XksKeyId !== undefined) {
    throw validationError(`XksKeyId is not supported for Origin ${origin}`);
  }
  if (custom) {
    if (request.CustomKeyStoreId === undefined) {
      throw validationError(`CustomKeyStoreId is required for Origin ${origin}`);
    }
    throw customKeyStoreNotFound(request.CustomKeyStoreId);
  }
  return origin;
}
