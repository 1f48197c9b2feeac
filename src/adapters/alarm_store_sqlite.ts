import {
  ALARM_STATES,
  HISTORY_TYPES,
  type Alarm,
  type AlarmConfiguration,
  type AlarmStanding,
  type Tag,
} from '../monitoring/alarm.js';
import type {
  AlarmStore,
  HistoryItem,
  HistoryQuery,
  NumberedHistoryItem,
  PendingAction,
} from '../monitoring/alarm_store.js';
import { prepareAll, type Database, type SqlRow, type SqlStatement } from './database.js';
import { integer, integerOrNull, oneOf, text, textOrNull } from './key_rows.js';

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE alarms (
    alarm_name TEXT PRIMARY KEY,
    configuration TEXT NOT NULL,
    configured_ms INTEGER NOT NULL,
    alarm_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_data TEXT,
    updated_ms INTEGER NOT NULL,
    transitioned_ms INTEGER NOT NULL,
    tags TEXT NOT NULL
  ) STRICT;
  CREATE TABLE alarm_history (
    item_number INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm_name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    item_type TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX alarm_history_of_alarm ON alarm_history (alarm_name, item_number);
  CREATE TABLE alarm_actions (
    action_number INTEGER PRIMARY KEY,
    action_id TEXT NOT NULL UNIQUE,
    alarm_name TEXT NOT NULL,
    action TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE alarm_clock (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    evaluated_ms INTEGER NOT NULL
  ) STRICT;`,
];

/** The alarms of a region in its SQLite database. */
export class SqliteAlarmStore implements AlarmStore {
  readonly #database: Database;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, SqlStatement>>;

  constructor(database: Database) {
    database.migrate('alarms', MIGRATIONS);
    this.#database = database;
    this.#sql = prepareAll(database, STATEMENTS);
  }

  transaction<Result>(work: () => Result): Result {
    return this.#database.transaction(work);
  }

  alarm(name: string): Alarm | undefined {
    const row = this.#sql.alarm.get(name);
    return row === undefined ? undefined : alarmFromRow(row);
  }

  alarms(after: string, limit: number): readonly Alarm[] {
    return this.#sql.alarms.all(after, limit).map(alarmFromRow);
  }

  count(): number {
    return integer(this.#sql.count.get() ?? {}, 'count');
  }

  put({ name, configuration, configuredMs, standing, tags }: Alarm): void {
    const { state, reason, reasonData, updatedMs, transitionedMs } = standing;
    this.#sql.put.run(
      ...[name, JSON.stringify(configuration), configuredMs, state, reason, reasonData, updatedMs, transitionedMs],
      JSON.stringify(tags),
    );
  }

  setStanding(name: string, { state, reason, reasonData, updatedMs, transitionedMs }: AlarmStanding): void {
    this.#sql.setStanding.run(state, reason, reasonData, updatedMs, transitionedMs, name);
  }

  delete(name: string): void {
    this.#sql.delete.run(name);
  }

  putHistory({ alarmName, atMs, type, summary, data }: HistoryItem): void {
    this.#sql.putHistory.run(alarmName, atMs, type, summary, data);
  }

  history({ alarmName, type, fromMs, toMs, order, after, limit }: HistoryQuery): readonly NumberedHistoryItem[] {
    const isNewestFirst = order === 'newest-first';
    const beyond = after ?? (isNewestFirst ? Number.MAX_SAFE_INTEGER : 0);
    const statement = isNewestFirst
      ? alarmName === null
        ? this.#sql.historyNewest
        : this.#sql.historyOfNewest
      : alarmName === null
        ? this.#sql.historyOldest
        : this.#sql.historyOfOldest;
    const bounds = [beyond, fromMs, toMs, type, limit] as const;
    return (alarmName === null ? statement.all(...bounds) : statement.all(...bounds, alarmName)).map(historyFromRow);
  }

  pruneHistory({ beforeMs, itemsMax }: { readonly beforeMs: number; readonly itemsMax: number }): void {
    this.#database.transaction(() => {
      this.#sql.pruneHistory.run(beforeMs);
      this.#sql.limitHistory.run(itemsMax);
    }, 'ordered');
  }

  putAction({ id, alarmName, action, atMs, body, attempts }: PendingAction): void {
    this.#sql.putAction.run(id, alarmName, action, atMs, body, attempts);
  }

  actions(limit: number): readonly PendingAction[] {
    return this.#sql.actions.all(limit).map((row) => ({
      id: text(row, 'action_id'),
      alarmName: text(row, 'alarm_name'),
      action: text(row, 'action'),
      atMs: integer(row, 'at_ms'),
      body: text(row, 'body'),
      attempts: integer(row, 'attempts'),
    }));
  }

  countActions(): number {
    return integer(this.#sql.countActions.get() ?? {}, 'count');
  }

  failAction(id: string): void {
    this.#sql.failAction.run(id);
  }

  removeAction(id: string): void {
    this.#sql.removeAction.run(id);
  }

  evaluatedMs(): number | null {
    return integerOrNull(this.#sql.evaluated.get() ?? { evaluated_ms: null }, 'evaluated_ms');
  }

  setEvaluatedMs(atMs: number): void {
    this.#database.transaction(() => this.#sql.setEvaluated.run(atMs), 'ordered');
  }
}

const ALARMS = `SELECT alarm_name, configuration, configured_ms, alarm_state, reason, reason_data, updated_ms, transitioned_ms, tags
  FROM alarms`;
const HISTORY = 'SELECT item_number, alarm_name, at_ms, item_type, summary, data FROM alarm_history';
const HISTORY_BOUNDS = 'at_ms BETWEEN ?2 AND ?3 AND (?4 IS NULL OR item_type = ?4)';

const STATEMENTS = {
  alarm: `${ALARMS} WHERE alarm_name = ?`,
  alarms: `${ALARMS} WHERE alarm_name > ? ORDER BY alarm_name LIMIT ?`,
  count: 'SELECT count(*) AS count FROM alarms',
  put: `INSERT OR REPLACE INTO alarms (alarm_name, configuration, configured_ms, alarm_state, reason, reason_data, updated_ms,
    transitioned_ms, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  setStanding: `UPDATE alarms SET alarm_state = ?, reason = ?, reason_data = ?, updated_ms = ?, transitioned_ms = ?
    WHERE alarm_name = ?`,
  delete: 'DELETE FROM alarms WHERE alarm_name = ?',
  putHistory: 'INSERT INTO alarm_history (alarm_name, at_ms, item_type, summary, data) VALUES (?, ?, ?, ?, ?)',
  historyNewest: `${HISTORY} WHERE item_number < ?1 AND ${HISTORY_BOUNDS} ORDER BY item_number DESC LIMIT ?5`,
  historyOldest: `${HISTORY} WHERE item_number > ?1 AND ${HISTORY_BOUNDS} ORDER BY item_number LIMIT ?5`,
  historyOfNewest: `${HISTORY} WHERE alarm_name = ?6 AND item_number < ?1 AND ${HISTORY_BOUNDS}
    ORDER BY item_number DESC LIMIT ?5`,
  historyOfOldest: `${HISTORY} WHERE alarm_name = ?6 AND item_number > ?1 AND ${HISTORY_BOUNDS} ORDER BY item_number LIMIT ?5`,
  pruneHistory: 'DELETE FROM alarm_history WHERE at_ms < ?',
  limitHistory: `DELETE FROM alarm_history WHERE item_number <=
    (SELECT item_number FROM alarm_history ORDER BY item_number DESC LIMIT 1 OFFSET ?)`,
  putAction: `INSERT INTO alarm_actions (action_id, alarm_name, action, at_ms, body, attempts) VALUES (?, ?, ?, ?, ?, ?)`,
  actions:
    'SELECT action_id, alarm_name, action, at_ms, body, attempts FROM alarm_actions ORDER BY action_number LIMIT ?',
  countActions: 'SELECT count(*) AS count FROM alarm_actions',
  failAction: 'UPDATE alarm_actions SET attempts = attempts + 1 WHERE action_id = ?',
  removeAction: 'DELETE FROM alarm_actions WHERE action_id = ?',
  evaluated: 'SELECT evaluated_ms FROM alarm_clock',
  setEvaluated: 'INSERT OR REPLACE INTO alarm_clock (only_row, evaluated_ms) VALUES (1, ?)',
} as const;

function alarmFromRow(row: SqlRow): Alarm {
  return {
    name: text(row, 'alarm_name'),
    configuration: JSON.parse(text(row, 'configuration')) as AlarmConfiguration,
    configuredMs: integer(row, 'configured_ms'),
    standing: {
      state: oneOf(row, 'alarm_state', ALARM_STATES),
      reason: text(row, 'reason'),
      reasonData: textOrNull(row, 'reason_data'),
      updatedMs: integer(row, 'updated_ms'),
      transitionedMs: integer(row, 'transitioned_ms'),
    },
    tags: JSON.parse(text(row, 'tags')) as readonly Tag[],
  };
}

function historyFromRow(row: SqlRow): NumberedHistoryItem {
  return {
    number: integer(row, 'item_number'),
    alarmName: text(row, 'alarm_name'),
    atMs: integer(row, 'at_ms'),
    type: oneOf(row, 'item_type', HISTORY_TYPES),
    summary: text(row, 'summary'),
    data: text(row, 'data'),
  };
}
