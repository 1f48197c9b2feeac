import { LIMITS } from '../limits.js';
import type { AliasRecord } from './alias_store.js';
import { KmsError, validationError } from './errors.js';
import { aliasNotFound, aliasArn, type KeyHome } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import { isAsymmetric } from './key_spec.js';
import type { Call } from './region.js';

const PREFIX = 'alias/';
/** Names of aliases that belong to the service. */
const RESERVED_PREFIX = 'alias/aws/';

/**
 * Checks the form of an `AliasName`, whose length and characters were checked with the request's model.
 *
 * @throws {@link KmsError} `ValidationException`; `InvalidAliasNameException` for a prefix without a name
 * @source AWS KMS API Reference, CreateAlias; recorded answer for the text of the first
 */
export function requireAliasName(name: string): void {
  if (!name.startsWith(PREFIX)) {
    throw validationError(
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (name.includes(':')) throw validationError(`${name} contains invalid characters for an alias`);
  if (name === PREFIX) throw new KmsError('InvalidAliasNameException', 'The alias has no name behind its prefix.');
}

/**
 * Checks that a name is not one of those that the service keeps for itself.
 *
 * @throws {@link KmsError} `InvalidAliasNameException`
 */
export function requireUnreservedName(name: string): void {
  if (!`${name}/`.startsWith(RESERVED_PREFIX)) return;
  throw new KmsError('InvalidAliasNameException', `The prefix "${RESERVED_PREFIX}" is reserved.`);
}

/**
 * Finds an alias and its key.
 *
 * @throws {@link KmsError} `NotFoundException`
 */
export function findAlias(call: Call, name: string): { readonly alias: AliasRecord; readonly record: KeyRecord } {
  const { aliases, store, home } = call.region;
  const alias = aliases.alias(name);
  if (alias === undefined) throw aliasNotFound(aliasArn(home, name));
  const record = store.key(alias.keyId);
  if (record === undefined) throw new Error(`the alias ${name} names the key ${alias.keyId}, which is not here`);
  return { alias, record };
}

/**
 * Checks that an alias may be taken from one key to another: of the same type and for the same usage.
 *
 * @throws {@link KmsError} `ValidationException`
 * @source AWS KMS API Reference, UpdateAlias
 */
export function requireSameType(home: KeyHome, name: string, current: KeyRecord, target: KeyRecord): void {
  const change = (what: string, from: string, to: string): KmsError =>
    validationError(
      `Alias ${aliasArn(home, name)} cannot be changed from a CMK with ${what} ${from} to a CMK with ${what} ${to}`,
    );
  if (current.keyUsage !== target.keyUsage) throw change('key usage', current.keyUsage, target.keyUsage);
  // Keys for encryption are symmetric or asymmetric; every other usage belongs to one type of keys.
  if (isAsymmetric(current.keySpec) !== isAsymmetric(target.keySpec)) {
    throw change('key spec', current.keySpec, target.keySpec);
  }
}

/**
 * Checks that a key may be given one alias more.
 *
 * @throws {@link KmsError} `LimitExceededException`
 */
export function requireRoomForAlias(call: Call, record: KeyRecord): void {
  const { length } = call.region.aliases.aliasesOf(record.keyId);
  if (length < LIMITS.kmsAliasesPerKeyMax) return;
  throw new KmsError(
    'LimitExceededException',
    `${record.arn} has ${length} aliases; a KMS key can have at most ${LIMITS.kmsAliasesPerKeyMax}.`,
  );
}
