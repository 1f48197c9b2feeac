import type { Contender, JobMeasurement } from './job_bench.js';
import { spreadOf, type Summary } from './statistics.js';
import { number, percent, textTable, type Column } from './text_table.js';

const left = (heading: string): Column => ({ heading, align: 'left' });
const right = (heading: string): Column => ({ heading, align: 'right' });

function rate(summary: Summary): string {
  return `${number(summary.median)} ±${(spreadOf(summary) * 100).toFixed(0)}%`;
}

/** Jobs per second, C against the executor and the region's operations. */
export function jobTable(measurements: readonly JobMeasurement[]): string {
  const columns = [
    left('token'),
    left('job'),
    right('C, 1 thread /s'),
    right('C, 2 threads /s'),
    right('executor /s'),
    right('of C'),
    right('region HSM /s'),
    right('of C'),
  ];
  return textTable(
    columns,
    measurements.map(({ token, job, c, executor, region }) => [
      token,
      job,
      ...c.map(({ perSecond }) => rate(perSecond)),
      rate(executor.perSecond),
      executor.ratio.median.toFixed(2),
      region === null ? '-' : rate(region.perSecond),
      region === null ? '-' : region.ratio.median.toFixed(2),
    ]),
  );
}

/** Where one operation's time goes, contender by contender. */
export function costTable(measurements: readonly JobMeasurement[]): string {
  const columns = [
    left('token'),
    left('job'),
    left('by'),
    right('calls'),
    right('C CPU µs'),
    right('token CPU µs'),
    right('of C'),
    right('JS CPU µs'),
    right('token wall µs'),
    right('wall µs'),
    right('token busy'),
    right('p50 ms'),
    right('p99 ms'),
  ];
  const row = ({ token, job, c }: JobMeasurement, by: string, { typical }: Contender): readonly string[] => {
    // With one thread nothing in the module is contended.
    const cpu = c.find(({ threads }) => threads === 1)?.cpuMicroseconds.median ?? 0;
    return [
      token,
      job,
      by,
      number(typical.callsPerOperation),
      number(cpu),
      number(typical.tokenCpuMicrosecondsPerOperation),
      (cpu / typical.tokenCpuMicrosecondsPerOperation).toFixed(2),
      number(typical.mainCpuMicrosecondsPerOperation),
      number(typical.tokenMicrosecondsPerOperation),
      number(1e6 / typical.perSecond),
      percent(typical.tokenBusy),
      number(typical.latencyMicroseconds.p50 / 1000),
      number(typical.latencyMicroseconds.p99 / 1000),
    ];
  };
  return textTable(
    columns,
    measurements.flatMap((measurement) => [
      row(measurement, 'executor', measurement.executor),
      ...(measurement.region === null ? [] : [row(measurement, 'region', measurement.region)]),
    ]),
  );
}
