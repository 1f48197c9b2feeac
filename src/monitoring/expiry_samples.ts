import type { ExpiryInterval } from './expiry_store.js';
import { singleSample, type Sample } from './statistic.js';

const MINUTE_MS = 60_000;

/**
 * The samples of the expiration metric: one for each minute in which the key had expiring material, taken where the minute begins or
 * where the material came; and one at each instant to which the clock was moved, so that a move is seen at once. They are computed
 * and never kept: a clock that is moved by years costs nothing.
 *
 * @param intervals - of one key
 * @param range - `toMs` is exclusive; nothing is sampled later than `nowMs`
 * @param moves - instants to which the clock was moved
 */
export function expirySamples(
  intervals: readonly ExpiryInterval[],
  range: { readonly fromMs: number; readonly toMs: number; readonly nowMs: number },
  moves: readonly number[],
): readonly Sample[] {
  const samples: Sample[] = [];
  for (const interval of intervals) {
    const fromMs = Math.max(interval.fromMs, range.fromMs);
    const untilMs = Math.min(interval.untilMs ?? Infinity, interval.validToMs, range.toMs, range.nowMs + 1);
    const sample = (atMs: number): void => {
      if (atMs < fromMs || atMs >= untilMs) return;
      samples.push(singleSample(atMs, Math.floor((interval.validToMs - atMs) / 1000), 'Seconds'));
    };
    if (interval.fromMs % MINUTE_MS !== 0) sample(interval.fromMs);
    for (let atMs = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS; atMs < untilMs; atMs += MINUTE_MS) sample(atMs);
    for (const move of moves) if (move % MINUTE_MS !== 0 && move !== interval.fromMs) sample(move);
  }
  return samples.toSorted((one, other) => one.atMs - other.atMs);
}

/** Instants between two others at which an interval's samples pass a threshold or end. */
export function turningPoints(interval: ExpiryInterval, thresholdSeconds: number): readonly number[] {
  const endMs = Math.min(interval.untilMs ?? Infinity, interval.validToMs);
  const crossingMs = interval.validToMs - thresholdSeconds * 1000;
  return [interval.fromMs, ...(crossingMs < endMs ? [crossingMs] : []), endMs];
}
