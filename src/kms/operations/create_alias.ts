import { requireAliasName, requireRoomForAlias, requireUnreservedName } from '../alias.js';
import { authorizeAlias, authorizeKey } from '../authorization.js';
import { KmsError } from '../errors.js';
import { aliasArn } from '../key_id.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface CreateAliasRequest {
  /** With its prefix `alias/`. */
  readonly AliasName: string;
  readonly TargetKeyId: string;
}

/**
 * Gives a key a name that is unique in the region.
 *
 * @throws {@link KmsError} the name's rules, lookup, authorisation, state, in this order; `AlreadyExistsException`;
 * `LimitExceededException`
 * @source AWS KMS API Reference, CreateAlias
 */
export const createAlias: Operation<CreateAliasRequest, NoOutput> = async (call, request) => {
  const { aliases, home, clock } = call.region;
  const name = request.AliasName;
  requireAliasName(name);
  requireUnreservedName(name);
  const arn = aliasArn(home, name);
  call.note?.({ aliasArn: arn });
  const record = findKey(call, request.TargetKeyId, 'key');
  authorizeAlias(call, 'CreateAlias', arn);
  authorizeKey(call, 'CreateAlias', record);
  requireState('annotate', record.state, record.arn);
  if (aliases.alias(name) !== undefined) {
    throw new KmsError('AlreadyExistsException', `An alias with the name ${arn} already exists`);
  }
  requireRoomForAlias(call, record);
  const nowMs = clock.nowMs();
  aliases.putAlias({ name, keyId: record.keyId, createdMs: nowMs, updatedMs: nowMs });
  return NO_OUTPUT;
};
