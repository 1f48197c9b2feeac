import type { StoredMaterial } from '../hsm/material.js';
import { authorizeKey } from './authorization.js';
import { keyNotFound, parseKeyReference, aliasNotFound, type AcceptedReference } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import { requireAlgorithm, type EncryptionAlgorithm } from './key_spec.js';
import { requireState } from './key_state.js';
import type { Call } from './region.js';

/**
 * Finds the key that a `KeyId` member names.
 *
 * @throws {@link KmsError} `NotFoundException`
 */
export function findKey(call: Call, text: string, accepted: AcceptedReference): KeyRecord {
  const reference = parseKeyReference(text, call.region.home, accepted);
  if (reference.kind === 'alias') throw aliasNotFound(reference.arn);
  const record = call.region.store.key(reference.keyId);
  // An ARN of another account names another key, even where the key id is the same.
  if (record === undefined || record.arn !== reference.arn) throw keyNotFound(reference.arn);
  return record;
}

/** A key that is ready to encrypt. */
export interface EncryptingKey {
  readonly arn: string;
  readonly material: StoredMaterial;
  readonly algorithm: EncryptionAlgorithm;
}

/**
 * Finds a key that is to encrypt: lookup, authorisation, state, usage, in this order.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} as each check says
 */
export function findEncryptingKey(
  call: Call,
  operation: string,
  request: {
    readonly keyId: string;
    readonly grantTokens: readonly string[] | undefined;
    readonly algorithm: EncryptionAlgorithm | undefined;
  },
): EncryptingKey {
  const record = findKey(call, request.keyId, 'key-or-alias');
  authorizeKey(call, operation, record, request.grantTokens);
  const material = requireUsable(record);
  return { arn: record.arn, material, algorithm: requireAlgorithm(record.keySpec, request.algorithm) };
}

/** The current material of a key whose state admits cryptography. */
export function requireUsable(record: KeyRecord): StoredMaterial {
  requireState('use', record.state, record.arn);
  if (record.currentMaterial === null) throw new Error(`key ${record.keyId} is ${record.state} and has no material`);
  return record.currentMaterial;
}
