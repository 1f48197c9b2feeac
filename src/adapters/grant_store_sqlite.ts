import { GRANT_OPERATIONS, type GrantConstraints, type GrantParty, type GrantPermission } from '../kms/grant.js';
import type { GrantPage, GrantStore, StoredGrant } from '../kms/grant_store.js';
import { isKeyId, type KeyId } from '../kms/key_id.js';
import type { KeyStore } from '../kms/key_store.js';
import { withoutRolePath } from '../kms/policy_principal.js';
import { LIMITS } from '../limits.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, octets, oneOf, text, textOrNull } from './key_rows.js';

/**
 * `grantee_name` and `retiring_name` are what callers are compared with: roles without their paths, and services with a prefix that no ARN
 * has. `constraints` is JSON.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE grants (
    grant_id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    name TEXT,
    created_ms INTEGER NOT NULL,
    grantee_kind TEXT NOT NULL CHECK (grantee_kind IN ('principal', 'service')),
    grantee TEXT NOT NULL,
    grantee_name TEXT NOT NULL,
    retiring_kind TEXT CHECK (retiring_kind IN ('principal', 'service')),
    retiring TEXT,
    retiring_name TEXT,
    issuing_account TEXT NOT NULL,
    operations TEXT NOT NULL,
    constraints TEXT NOT NULL,
    token_secret BLOB NOT NULL,
    CHECK ((retiring IS NULL) = (retiring_kind IS NULL)),
    CHECK ((retiring IS NULL) = (retiring_name IS NULL))
  ) STRICT;
  CREATE INDEX grants_of_key ON grants (key_id, grant_id);
  CREATE INDEX grants_of_grantee ON grants (key_id, grantee_name, grant_id);
  CREATE INDEX grants_named ON grants (key_id, name) WHERE name IS NOT NULL;
  CREATE INDEX grants_retirable ON grants (retiring_name, grant_id) WHERE retiring_name IS NOT NULL;`,
];

const STATEMENTS = {
  insert: `INSERT INTO grants (grant_id, key_id, name, created_ms, grantee_kind, grantee, grantee_name, retiring_kind, retiring,
    retiring_name, issuing_account, operations, constraints, token_secret)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  grant: 'SELECT * FROM grants WHERE grant_id = ?',
  named: 'SELECT * FROM grants WHERE key_id = ? AND name = ?',
  count: 'SELECT count(*) AS count FROM grants WHERE key_id = ?',
  permissions: 'SELECT DISTINCT operations, constraints FROM grants WHERE key_id = ? AND grantee_name = ?',
  ofKey: 'SELECT * FROM grants WHERE key_id = ? AND grant_id > ? ORDER BY grant_id LIMIT ?',
  ofGrantee: 'SELECT * FROM grants WHERE key_id = ? AND grantee_name = ? AND grant_id > ? ORDER BY grant_id LIMIT ?',
  retirable: 'SELECT * FROM grants WHERE retiring_name = ? AND grant_id > ? ORDER BY grant_id LIMIT ?',
  remove: 'DELETE FROM grants WHERE grant_id = ?',
} as const;
type StatementName = keyof typeof STATEMENTS;

/**
 * The grants of a region's keys in its SQLite database, beside the keys. What grantees may do is answered from memory: whatever changes a
 * key's grants drops what is remembered of that key, and a rollback drops everything.
 */
export class SqliteGrantStore implements GrantStore {
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;
  readonly #permissions = new Map<KeyId, Map<string, readonly GrantPermission[]>>();
  #remembered = 0;

  /** @param keys - the key store over the same database, already migrated; it tells of keys that are deleted */
  constructor(database: Database, keys: Pick<KeyStore, 'onDelete'>) {
    database.migrate('grants', MIGRATIONS);
    this.#sql = prepareAll(database, STATEMENTS);
    database.onRollback(() => this.#forgetAll());
    keys.onDelete((keyId) => this.#permissions.delete(keyId));
  }

  insertGrant(grant: StoredGrant): void {
    this.#sql.insert.run(
      grant.grantId,
      grant.keyId,
      grant.name,
      grant.createdMs,
      grant.grantee.kind,
      grant.grantee.name,
      comparedName(grant.grantee),
      grant.retiring?.kind ?? null,
      grant.retiring?.name ?? null,
      grant.retiring === null ? null : comparedName(grant.retiring),
      grant.issuingAccount,
      operationsText(grant),
      JSON.stringify(grant.constraints),
      grant.tokenSecret,
    );
    this.#permissions.delete(grant.keyId);
  }

  grant(grantId: string): StoredGrant | undefined {
    const row = this.#sql.grant.get(grantId);
    return row === undefined ? undefined : grantFromRow(row);
  }

  grantsNamed(keyId: KeyId, name: string): readonly StoredGrant[] {
    return this.#sql.named.all(keyId, name).map(grantFromRow);
  }

  countGrants(keyId: KeyId): number {
    return integer(this.#sql.count.get(keyId) ?? {}, 'count');
  }

  permissions(keyId: KeyId, principal: string): readonly GrantPermission[] {
    const remembered = this.#permissions.get(keyId)?.get(principal);
    if (remembered !== undefined) return remembered;
    const permissions = this.#sql.permissions.all(keyId, withoutRolePath(principal)).map(permissionFromRow);
    // What is remembered of keys that changed meanwhile is counted too: the worst is to forget early.
    if (this.#remembered >= LIMITS.kmsCachedPermissionsMax) this.#forgetAll();
    this.#remembered += permissions.length + 1;
    const ofKey = this.#permissions.get(keyId) ?? new Map<string, readonly GrantPermission[]>();
    this.#permissions.set(keyId, ofKey.set(principal, permissions));
    return permissions;
  }

  grantsOfKey(
    keyId: KeyId,
    filter: { readonly grantId?: string | undefined; readonly grantee?: string | undefined },
    page: GrantPage,
  ): readonly StoredGrant[] {
    const { grantId, grantee } = filter;
    if (grantId !== undefined) {
      const grant = this.grant(grantId);
      const fits =
        grant?.keyId === keyId &&
        grant.grantId > page.after &&
        (grantee === undefined || comparedName(grant.grantee) === withoutRolePath(grantee));
      return fits ? [grant] : [];
    }
    const rows =
      grantee === undefined
        ? this.#sql.ofKey.all(keyId, page.after, page.limit)
        : this.#sql.ofGrantee.all(keyId, withoutRolePath(grantee), page.after, page.limit);
    return rows.map(grantFromRow);
  }

  retirableGrants(retiring: string, page: GrantPage): readonly StoredGrant[] {
    return this.#sql.retirable.all(withoutRolePath(retiring), page.after, page.limit).map(grantFromRow);
  }

  removeGrant(grantId: string): boolean {
    const grant = this.grant(grantId);
    if (grant === undefined) return false;
    this.#sql.remove.run(grantId);
    this.#permissions.delete(grant.keyId);
    return true;
  }

  #forgetAll(): void {
    this.#permissions.clear();
    this.#remembered = 0;
  }
}

/** By what a grant's party is found: nobody calls in the name of a service. */
function comparedName({ kind, name }: GrantParty): string {
  return kind === 'service' ? `service:${name}` : withoutRolePath(name);
}

/** In one order, so that equal permissions are one text. */
function operationsText({ operations }: GrantPermission): string {
  return GRANT_OPERATIONS.filter((operation) => operations.includes(operation)).join(' ');
}

function permissionFromRow(row: SqlRow): GrantPermission {
  const constraints = JSON.parse(text(row, 'constraints')) as GrantConstraints;
  const written = text(row, 'operations').split(' ');
  return { operations: GRANT_OPERATIONS.filter((operation) => written.includes(operation)), constraints };
}

function grantFromRow(row: SqlRow): StoredGrant {
  const keyId = text(row, 'key_id');
  if (!isKeyId(keyId)) throw new Error(`a grant is of the malformed key id ${keyId}`);
  const retiring = textOrNull(row, 'retiring');
  return {
    ...permissionFromRow(row),
    grantId: text(row, 'grant_id'),
    keyId,
    name: textOrNull(row, 'name'),
    createdMs: integer(row, 'created_ms'),
    grantee: { kind: oneOf(row, 'grantee_kind', PARTY_KINDS), name: text(row, 'grantee') },
    retiring: retiring === null ? null : { kind: oneOf(row, 'retiring_kind', PARTY_KINDS), name: retiring },
    issuingAccount: text(row, 'issuing_account'),
    tokenSecret: octets(row, 'token_secret'),
  };
}

const PARTY_KINDS = ['principal', 'service'] as const;
