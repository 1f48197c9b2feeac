import { findAlias, requireAliasName } from '../alias.js';
import { authorizeAlias, authorizeKey } from '../authorization.js';
import { aliasArn } from '../key_id.js';
import { NO_OUTPUT, type NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface DeleteAliasRequest {
  readonly AliasName: string;
}

/**
 * Deletes an alias; its key stays as it is, whatever its state.
 *
 * @throws {@link KmsError} lookup, authorisation, in this order
 * @source AWS KMS API Reference, DeleteAlias
 */
export const deleteAlias: Operation<DeleteAliasRequest, NoOutput> = async (call, request) => {
  const { aliases, home } = call.region;
  const name = request.AliasName;
  requireAliasName(name);
  const arn = aliasArn(home, name);
  call.note?.({ aliasArn: arn });
  const { record } = findAlias(call, name);
  authorizeAlias(call, 'DeleteAlias', arn);
  authorizeKey(call, 'DeleteAlias', record);
  aliases.removeAlias(name);
  return NO_OUTPUT;
};
