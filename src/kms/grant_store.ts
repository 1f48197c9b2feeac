import type { GrantPermission, GrantRecord } from './grant.js';
import type { KeyId } from './key_id.js';

/** A grant as it is kept. */
export interface StoredGrant extends GrantRecord {
  /** What its tokens are authenticated with: 32 random octets that open nothing by themselves. */
  readonly tokenSecret: Uint8Array;
}

/** A part of a list of grants, in the order of their ids. */
export interface GrantPage {
  /** Grant id behind which the part begins; empty for the first. */
  readonly after: string;
  readonly limit: number;
}

/**
 * Where a region keeps the grants of its keys. Synchronous, as the key store is; a deleted key takes its grants along. Whom a grant names is
 * compared with roles' paths left out, as policy_principal.ts does.
 */
export interface GrantStore {
  /** Durable when it returns; joins a transaction that is open. */
  insertGrant(grant: StoredGrant): void;
  grant(grantId: string): StoredGrant | undefined;
  /** Grants of a key that were made with a name. */
  grantsNamed(keyId: KeyId, name: string): readonly StoredGrant[];
  countGrants(keyId: KeyId): number;
  /**
   * What the grants of a key to one principal permit, each thing once. On the path of encryptions that no policy allows: an implementation
   * answers it from memory.
   */
  permissions(keyId: KeyId, principal: string): readonly GrantPermission[];
  grantsOfKey(
    keyId: KeyId,
    filter: { readonly grantId?: string | undefined; readonly grantee?: string | undefined },
    page: GrantPage,
  ): readonly GrantRecord[];
  /** Grants of all keys that a principal may retire. */
  retirableGrants(retiring: string, page: GrantPage): readonly GrantRecord[];
  /** Durable when it returns. @returns whether it was there */
  removeGrant(grantId: string): boolean;
}
