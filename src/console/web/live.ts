import { signal } from '@preact/signals';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { refreshLab } from './lab.js';

/** A change in a region: the names of what the trail has recorded. */
export interface Change {
  readonly region: string;
  readonly names: readonly string[];
}

/** Whether the stream of events is open: what is shown is current. */
export const isConnected = signal(true);

const changeListeners = new Set<(change: Change) => void>();
const traceListeners = new Set<(replications: readonly string[]) => void>();

/** Opens the stream of events; it opens again by itself. */
export function connect(): void {
  const source = new EventSource('/api/events');
  let wasLost = false;
  source.addEventListener('hello', () => {
    isConnected.value = true;
    // Whatever happened in between was missed.
    if (wasLost) for (const tell of changeListeners) tell({ region: '', names: [] });
    if (wasLost) void refreshLab();
    wasLost = false;
  });
  source.addEventListener('error', () => {
    wasLost = true;
    isConnected.value = false;
    // The browser gives up where the answer was a refusal; the session may have ended, or the lab been started anew.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => void refreshLab().then(connect), 2000);
  });
  source.addEventListener('changed', ({ data }) => {
    for (const tell of changeListeners) tell(JSON.parse(String(data)) as Change);
  });
  source.addEventListener('lab', () => {
    void refreshLab();
    for (const tell of changeListeners) tell({ region: '', names: [] });
  });
  source.addEventListener('trace', ({ data }) => {
    const { replications } = JSON.parse(String(data)) as { readonly replications: readonly string[] };
    for (const tell of traceListeners) tell(replications);
  });
}

/** Calls back when something changed in a region; in any, where it is undefined. Several changes at once are one. */
export function useChanges(region: string | undefined, changed: () => void): void {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = (change: Change): void => {
      if (region !== undefined && change.region !== '' && change.region !== region) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        latest.current();
      }, 150);
    };
    changeListeners.add(listen);
    return () => {
      clearTimeout(timer);
      changeListeners.delete(listen);
    };
  }, [region]);
}

/** Calls back with ids of replications about which something is new, at most a few times a second; operators only hear of them. */
export function useTrace(changed: (replications: ReadonlySet<string>) => void): void {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waiting = new Set<string>();
    const listen = (replications: readonly string[]): void => {
      for (const id of replications) waiting.add(id);
      timer ??= setTimeout(() => {
        timer = undefined;
        const told = waiting;
        waiting = new Set();
        latest.current(told);
      }, 150);
    };
    traceListeners.add(listen);
    return () => {
      clearTimeout(timer);
      traceListeners.delete(listen);
    };
  }, []);
}

/** Something that was asked for. */
export interface Live<Value> {
  /** The last answer, also while it is asked for again. */
  readonly value: Value | undefined;
  /** Why the last question was refused. */
  readonly failure: unknown;
  readonly isLoading: boolean;
  /** Asks again. */
  reload(): void;
}

/**
 * Asks for something, and again whenever its inputs or something in the region change.
 *
 * @param load - what asks
 * @param options.inputs - texts on which the question depends: another question forgets the answer
 * @param options.region - whose changes make it ask again; all regions' where it is absent, none's where it is null
 */
export function useLive<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  options: { readonly inputs: readonly string[]; readonly region?: string | null },
): Live<Value> {
  const question = options.inputs.join('\n');
  const [answer, setAnswer] = useState<{ question: string; value?: Value; failure?: unknown; isLoading: boolean }>({
    question,
    isLoading: true,
  });
  const latest = useRef(load);
  latest.current = load;
  const running = useRef<AbortController | undefined>(undefined);
  const reload = useCallback(() => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setAnswer((before) =>
      before.question === question ? { ...before, isLoading: true } : { question, isLoading: true },
    );
    latest
      .current(control.signal)
      .then((value) => control.signal.aborted || setAnswer({ question, value, isLoading: false }))
      .catch(
        (failure: unknown) =>
          control.signal.aborted || setAnswer((before) => ({ ...before, failure, isLoading: false })),
      );
  }, [question]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  useChanges(options.region === null ? 'none' : options.region, () => options.region !== null && reload());
  const isOther = answer.question !== question;
  return {
    value: isOther ? undefined : answer.value,
    failure: isOther ? undefined : answer.failure,
    isLoading: isOther || answer.isLoading,
    reload,
  };
}
