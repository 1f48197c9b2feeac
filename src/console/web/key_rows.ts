import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { describeKey, listAliases, listKeyIds, type Alias, type KeyMetadata } from './kms.js';
import { useLive, type Live } from './live.js';

/** Questions for single keys at the same time: browsers have six connections to one host, and one is for events. */
const CONCURRENCY = 4;
/** How often what has come is shown, milliseconds. */
const SHOW_MS = 100;

/** A key in a table: its id and aliases at once, the rest when it was in view. */
export interface KeyRow {
  readonly keyId: string;
  readonly aliases: readonly Alias[];
  /** Undefined until it has come. */
  readonly metadata: KeyMetadata | undefined;
  /** Why it may not be described. */
  readonly failure: unknown;
}

interface Described {
  readonly metadata?: KeyMetadata;
  readonly failure?: unknown;
  /** Of which reading of the list: what is older is asked for again when it is in view. */
  readonly reading: number;
}

/** All keys of a region. */
export interface KeyRows {
  readonly live: Live<readonly KeyRow[]>;
  /** Describes keys that are in view. */
  readonly show: (rows: readonly KeyRow[]) => void;
  /** Describes all of them. */
  readonly showAll: () => void;
  /** Keys that are still to be described. */
  readonly waiting: number;
}

/** Reads a region's keys and aliases as lists, and describes those that are looked at, as AWS lets nobody do it at once. */
export function useKeyRows(region: string): KeyRows {
  const reading = useRef(0);
  const described = useRef(new Map<string, Described>());
  const queue = useRef<string[]>([]);
  /** Those of which the answer is still to come, and of which reading of the list. */
  const asked = useRef(new Map<string, number>());
  const running = useRef(0);
  const [shown, setShown] = useState(0);
  const control = useRef(new AbortController());
  useEffect(() => {
    control.current = new AbortController();
    return () => {
      control.current.abort();
      described.current.clear();
      asked.current.clear();
      queue.current = [];
      running.current = 0;
    };
  }, [region]);

  const lists = useLive(
    async (signal) => {
      const [keyIds, aliases] = await Promise.all([listKeyIds(region, signal), listAliases(region, undefined, signal)]);
      reading.current += 1;
      return { keyIds, byKey: Map.groupBy(aliases, ({ TargetKeyId }) => TargetKeyId), reading: reading.current };
    },
    { inputs: [region], region },
  );
  const rows = useMemo(
    () =>
      lists.value?.keyIds.map((keyId): KeyRow => {
        const { metadata, failure } = described.current.get(keyId) ?? {};
        return { keyId, aliases: lists.value?.byKey.get(keyId) ?? [], metadata, failure };
      }),
    [lists.value, shown],
  );

  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const update = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      setShown((count) => count + 1);
    }, SHOW_MS);
  }, []);
  const work = useCallback(() => {
    const { signal } = control.current;
    const next = async (): Promise<void> => {
      for (let keyId = queue.current.shift(); keyId !== undefined && !signal.aborted; keyId = queue.current.shift()) {
        const at = reading.current;
        asked.current.set(keyId, at);
        const found = await describeKey(region, keyId, signal).then(
          (metadata) => ({ metadata }),
          (failure: unknown) => ({ failure }),
        );
        if (signal.aborted) return;
        described.current.set(keyId, { ...found, reading: at });
        if (asked.current.get(keyId) === at) asked.current.delete(keyId);
        update();
      }
      running.current -= 1;
    };
    while (running.current < CONCURRENCY && queue.current.length > running.current) {
      running.current += 1;
      void next();
    }
  }, [region, update]);
  const show = useCallback(
    (wanted: readonly KeyRow[]) => {
      const at = reading.current;
      const stale = wanted.filter(
        ({ keyId }) => described.current.get(keyId)?.reading !== at && asked.current.get(keyId) !== at,
      );
      const ids = stale.map(({ keyId }) => keyId);
      const isWanted = new Set(ids);
      // What is in view comes first.
      queue.current = [...ids, ...queue.current.filter((keyId) => !isWanted.has(keyId))];
      work();
    },
    [work],
  );
  const latest = useRef(rows);
  latest.current = rows;
  const showAll = useCallback(() => {
    const known = new Set(queue.current);
    for (const { keyId, metadata } of latest.current ?? []) {
      if (metadata === undefined && !known.has(keyId)) queue.current.push(keyId);
    }
    work();
  }, [work]);
  return { live: { ...lists, value: rows }, show, showAll, waiting: queue.current.length };
}
