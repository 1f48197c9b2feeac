import { durationText } from './components/time.js';

/** A value at a time. */
export interface ChartPoint {
  /** Since the epoch. */
  readonly ms: number;
  readonly value: number;
}

/** What values are shown as. */
export interface ValueScale {
  /** Values are divided by it at the axis. */
  readonly unit: number;
  /** What stands behind a number of the axis. */
  readonly name: string;
  readonly text: (value: number) => string;
}

const SECONDS: readonly (readonly [unit: number, name: string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
];

/** Seconds as days, hours or minutes, whichever makes small numbers of the largest. */
export function durationScale(largest: number): ValueScale {
  const [unit, name] = SECONDS.find(([seconds]) => largest >= 2 * seconds) ?? [1, 's'];
  return { unit, name, text: (value) => durationText(value * 1000) };
}

/** Values as they are. */
export const PLAIN_SCALE: ValueScale = { unit: 1, name: '', text: (value) => value.toLocaleString('en') };

/** Round numbers from below the least to above the greatest value, about five. */
export function niceTicks(least: number, greatest: number): readonly number[] {
  // Where all values are the same, the line is in the middle.
  const span = Math.max(greatest - least, Math.abs(greatest) * 0.05, Number.EPSILON);
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = least < 0 ? Math.floor(least / step) : Math.max(0, Math.floor(least / step - 0.25));
  const last = Math.max(first + 1, Math.ceil(greatest / step + 0.25));
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const STEPS_MS: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30, 60, 180, 360, 720].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 7, 14].map((days) => days * DAY_MS),
];

/** Round times within a range, UTC, at most `max`. */
export function timeTicks(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  max: number,
): readonly { readonly ms: number; readonly text: string }[] {
  const step = STEPS_MS.find((ms) => (toMs - fromMs) / ms <= max) ?? STEPS_MS.at(-1) ?? DAY_MS;
  const ticks: { readonly ms: number; readonly text: string }[] = [];
  for (let ms = Math.ceil(fromMs / step) * step; ms <= toMs; ms += step) {
    const iso = new Date(ms).toISOString();
    ticks.push({ ms, text: step < DAY_MS && ms % DAY_MS !== 0 ? iso.slice(11, 16) : iso.slice(5, 10) });
  }
  return ticks;
}

/** The point that is next to a time. */
export function nearest(points: readonly ChartPoint[], ms: number): ChartPoint | undefined {
  let best: ChartPoint | undefined;
  for (const point of points) {
    if (best === undefined || Math.abs(point.ms - ms) < Math.abs(best.ms - ms)) best = point;
  }
  return best;
}
