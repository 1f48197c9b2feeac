import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { lookUp, lookupOf, matches, type AuditEvent, type AuditFilter } from './audit.js';
import { useEvery } from './every.js';
import { regionNowMs } from './lab.js';
import { useChanges } from './live.js';

/** Events that are looked for at once, and pages that are read for them at most: a rare event may be far back. */
const WANTED = { events: 50, pages: 10 } as const;
/** Pages that may have come since the last look; where more have, the stream begins anew. */
const NEW_PAGES_MAX = 6;
/** Events that are kept in the page. */
const KEPT_MAX = 2_000;
/** CloudTrail tells nobody that there is something new: it is asked. */
const FOLLOW_MS = 2_000;

/** What has been read of a trail: the newest first. */
interface Stretch {
  readonly question: string;
  /** Those that match. */
  readonly events: readonly AuditEvent[];
  /** Id of the newest event that was read, matching or not. */
  readonly head: string | undefined;
  /** Where earlier ones are. */
  readonly next: string | undefined;
  /** Events that were read. */
  readonly read: number;
  /** Time of the oldest event that was read, seconds. */
  readonly since: number | undefined;
}

/** A stream of events. */
export interface AuditStream extends Omit<Stretch, 'question' | 'head'> {
  readonly isLoading: boolean;
  /** Undefined where the last question was answered. */
  readonly failure: unknown;
  /** Events that have come since the page follows. */
  readonly arrived: number;
  reload(): void;
  /** Reads further back. */
  readEarlier(): void;
}

/** Reads a Region's trail backwards, and follows what is recorded as long as it shall. */
export function useAuditStream(region: string, filter: AuditFilter, isFollowing: boolean): AuditStream {
  const question = JSON.stringify([region, filter]);
  const empty: Stretch = { question, events: [], head: undefined, next: undefined, read: 0, since: undefined };
  const [stretch, setStretch] = useState<Stretch>(empty);
  const [isLoading, setLoading] = useState(true);
  const [failure, setFailure] = useState<unknown>(undefined);
  const [arrived, setArrived] = useState(0);
  const running = useRef<AbortController | undefined>(undefined);
  const latest = useRef({ stretch, filter });
  latest.current = { stretch, filter };

  /** One question at a time; `isUrgent` takes the place of the one that runs. */
  const ask = useCallback(async (work: (signal: AbortSignal) => Promise<Stretch>, isUrgent: boolean): Promise<void> => {
    if (running.current !== undefined && !isUrgent) return;
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    if (isUrgent) setLoading(true);
    try {
      const found = await work(control.signal);
      if (control.signal.aborted) return;
      setStretch(found);
      setFailure(undefined);
    } catch (error) {
      if (control.signal.aborted) return;
      setFailure(error);
    }
    running.current = undefined;
    setLoading(false);
  }, []);
  const reload = useCallback(() => {
    setArrived(0);
    const fresh = { ...empty, question };
    void ask((signal) => readBack(region, latest.current.filter, fresh, signal), true);
  }, [question, ask]);
  useEffect(() => {
    setFailure(undefined);
    reload();
    return () => {
      running.current?.abort();
      running.current = undefined;
    };
  }, [reload]);
  const follow = (): void => {
    if (!isFollowing || latest.current.stretch.question !== question) return;
    void ask(async (signal) => {
      const before = latest.current.stretch;
      const found = await readNew(region, latest.current.filter, before, signal);
      if (found === undefined) return readBack(region, latest.current.filter, { ...empty, question }, signal);
      setArrived((count) => count + found.events.length - before.events.length);
      return { ...found, events: found.events.slice(0, KEPT_MAX) };
    }, false);
  };
  useEvery(FOLLOW_MS, follow);
  useChanges(region, follow);
  const isOther = stretch.question !== question;
  return {
    ...(isOther ? empty : stretch),
    isLoading: isOther || isLoading,
    failure,
    arrived,
    reload,
    readEarlier: () =>
      void ask((signal) => readBack(region, latest.current.filter, latest.current.stretch, signal), true),
  };
}

/** Reads on until enough has matched. */
async function readBack(region: string, filter: AuditFilter, before: Stretch, signal: AbortSignal): Promise<Stretch> {
  const call = lookupOf(region, filter, regionNowMs(region));
  const wanted = before.events.length + WANTED.events;
  let { events, head, next, read, since } = before;
  for (let page = 0; page < WANTED.pages && events.length < wanted; page += 1) {
    const found = await lookUp(call, signal, next);
    head ??= found.events[0]?.id;
    since = found.events.at(-1)?.seconds ?? since;
    read += found.events.length;
    events = [...events, ...found.events.filter((event) => matches(event, filter))];
    next = found.next;
    if (next === undefined) break;
  }
  return { question: before.question, events, head, next, read, since };
}

/** Reads what has come since the last look; undefined where it is too much to be told one by one. */
async function readNew(
  region: string,
  filter: AuditFilter,
  before: Stretch,
  signal: AbortSignal,
): Promise<Stretch | undefined> {
  const call = lookupOf(region, filter, regionNowMs(region));
  const fresh: AuditEvent[] = [];
  let after: string | undefined;
  for (let page = 0; page < NEW_PAGES_MAX; page += 1) {
    const { events, next } = await lookUp(call, signal, after);
    const known = events.findIndex(({ id }) => id === before.head);
    fresh.push(...(known < 0 ? events : events.slice(0, known)));
    if (known >= 0 || next === undefined) {
      const matching = fresh.filter((event) => matches(event, filter));
      return {
        ...before,
        events: matching.length === 0 ? before.events : [...matching, ...before.events],
        head: fresh[0]?.id ?? before.head,
        read: before.read + fresh.length,
        since: before.since ?? fresh.at(-1)?.seconds,
      };
    }
    after = next;
  }
  return undefined;
}
