import type { JSX } from 'preact';
import { lab, regionNowMs } from '../lab.js';

const DAY_MS = 86_400_000;

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [DAY_MS, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

/** `2026-11-22 00:43:11 UTC`. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `3 d 4 h`, the two largest units. */
export function durationText(ms: number): string {
  let rest = Math.abs(ms);
  const parts: string[] = [];
  for (const [unitMs, name] of UNITS) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0 || parts.length > 0) parts.push(`${count} ${name}`);
    if (parts.length === 2) break;
  }
  return parts.filter((part) => !part.startsWith('0 ')).join(' ') || '0 s';
}

/**
 * A time, and how far it is from the Region's own, which a lab may have moved.
 *
 * @param props.seconds - since the epoch, as AWS JSON has it
 */
export function Time({ seconds, region }: { readonly seconds: number; readonly region: string }): JSX.Element {
  const ms = seconds * 1000;
  const awayMs = ms - regionNowMs(region);
  const away = awayMs > 0 ? `in ${durationText(awayMs)}` : `${durationText(awayMs)} ago`;
  return (
    <time dateTime={new Date(ms).toISOString()}>
      {timeText(ms)} <span class="quiet">({away})</span>
    </time>
  );
}

/** The Region's clock, with its offset where it was moved. */
export function RegionClock({ region }: { readonly region: string }): JSX.Element {
  const offsetMs = lab.value?.clockOffsetMs[region] ?? 0;
  const text = timeText(regionNowMs(region));
  return (
    <span class={offsetMs === 0 ? 'clock' : 'clock moved'} title={`The time of ${region}`}>
      <time>{text}</time>
      {offsetMs !== 0 && <strong>+{durationText(offsetMs)}</strong>}
    </span>
  );
}
