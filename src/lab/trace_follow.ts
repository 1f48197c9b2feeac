import { setTimeout as sleep } from 'node:timers/promises';
import type { TraceEntry, TraceReader } from './trace_reader.js';

/** How long one question waits for news, milliseconds. */
const WAIT_MS = 20_000;
/** Pause before a program that does not answer is asked again, milliseconds. */
const SILENCE_MS = 500;

/**
 * Goes on reading what happens at the proxy and in each region, all at the same time, until it is told to stop.
 *
 * @param what - `show` gets the entries of one place as they arrive, in the order in which they happened there; `isPatient` waits for a program that
 * does not answer, because it may be starting again
 * @throws {@link LabError} `ERR_LAB_REQUEST` where a program does not answer and nobody is patient; whatever `show` throws
 */
export async function followTrace(
  reader: TraceReader,
  what: {
    readonly regions: readonly string[];
    readonly show: (entries: readonly TraceEntry[]) => void;
    readonly signal: AbortSignal;
    readonly isPatient?: boolean;
  },
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([what.signal, failed.signal]);
  const watch = async (read: () => Promise<readonly TraceEntry[]>): Promise<void> => {
    while (!signal.aborted) {
      let entries: readonly TraceEntry[];
      try {
        entries = await read();
      } catch (error) {
        // A question that was given up because nobody wants the answer any more is no failure.
        if (signal.aborted) return;
        if (what.isPatient !== true) throw error;
        await sleep(SILENCE_MS, undefined, { signal }).catch(() => undefined);
        continue;
      }
      what.show(entries);
    }
  };
  try {
    await Promise.all([
      watch(() => reader.readProxy(WAIT_MS, signal)),
      ...what.regions.map((region) => watch(() => reader.readRegion(region, WAIT_MS, signal))),
    ]);
  } finally {
    failed.abort();
  }
}
