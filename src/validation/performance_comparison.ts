import type { Measurement } from './check.js';
import type { CheckResult } from './result.js';

/** How much faster or slower one operation is, over the numbers of sessions that both sides were measured at. */
export interface PerformanceChange {
  readonly operation: string;
  /** `noise`: within what two runs of the same module differ by. */
  readonly change: 'faster' | 'slower' | 'noise';
  /** Median over the numbers of sessions of (operations a second after, divided by before). */
  readonly ratio: number;
  readonly levels: readonly {
    readonly sessions: number;
    readonly perSecondBefore: number;
    readonly perSecondAfter: number;
    readonly p50UsBefore: number;
    readonly p50UsAfter: number;
    readonly p99UsBefore: number;
    readonly p99UsAfter: number;
    readonly ratio: number;
  }[];
}

/** Fewer operations than this at one level are chance: RSA-4096 pairs come in twos and threes. */
const OPERATIONS_MIN = 20;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 1;
  return sorted.length % 2 === 1 ? upper : Math.sqrt(upper * (sorted[middle - 1] ?? upper));
}

/**
 * Compares measurements of the same operations at the same numbers of sessions.
 *
 * One level alone may be unlucky: an operation is faster or slower where the median over its levels is outside the noise, both of how many
 * are done in a second and of their median latency. Levels of a few operations say nothing.
 *
 * @param options - `noise`: ratio, at least 1; 1.5 means that two thirds to one and a half times as fast is the same
 */
export function comparePerformance(
  before: readonly CheckResult[],
  after: readonly CheckResult[],
  { noise }: { readonly noise: number },
): readonly PerformanceChange[] {
  const measured = (checks: readonly CheckResult[]): readonly Measurement[] =>
    checks.flatMap(({ measurements }) => measurements);
  const [then, now] = [measured(before), measured(after)];
  const operations = [...new Set(now.map(({ operation }) => operation))];
  return operations.flatMap((operation): readonly PerformanceChange[] => {
    const levels = now.flatMap((later) => {
      const earlier = then.find((each) => each.operation === operation && each.sessions === later.sessions);
      if (later.operation !== operation || earlier === undefined) return [];
      if (Math.min(earlier.operations, later.operations) < OPERATIONS_MIN) return [];
      if (earlier.perSecond === 0 || later.perSecond === 0) return [];
      return [
        {
          sessions: later.sessions,
          perSecondBefore: earlier.perSecond,
          perSecondAfter: later.perSecond,
          p50UsBefore: earlier.p50Us,
          p50UsAfter: later.p50Us,
          p99UsBefore: earlier.p99Us,
          p99UsAfter: later.p99Us,
          ratio: later.perSecond / earlier.perSecond,
        },
      ];
    });
    if (levels.length === 0) return [];
    const ratio = median(levels.map((level) => level.ratio));
    // Latencies of 0 µs are below what is measured.
    const quicker = median(levels.map((level) => Math.max(level.p50UsBefore, 1) / Math.max(level.p50UsAfter, 1)));
    const isFaster = ratio > noise && quicker > noise;
    const isSlower = ratio < 1 / noise && quicker < 1 / noise;
    return [{ operation, change: isFaster ? 'faster' : isSlower ? 'slower' : 'noise', ratio, levels }];
  });
}
