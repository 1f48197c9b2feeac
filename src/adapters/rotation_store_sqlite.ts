import { isKeyId, type KeyId } from '../kms/key_id.js';
import type { DueMaterial } from '../kms/material_store.js';
import type { RotationSetting, RotationStore } from '../kms/rotation_store.js';
import { REPLICATION_LIMITS } from '../replication/limits.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, integerOrNull, text } from './key_rows.js';

/** Whether a key may be rotated at all now: 1 or 0. */
const IS_OPEN = `(key_state = 'Enabled' AND coalesce(multi_region_type, '') <> 'REPLICA')`;

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE key_rotations (
    key_id TEXT PRIMARY KEY REFERENCES keys (key_id) ON DELETE CASCADE,
    period_days INTEGER NOT NULL,
    next_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX key_rotations_due ON key_rotations (next_ms);
  CREATE INDEX key_materials_rotating ON key_materials (key_id) WHERE rotation_type IS NOT NULL AND rotated_ms IS NULL;`,
  // What is due is asked for four times a second, and most overdue keys may be disabled, or replicas: they are in no index then.
  `ALTER TABLE key_rotations ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
  UPDATE key_rotations SET is_open = (SELECT ${IS_OPEN} FROM keys WHERE keys.key_id = key_rotations.key_id);
  DROP INDEX key_rotations_due;
  CREATE INDEX key_rotations_due ON key_rotations (next_ms) WHERE is_open = 1;
  CREATE TRIGGER key_rotations_follow AFTER UPDATE OF key_state, multi_region_type ON keys BEGIN
    UPDATE key_rotations SET is_open = (SELECT ${IS_OPEN} FROM keys WHERE keys.key_id = new.key_id)
      WHERE key_id = new.key_id;
  END;`,
];

/** Rotations that are to come, in a region's SQLite database, beside its keys. */
export class SqliteRotationStore implements RotationStore {
  readonly #sql: Readonly<Record<StatementName, SqlStatement>>;
  /** What was due when the database had seen so many changes: it is asked for four times a second, and rarely anew. */
  #known: { readonly changes: number; readonly nextDueMs: number | null } | undefined;

  /** @param database - the key store and the material store have migrated it already */
  constructor(database: Database) {
    database.migrate('rotations', MIGRATIONS);
    this.#sql = prepareAll(database, STATEMENTS);
    database.onRollback(() => (this.#known = undefined));
  }

  setting(keyId: KeyId): RotationSetting | undefined {
    const row = this.#sql.setting.get(keyId);
    return row === undefined ? undefined : { periodDays: integer(row, 'period_days'), nextMs: integer(row, 'next_ms') };
  }

  putSetting(keyId: KeyId, { periodDays, nextMs }: RotationSetting): void {
    this.#sql.putSetting.run(keyId, periodDays, nextMs, keyId);
  }

  removeSetting(keyId: KeyId): void {
    this.#sql.removeSetting.run(keyId);
  }

  dueKeys(nowMs: number, limit: number): readonly KeyId[] {
    return this.#sql.dueKeys.all(nowMs, REPLICATION_LIMITS.materialsPerKeyMax, limit).map(keyIdOf);
  }

  isDue(keyId: KeyId, nowMs: number): boolean {
    return this.#sql.isDue.get(keyId, nowMs, REPLICATION_LIMITS.materialsPerKeyMax) !== undefined;
  }

  rotationsInProgress(): readonly DueMaterial[] {
    return this.#sql.rotationsInProgress.all().map(materialOf);
  }

  deliveredRotations(limit: number): readonly DueMaterial[] {
    return this.#sql.deliveredRotations.all(limit).map(materialOf);
  }

  nextDueMs(): number | null {
    const changes = integer(this.#sql.changes.get() ?? {}, 'changes');
    if (this.#known?.changes !== changes) this.#known = { changes, nextDueMs: this.#readNextDueMs() };
    return this.#known.nextDueMs;
  }

  #readNextDueMs(): number | null {
    if (this.deliveredRotations(1).length > 0) return 0;
    const row = this.#sql.nextDue.get(REPLICATION_LIMITS.materialsPerKeyMax);
    return row === undefined ? null : integerOrNull(row, 'next_ms');
  }
}

/** A rotation of origin AWS_KMS that is in progress; imported material that waits has no rotation type yet. */
const WAITING = `rotation_type IS NOT NULL AND rotated_ms IS NULL`;

/** Keys that would be rotated now if their time had come; the parameter is the most versions of a multi-Region key. */
const ROTATABLE = `is_open = 1
  AND NOT EXISTS (SELECT 1 FROM key_materials WHERE key_materials.key_id = keys.key_id AND ${WAITING})
  AND (multi_region_type IS NULL
    OR (SELECT count(*) FROM key_materials WHERE key_materials.key_id = keys.key_id) < ?)`;

const ROTATING = `SELECT key_id, material_id FROM key_materials AS waiting CROSS JOIN keys USING (key_id)
  WHERE ${WAITING} AND coalesce(multi_region_type, '') <> 'REPLICA'`;

const STATEMENTS = {
  changes: 'SELECT total_changes() AS changes',
  setting: 'SELECT period_days, next_ms FROM key_rotations WHERE key_id = ?',
  putSetting: `INSERT INTO key_rotations (key_id, period_days, next_ms, is_open)
    VALUES (?, ?, ?, (SELECT ${IS_OPEN} FROM keys WHERE key_id = ?))
    ON CONFLICT (key_id) DO UPDATE SET period_days = excluded.period_days, next_ms = excluded.next_ms,
    is_open = excluded.is_open`,
  removeSetting: 'DELETE FROM key_rotations WHERE key_id = ?',
  dueKeys: `SELECT key_id FROM key_rotations JOIN keys USING (key_id)
    WHERE next_ms <= ? AND ${ROTATABLE} ORDER BY next_ms LIMIT ?`,
  isDue: `SELECT 1 FROM key_rotations JOIN keys USING (key_id) WHERE key_id = ? AND next_ms <= ? AND ${ROTATABLE}`,
  nextDue: `SELECT next_ms FROM key_rotations CROSS JOIN keys USING (key_id) WHERE ${ROTATABLE} ORDER BY next_ms LIMIT 1`,
  rotationsInProgress: ROTATING,
  deliveredRotations: `${ROTATING} AND NOT EXISTS (
      SELECT 1 FROM key_replicas AS replica
      WHERE replica.key_id = waiting.key_id AND replica.standing <> 'FAILED' AND NOT EXISTS (
        SELECT 1 FROM replica_materials AS held WHERE held.key_id = waiting.key_id
          AND held.material_id = waiting.material_id AND held.region = replica.region))
    LIMIT ?`,
} as const;
type StatementName = keyof typeof STATEMENTS;

function materialOf(row: SqlRow): DueMaterial {
  return { keyId: keyIdOf(row), materialId: text(row, 'material_id') };
}

function keyIdOf(row: SqlRow): KeyId {
  const id = text(row, 'key_id');
  if (!isKeyId(id)) throw new Error(`the database holds the malformed key id ${id}`);
  return id;
}
