import type { KeySpec, KeyUsage, StoredMaterial } from '../hsm/material.js';
import { authorizeKey, foreignKeyInaccessible, type RequestConditions } from './authorization.js';
import {
  aliasArn,
  aliasNotFound,
  keyNotFound,
  parseKeyReference,
  type AcceptedReference,
  type KeyHome,
} from './key_id.js';
import type { KeyRecord } from './key_record.js';
import { requireAlgorithm, type AlgorithmUse } from './key_spec.js';
import { requireState } from './key_state.js';
import { KmsError } from './errors.js';
import type { EncryptionContext } from './ports.js';
import { algorithmConditions } from './request_context.js';
import type { Call } from './region.js';

/**
 * Finds the key that a `KeyId` member names. Without an ARN it names a key, or an alias, of the caller's account.
 *
 * @throws {@link KmsError} `NotFoundException`; `AccessDeniedException` for what is not here, to a caller of another account
 */
export function findKey(call: Call, text: string, accepted: AcceptedReference): KeyRecord {
  const { home, store, aliases } = call.region;
  const isForeign = call.caller.account !== home.account;
  const reference = parseKeyReference(text, isForeign ? { ...home, account: call.caller.account } : home, accepted);
  if (reference.kind === 'alias') {
    // An ARN of another account names another alias, even where the name is the same.
    const alias = reference.arn === aliasArn(home, reference.name) ? aliases.alias(reference.name) : undefined;
    const named = alias === undefined ? undefined : store.key(alias.keyId);
    if (named !== undefined) return named;
    throw isForeign && isOf(home, reference.arn) ? foreignKeyInaccessible(call.caller) : aliasNotFound(reference.arn);
  }
  const record = store.key(reference.keyId);
  // An ARN of another account names another key, even where the key id is the same.
  if (record !== undefined && record.arn === reference.arn) return record;
  throw isForeign && isOf(home, reference.arn) ? foreignKeyInaccessible(call.caller) : keyNotFound(reference.arn);
}

/** Whether a `KeyId` member names a key that was found another way; false for what names nothing here. */
export function isNamedBy(call: Call, record: KeyRecord, text: string): boolean {
  try {
    return findKey(call, text, 'key-or-alias').keyId === record.keyId;
  } catch (error) {
    if (error instanceof KmsError) return false;
    throw error;
  }
}

function isOf(home: KeyHome, arn: string): boolean {
  return arn.split(':')[4] === home.account;
}

/** What a request for cryptography says about the key that it wants. */
export interface KeyRequest {
  readonly keyId: string;
  readonly grantTokens: readonly string[] | undefined;
  /** Of a symmetric encryption key. */
  readonly context?: EncryptionContext | undefined;
  /** Condition keys that follow from the request and the key, besides the algorithm. */
  readonly conditions?: (record: KeyRecord) => RequestConditions;
}

/** A key that is ready for an operation: authorised, in a usable state, of the right usage, and with its material. */
export interface UsableKey<Algorithm extends string = string> {
  readonly arn: string;
  readonly keySpec: KeySpec;
  readonly origin: KeyRecord['origin'];
  readonly material: StoredMaterial;
  readonly algorithm: Algorithm;
}

/**
 * Finds a key for an operation: lookup, authorisation, state, usage, algorithm, in this order.
 *
 * @param use.operation - permission without `kms:`
 * @throws {@link KmsError} as each check says
 */
export function findUsableKey<Usage extends KeyUsage>(
  call: Call,
  use: AlgorithmUse<Usage>,
  request: KeyRequest,
): UsableKey<AlgorithmUse<Usage>['algorithm']> {
  const record = findKey(call, request.keyId, 'key-or-alias');
  authorizeKey(call, use.operation, record, {
    grantTokens: request.grantTokens,
    encryptionContext: request.context,
    requestedKeyId: request.keyId,
    conditions: { ...algorithmConditions(use), ...request.conditions?.(record) },
  });
  return requireUse(call, record, use);
}

/** The same for a key that was found and authorised: state, usage, algorithm. */
export function requireUse<Usage extends KeyUsage>(
  call: Call,
  record: KeyRecord,
  use: AlgorithmUse<Usage>,
  material?: StoredMaterial,
): UsableKey<AlgorithmUse<Usage>['algorithm']> {
  const current = requireUsable(record);
  const algorithm = requireAlgorithm(record, use);
  const used = material ?? current;
  call.note?.({
    ...(record.keySpec === 'SYMMETRIC_DEFAULT' && { keyMaterialId: used.binding.materialId }),
    strategy: used.binding.dataSuite ?? algorithm,
  });
  return { arn: record.arn, keySpec: record.keySpec, origin: record.origin, material: used, algorithm };
}

/** The current material of a key whose state admits cryptography. */
export function requireUsable(record: KeyRecord): StoredMaterial {
  requireState('use', record.state, record.arn);
  if (record.currentMaterial === null) throw new Error(`key ${record.keyId} is ${record.state} and has no material`);
  return record.currentMaterial;
}
