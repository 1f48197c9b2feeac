import type { Alarm, AlarmStanding, HistoryType } from './alarm.js';

/** One entry of the history of an alarm; it outlives the alarm. */
export interface HistoryItem {
  readonly alarmName: string;
  readonly atMs: number;
  readonly type: HistoryType;
  readonly summary: string;
  /** JSON text. */
  readonly data: string;
}

/** A notification that is on its way. */
export interface PendingAction {
  /** UUID, the id of the message: the same at each attempt. */
  readonly id: string;
  readonly alarmName: string;
  /** Action as the alarm has it: an ARN or a URL. */
  readonly action: string;
  /** Time of the state's change, by the region's clock. */
  readonly atMs: number;
  /** JSON text. */
  readonly body: string;
  /** Attempts that failed. */
  readonly attempts: number;
}

/** The alarms of a region, their history, and what they still have to tell. */
export interface AlarmStore {
  /** Runs `work` in one transaction that is durable when this returns. */
  transaction<Result>(work: () => Result): Result;
  alarm(name: string): Alarm | undefined;
  /** Alarms whose names come after `after`, by name. */
  alarms(after: string, limit: number): readonly Alarm[];
  count(): number;
  /** Adds an alarm, or replaces the one of that name. */
  put(alarm: Alarm): void;
  setStanding(name: string, standing: AlarmStanding): void;
  delete(name: string): void;

  putHistory(item: HistoryItem): void;
  history(query: HistoryQuery): readonly NumberedHistoryItem[];
  /** Removes items from before `beforeMs`, and the oldest ones beyond `itemsMax`. */
  pruneHistory(bounds: { readonly beforeMs: number; readonly itemsMax: number }): void;

  putAction(action: PendingAction): void;
  /** Actions that are not done, the oldest first. */
  actions(limit: number): readonly PendingAction[];
  countActions(): number;
  failAction(id: string): void;
  removeAction(id: string): void;

  /** Until when alarms were evaluated; null before the first time. */
  evaluatedMs(): number | null;
  setEvaluatedMs(atMs: number): void;
}

/** Which items of the history are asked for. */
export interface HistoryQuery {
  /** Null for all alarms. */
  readonly alarmName: string | null;
  readonly type: HistoryType | null;
  /** From `fromMs` to `toMs`, both included. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly order: 'oldest-first' | 'newest-first';
  /** Number of the last item of the page before; null for the first page. */
  readonly after: number | null;
  readonly limit: number;
}

export interface NumberedHistoryItem extends HistoryItem {
  /** Grows with each item. */
  readonly number: number;
}
