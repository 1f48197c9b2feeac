import type { TraceEntry } from '../lab/trace_reader.js';
import { LIMITS } from '../limits.js';
import type { ReplicationDetail, ReplicationSummary } from './replication_form.js';
import { sequenceOf, timeOf } from './replication_sequence.js';

type RegionEntry = Extract<TraceEntry, { where: 'region' }>;

/** What is known of one replication. */
interface Kept {
  id: string;
  sid: string | null;
  source: string;
  destination: string;
  keyIds: readonly string[];
  startedMs: number;
  endedMs: number | null;
  state: ReplicationSummary['state'];
  code: string | null;
  suite: string | null;
  isHandover: boolean;
  isCut: boolean;
  readonly numbers: Set<number>;
  readonly entries: TraceEntry[];
}

/** What connects an entry with others. */
interface Relation {
  readonly intent: string | null;
  readonly sid: string | null;
}

/** Source and destination states in which a side has nothing left to do. */
const DONE = new Set(['DONE', 'INSTALLED']);
const SEED = /^seed /u;

/**
 * The replications of a lab, put together from its trace: the newest ones, each with what happened in every region and at the proxy.
 * It is kept in memory; the proxy’s log and the regions’ rings fill it again.
 */
export class ReplicationHistory {
  /** In the order in which they were first heard of. */
  readonly #kept = new Map<string, Kept>();
  readonly #intentOfSid = new Map<string, string>();
  readonly #ofNumber = new Map<number, string>();
  /** Steps of tokens whose session is not known yet, by session. */
  readonly #early = new Map<string, TraceEntry[]>();
  /** What regions refused: of which replication it was may not be known. */
  readonly #orphans: RegionEntry[] = [];

  /**
   * Takes entries, those of one place in the order in which they happened there.
   *
   * @returns ids of the replications about which something is new
   */
  take(entries: readonly TraceEntry[]): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const entry of entries) {
      const kept = this.#find(entry);
      if (kept === undefined) continue;
      this.#add(kept, entry);
      touched.add(kept.id);
    }
    return touched;
  }

  /** All of them, the newest first. */
  list(): readonly ReplicationSummary[] {
    return [...this.#kept.values()].toSorted((one, other) => other.startedMs - one.startedMs).map(summaryOf);
  }

  /** One of them with everything in it; undefined where it is not known. */
  find(id: string): ReplicationDetail | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    const parties = { source: kept.source, destination: kept.destination };
    return { ...summaryOf(kept), rows: sequenceOf(kept.entries, this.#orphans, parties), isCut: kept.isCut };
  }

  #find(entry: TraceEntry): Kept | undefined {
    if (entry.where === 'proxy' && entry.number !== null) {
      // What was altered on its way says nothing of itself that could be believed; the number says which message it was.
      const known = this.#kept.get(this.#ofNumber.get(entry.number) ?? '');
      if (known !== undefined) return known;
    }
    const { intent, sid } = relationOf(entry);
    const id = intent ?? this.#intentOfSid.get(sid ?? '');
    if (entry.where === 'region' && isRefusal(entry)) {
      // What a refused message says of itself may be wrong: it makes no replication known.
      this.#keepOrphan(entry);
      return id === undefined ? undefined : this.#kept.get(id);
    }
    if (id !== undefined) {
      const kept = this.#kept.get(id) ?? this.#open(id, timeOf(entry));
      if (sid !== null) this.#learn(kept, sid);
      return kept;
    }
    if (sid !== null && (entry.where === 'region' || entry.event === 'accepted')) this.#wait(sid, entry);
    return undefined;
  }

  #keepOrphan(entry: RegionEntry): void {
    this.#orphans.push(entry);
    if (this.#orphans.length > LIMITS.consoleOrphansMax) this.#orphans.shift();
  }

  #open(id: string, atMs: number): Kept {
    const kept: Kept = {
      id,
      sid: null,
      source: '',
      destination: '',
      keyIds: [],
      startedMs: atMs,
      endedMs: null,
      state: 'running',
      code: null,
      suite: null,
      isHandover: false,
      isCut: false,
      numbers: new Set(),
      entries: [],
    };
    this.#kept.set(id, kept);
    const [oldest] = this.#kept.values();
    if (this.#kept.size > LIMITS.consoleReplicationsMax && oldest !== undefined) {
      this.#kept.delete(oldest.id);
      if (oldest.sid !== null) this.#intentOfSid.delete(oldest.sid);
      for (const number of oldest.numbers) this.#ofNumber.delete(number);
    }
    return kept;
  }

  #learn(kept: Kept, sid: string): void {
    if (this.#intentOfSid.has(sid)) return;
    this.#intentOfSid.set(sid, kept.id);
    kept.sid = sid;
    for (const entry of this.#early.get(sid) ?? []) this.#add(kept, entry);
    this.#early.delete(sid);
  }

  #wait(sid: string, entry: TraceEntry): void {
    const waiting = this.#early.get(sid) ?? [];
    if (waiting.length < LIMITS.consoleReplicationEntriesMax) waiting.push(entry);
    this.#early.set(sid, waiting);
    const [oldest] = this.#early.keys();
    if (this.#early.size > LIMITS.consoleOrphansMax && oldest !== undefined) this.#early.delete(oldest);
  }

  #add(kept: Kept, entry: TraceEntry): void {
    if (kept.entries.length < LIMITS.consoleReplicationEntriesMax) kept.entries.push(entry);
    else kept.isCut = true;
    const atMs = timeOf(entry);
    kept.startedMs = Math.min(kept.startedMs, atMs);
    if (entry.where === 'proxy') {
      if (entry.number !== null) {
        kept.numbers.add(entry.number);
        this.#ofNumber.set(entry.number, kept.id);
      }
      if (entry.event === 'accepted') learnFromMessage(kept, entry.message, atMs);
      return;
    }
    const { event, region } = entry;
    if (event.kind !== 'session') return;
    const [source, destination] = event.role === 'source' ? [region, event.peer] : [event.peer, region];
    Object.assign(kept, { source, destination, keyIds: event.keyIds });
    if (DONE.has(event.state)) end(kept, { state: 'done', code: null, atMs });
    else if (event.code !== null) end(kept, { state: 'ended', code: event.code, atMs });
  }
}

/** The first end counts; but what the source says in the end does more. */
function end(kept: Kept, { state, code, atMs }: Pick<Kept, 'state' | 'code'> & { readonly atMs: number }): void {
  if (kept.state === 'done' && state !== 'done') return;
  if (kept.state === state && kept.endedMs !== null) kept.endedMs = Math.min(kept.endedMs, atMs);
  else Object.assign(kept, { state, code, endedMs: atMs });
}

type SeenMessage = Extract<TraceEntry, { where: 'proxy' }>['message'];

/** What a message says of its replication: all that there is where a region’s ring is gone. */
function learnFromMessage(kept: Kept, message: SeenMessage, atMs: number): void {
  if (message === null || message.verification !== 'ok') return;
  const { label, issuer, destination, keyIds, payload } = message;
  const isOfSource = message.message?.envelope.role === 'S';
  if (issuer !== null && destination !== null) {
    kept.source = isOfSource ? issuer : destination;
    kept.destination = isOfSource ? destination : issuer;
  }
  if (keyIds.length > 0) kept.keyIds = keyIds;
  const suite = payload?.['suite'];
  if (typeof suite === 'string') kept.suite = suite;
  const keys = payload?.['keys'];
  if (label === 'M0' && Array.isArray(keys)) {
    kept.isHandover = keys.some((key) => typeof key === 'object' && key !== null && 'nextPrimary' in key);
  }
  if (label === 'M4') end(kept, { state: 'done', code: null, atMs });
  const code = payload?.['code'];
  if (label === 'MX' && typeof code === 'string') end(kept, { state: 'ended', code, atMs });
}

function relationOf(entry: TraceEntry): Relation {
  if (entry.where === 'proxy') {
    const { message } = entry;
    if (message === null || message.verification !== 'ok' || SEED.test(message.label))
      return { intent: null, sid: null };
    return relationOfPayload(message.label, message);
  }
  const { event } = entry;
  switch (event.kind) {
    case 'sent':
    case 'received':
      return relationOfPayload(event.label, event);
    case 'session':
      return { intent: event.intent, sid: event.sid };
    case 'audit':
    case 'token':
      return { intent: null, sid: event.sid };
  }
}

function relationOfPayload(
  label: string,
  {
    messageId,
    sid,
    payload,
  }: { messageId: string | null; sid: string | null; payload: Readonly<Record<string, unknown>> | null },
): Relation {
  const text = (name: string): string | null => {
    const value = payload?.[name];
    return typeof value === 'string' ? value : null;
  };
  if (label === 'M0') return { intent: messageId, sid: null };
  if (label === 'M1') return { intent: text('prev'), sid };
  return { intent: text('intent'), sid };
}

/** Whether a region has refused something there. */
function isRefusal({ event }: RegionEntry): boolean {
  if (event.kind === 'received') return event.verification !== 'ok';
  return event.kind === 'audit' && !event.code.startsWith('REPL_');
}

function summaryOf(kept: Kept): ReplicationSummary {
  const { id, sid, source, destination, keyIds, startedMs, endedMs, state, code, suite, isHandover } = kept;
  const troubles = kept.entries.filter((entry) => entry.where === 'proxy' && TROUBLES.has(entry.event)).length;
  const messages = kept.numbers.size;
  return {
    id,
    sid,
    source,
    destination,
    keyIds,
    startedMs,
    endedMs,
    state,
    code,
    suite,
    isHandover,
    messages,
    troubles,
  };
}

const TROUBLES = new Set(['lost', 'held', 'altered', 'repeated']);
