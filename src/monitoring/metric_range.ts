import { LIMITS } from '../limits.js';
import { validationError } from './errors.js';

const MINUTE_MS = 60_000;
const SHORT_PERIODS: readonly number[] = [1, 5, 10, 20, 30];

/** A stretch of time in periods. */
export interface PeriodRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly periodMs: number;
}

/**
 * Checks the period of a request for data points.
 *
 * @throws {@link MonitoringError} `ValidationError`
 * @source Amazon CloudWatch API Reference, GetMetricStatistics
 */
export function checkPeriod(seconds: number): void {
  if (seconds % 60 === 0 || SHORT_PERIODS.includes(seconds)) return;
  throw validationError('Period must be 1, 5, 10, 20, 30 or a multiple of 60.');
}

/**
 * The periods of a request: the first begins with the minute of the start, or of short periods with the period. What lies before the
 * two weeks that are kept is left out, whole periods of it.
 */
export function periodRange(
  request: { readonly startMs: number; readonly endMs: number; readonly periodSeconds: number },
  nowMs: number,
): PeriodRange {
  const periodMs = request.periodSeconds * 1000;
  const stepMs = Math.min(periodMs, MINUTE_MS);
  const startMs = Math.floor(request.startMs / stepMs) * stepMs;
  const skipped = Math.max(0, Math.floor((nowMs - LIMITS.monitoringRetentionMs - startMs) / periodMs));
  return { fromMs: startMs + skipped * periodMs, toMs: request.endMs, periodMs };
}
