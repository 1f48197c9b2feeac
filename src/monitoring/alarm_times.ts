import type { AlarmConfiguration } from './alarm.js';

const MINUTE_MS = 60_000;
/** Time that is passed over by nobody's doing: the next look at the clock comes later than a minute. */
const ORDINARY_MS = 2 * MINUTE_MS;
/** Steps after which the state is looked at anew, from each instant at which something happens: minutes, or periods where those are long. */
const STEPS_MAX = 64;
/** Evaluations of one alarm over one move of the clock. */
const TIMES_MAX = 256;

/**
 * The instants of a stretch of time at which an alarm is evaluated: the end of it; and where it is longer than usual, from its
 * beginning and from each instant at which the metric passes the threshold, begins or ends, step by step until what came
 * before no longer counts. Nothing can change between them, so that a year takes a few evaluations and not half a million.
 *
 * @param range - `fromMs` is exclusive: the alarm was evaluated then
 * @param turns - instants at which the metric's samples begin, pass the threshold or end
 * @returns in their order, the last of them `toMs`
 */
export function evaluationTimes(
  { periodSeconds, evaluationPeriods }: Pick<AlarmConfiguration, 'periodSeconds' | 'evaluationPeriods'>,
  range: { readonly fromMs: number; readonly toMs: number },
  turns: readonly number[],
): readonly number[] {
  const { fromMs, toMs } = range;
  if (toMs - fromMs <= ORDINARY_MS) return [toMs];
  const periodMs = periodSeconds * 1000;
  const periods = evaluationPeriods + 3;
  const times = new Set<number>();
  // Only where an evaluation each minute would have looked: between two of its looks a state may come and go that nobody sees.
  const look = (atMs: number): void => {
    times.add(fromMs + Math.ceil((atMs - fromMs) / MINUTE_MS) * MINUTE_MS);
  };
  for (const start of [fromMs, ...turns]) {
    // A sample is taken where a minute begins: what happens within one shows in the next.
    for (const atMs of [start, start + MINUTE_MS]) look(atMs);
    const stepMs = periods * periodMs <= STEPS_MAX * MINUTE_MS ? MINUTE_MS : periodMs;
    const steps = Math.min(Math.ceil((periods * periodMs) / stepMs), STEPS_MAX);
    for (let step = 1; step <= steps; step += 1) look(start + step * stepMs);
    look(start + periods * periodMs);
  }
  const inside = [...times].filter((atMs) => atMs > fromMs && atMs < toMs).toSorted((one, other) => one - other);
  return [...inside.slice(0, TIMES_MAX), toMs];
}
