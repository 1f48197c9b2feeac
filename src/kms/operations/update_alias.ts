import { findAlias, requireAliasName, requireRoomForAlias, requireSameType } from '../alias.js';
import { authorizeAlias, authorizeKey } from '../authorization.js';
import { aliasArn } from '../key_id.js';
import { findKey } from '../key_lookup.js';
import { requireState } from '../key_state.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface UpdateAliasRequest {
  readonly AliasName: string;
  /** The key that the alias is to name from now on. */
  readonly TargetKeyId: string;
}

/**
 * Gives an alias to another key of the same type and usage. The key that it named so far may be pending deletion, the other may not.
 *
 * @throws {@link KmsError} lookup of the alias and of the key, authorisation of all three, state, type, limit, in this order
 * @source AWS KMS API Reference, UpdateAlias
 */
export const updateAlias: Operation<UpdateAliasRequest, NoOutput> = async (call, request) => {
  const { aliases, home, clock } = call.region;
  const name = request.AliasName;
  requireAliasName(name);
  const arn = aliasArn(home, name);
  call.note?.({ aliasArn: arn });
  const { alias, record: current } = findAlias(call, name);
  const target = findKey(call, request.TargetKeyId, 'key');
  authorizeAlias(call, 'UpdateAlias', arn);
  authorizeKey(call, 'UpdateAlias', current);
  authorizeKey(call, 'UpdateAlias', target);
  requireState('annotate', target.state, target.arn);
  requireSameType(home, name, current, target);
  if (target.keyId !== current.keyId) requireRoomForAlias(call, target);
  aliases.putAlias({ ...alias, keyId: target.keyId, updatedMs: clock.nowMs() });
  return NO_OUTPUT;
};
