import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { explainStep } from '../hsm/step_explanation.js';
import { parseProfile, type TokenProfile } from '../token/profile.js';
import { isReplicationSuite } from '../wire/suite.js';
import { askAdmin } from './admin_client.js';
import { readAuthority, readRosters } from './authority.js';
import { observeMessage, type ObservedMessage } from './observed_message.js';
import type { Roster } from '../replication/roster.js';
import type { TraceEvent } from '../replication/trace.js';
import type { StateDirectory } from './state_directory.js';

/** One thing that happened: at the proxy, with the message where there is one, or in a region. */
export type TraceEntry =
  | {
      readonly where: 'proxy';
      readonly atMs: number;
      readonly event: string;
      /** The proxy’s own number of the message: the same on all lines about it. */
      readonly number: number | null;
      readonly detail: string | null;
      readonly message: ObservedMessage | null;
    }
  | {
      readonly where: 'region';
      /** By the region’s own clock, milliseconds. */
      readonly atMs: number;
      /** How far that clock was moved. */
      readonly offsetMs: number;
      readonly region: string;
      readonly event: RegionEvent;
    };

/** A region's trace event, or a line of its security audit. */
export type RegionEvent =
  | TraceEvent
  | {
      readonly kind: 'audit';
      readonly atMs: number;
      readonly code: string;
      readonly sid: string | null;
      readonly kid: string | null;
      readonly peer: string | null;
      readonly keyId: string | null;
      readonly detail: string;
      /** Suite and mechanisms that carried the session’s material, on the lines that tell of it. */
      readonly strategy?: string | null;
    };

const logForm = z.object({
  entries: z.array(
    z.object({
      id: z.number(),
      atMs: z.number(),
      event: z.string(),
      messageId: z.number().nullable(),
      destination: z.string().nullable(),
      octets: z.string().nullable(),
      detail: z.string().nullable(),
    }),
  ),
});
const eventsForm = z.object({
  events: z.array(
    z.object({
      number: z.number(),
      event: z.looseObject({ atMs: z.number(), kind: z.string(), clockOffsetMs: z.number().default(0) }),
    }),
  ),
});

/** Reads what happened in a lab, from the proxy's log and from each region, and goes on where it stopped. */
export class TraceReader {
  readonly #directory: StateDirectory;
  readonly #regions: readonly string[];
  readonly #after = new Map<string, number>();
  /** Message numbers of the proxy and what they were, for the lines that name them only. */
  readonly #seen = new Map<number, ObservedMessage>();
  readonly #profiles = new Map<string, TokenProfile>();

  constructor(directory: StateDirectory, regions: readonly string[]) {
    this.#directory = directory;
    this.#regions = regions;
  }

  /** Everything new, in the order in which it happened. */
  async read(): Promise<readonly TraceEntry[]> {
    const found = await Promise.all([
      this.#drain(() => this.readProxy(0)),
      ...this.#regions.map((name) => this.#drain(() => this.readRegion(name, 0))),
    ]);
    return found.flat().toSorted((one, other) => one.atMs - other.atMs);
  }

  /**
   * What is new at the proxy; waits for it where there is nothing.
   *
   * @param signal - ends the waiting
   */
  async readProxy(waitMs: number, signal?: AbortSignal): Promise<readonly TraceEntry[]> {
    const path = `/log?after=${this.#after.get('') ?? 0}&wait=${waitMs}`;
    const answer = await askAdmin(this.#directory.adminSocket(), {
      method: 'GET',
      path,
      ...(signal === undefined ? {} : { signal }),
    });
    const { entries } = logForm.parse(answer);
    const rosters = this.#rosters();
    return entries.map((entry) => {
      this.#after.set('', entry.id);
      const message =
        entry.octets === null
          ? this.#seen.get(entry.messageId ?? 0)
          : observeMessage(Buffer.from(entry.octets, 'base64'), rosters);
      if (message !== undefined && entry.event === 'accepted') this.#remember(entry.messageId ?? 0, message);
      const { atMs, event, messageId: number, detail } = entry;
      return { where: 'proxy', atMs, event, number, detail, message: message ?? null };
    });
  }

  /** What is new in a region; waits for it where there is nothing. */
  async readRegion(region: string, waitMs: number, signal?: AbortSignal): Promise<readonly TraceEntry[]> {
    const path = `/events?after=${this.#after.get(region) ?? 0}&wait=${waitMs}`;
    const answer = await askAdmin(this.#directory.adminSocket(region), {
      method: 'GET',
      path,
      ...(signal === undefined ? {} : { signal }),
    });
    const { events } = eventsForm.parse(answer);
    return events.map(({ number, event: { clockOffsetMs, ...event } }) => {
      this.#after.set(region, number);
      return {
        where: 'region',
        atMs: event.atMs,
        offsetMs: clockOffsetMs,
        region,
        event: this.#explained(region, event as unknown as RegionEvent),
      };
    });
  }

  /** A token step with the strategy and the mechanisms that carry it, where the region has not said so itself. */
  #explained(region: string, event: RegionEvent): RegionEvent {
    if (event.kind !== 'token' || event.mechanism !== null) return event;
    if (event.step === 'random' || event.step === 'release') return event;
    const profile = this.#profileOf(region);
    const suite = event.strategy !== null && isReplicationSuite(event.strategy) ? event.strategy : undefined;
    const explanation = profile === undefined ? undefined : explainStep(profile, event.step, suite);
    return explanation === undefined ? event : { ...event, ...explanation };
  }

  #profileOf(region: string): TokenProfile | undefined {
    const known = this.#profiles.get(region);
    if (known !== undefined) return known;
    const file = join(this.#directory.region(region), 'profile.json');
    if (!existsSync(file)) return undefined;
    const profile = parseProfile(readFileSync(file, 'utf8'));
    this.#profiles.set(region, profile);
    return profile;
  }

  async #drain(read: () => Promise<readonly TraceEntry[]>): Promise<readonly TraceEntry[]> {
    const all: TraceEntry[] = [];
    for (;;) {
      const some = await read();
      if (some.length === 0) return all;
      all.push(...some);
    }
  }

  #remember(messageId: number, message: ObservedMessage): void {
    this.#seen.set(messageId, message);
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size > 10_000 && oldest !== undefined) this.#seen.delete(oldest);
  }

  #rosters(): readonly Roster[] {
    const authority = readAuthority(this.#directory.authority);
    return authority === undefined ? [] : readRosters(this.#directory.authority, authority);
  }
}

/** Lets through what belongs to one session or to one key; learns from what passes which sessions and messages belong together. */
export class TraceFilter {
  readonly #keyId: string | undefined;
  readonly #sids: Set<string>;
  /** Identities of the M0 of those sessions, which have no session id yet. */
  readonly #intents = new Set<string>();

  constructor(wanted: { readonly sid?: string | undefined; readonly keyId?: string | undefined }) {
    this.#keyId = wanted.keyId;
    this.#sids = new Set(wanted.sid === undefined ? [] : [wanted.sid]);
  }

  /** Looks at entries before any of them is shown, so that an M0 is known by the M1 that follows it. */
  learn(entries: readonly TraceEntry[]): void {
    for (const entry of entries) {
      const { sid, keyIds, messageId, prev, label } = relationsOf(entry);
      if (this.#keyId !== undefined && keyIds.includes(this.#keyId)) {
        if (sid !== null) this.#sids.add(sid);
        if (label === 'M0' && messageId !== null) this.#intents.add(messageId);
      }
      if (label === 'M1' && sid !== null && prev !== null) {
        if (this.#sids.has(sid)) this.#intents.add(prev);
        if (this.#keyId !== undefined && this.#intents.has(prev)) this.#sids.add(sid);
      }
    }
  }

  matches(entry: TraceEntry): boolean {
    if (this.#keyId === undefined && this.#sids.size === 0) return true;
    const { sid, keyIds, messageId } = relationsOf(entry);
    if (sid !== null) return this.#sids.has(sid);
    if (messageId !== null && this.#intents.has(messageId)) return true;
    return this.#keyId !== undefined && keyIds.includes(this.#keyId);
  }
}

interface Relations {
  readonly sid: string | null;
  readonly keyIds: readonly string[];
  readonly messageId: string | null;
  readonly prev: string | null;
  readonly label: string;
}

function relationsOf(entry: TraceEntry): Relations {
  const none = { sid: null, keyIds: [], messageId: null, prev: null, label: '' };
  if (entry.where === 'proxy') return entry.message ?? none;
  const { event } = entry;
  switch (event.kind) {
    case 'sent':
    case 'received': {
      const prev = event.payload?.['prev'];
      return { ...event, prev: typeof prev === 'string' ? prev : null };
    }
    case 'session':
      return { ...none, sid: event.sid, keyIds: event.keyIds, messageId: event.intent };
    case 'audit':
      return { ...none, sid: event.sid, keyIds: event.keyId === null ? [] : [event.keyId] };
    case 'token':
      return { ...none, sid: event.sid };
  }
}
