import { authorizeAccount } from '../authorization.js';
import { aliasArn } from '../key_id.js';
import { findKey } from '../key_lookup.js';
import { pageOf, readMarker } from '../pagination.js';
import type { Operation } from '../region.js';

/** Aliases of one page. @source AWS KMS API Reference, ListAliases */
const PAGE = { absent: 50, max: 100 } as const;

export interface ListAliasesRequest {
  /** Lists the aliases of this key only. */
  readonly KeyId?: string;
  /** 1–1000, of which 100 are listed at most; 50 where it is absent. */
  readonly Limit?: number;
  readonly Marker?: string;
}

/** `AliasListEntry` of the AWS KMS API. */
export interface AliasEntry {
  readonly AliasName: string;
  readonly AliasArn: string;
  readonly TargetKeyId: string;
  readonly CreationDate: Date;
  readonly LastUpdatedDate: Date;
}

export interface ListAliasesResponse {
  readonly Aliases: readonly AliasEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Lists the aliases of the region, or of one key, in the order of their names, page by page.
 *
 * @throws {@link KmsError} `NotFoundException`, `InvalidMarkerException`
 * @source AWS KMS API Reference, ListAliases
 */
export const listAliases: Operation<ListAliasesRequest, ListAliasesResponse> = async (call, request) => {
  const { aliases, home } = call.region;
  const record = request.KeyId === undefined ? undefined : findKey(call, request.KeyId, 'key');
  authorizeAccount(call, 'ListAliases');
  const limit = Math.min(request.Limit ?? PAGE.absent, PAGE.max);
  const after = readMarker(request.Marker, (name) => name.startsWith('alias/')) ?? '';
  const found =
    record === undefined
      ? aliases.aliases({ after, limit: limit + 1 })
      : aliases.aliasesOf(record.keyId).filter(({ name }) => name > after);
  const { page, ...end } = pageOf(found, limit, ({ name }) => name);
  return {
    Aliases: page.map(({ name, keyId, createdMs, updatedMs }) => ({
      AliasName: name,
      AliasArn: aliasArn(home, name),
      TargetKeyId: keyId,
      CreationDate: new Date(createdMs),
      LastUpdatedDate: new Date(updatedMs),
    })),
    ...end,
  };
};
