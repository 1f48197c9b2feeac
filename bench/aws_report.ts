import type { AwsMeasurement } from './aws_bench.js';
import type { AwsStep } from './aws_steps.js';
import { spreadOf, type Summary } from './statistics.js';
import { number, textTable, type Column } from './text_table.js';

const left = (heading: string): Column => ({ heading, align: 'left' });
const right = (heading: string): Column => ({ heading, align: 'right' });

function withSpread(summary: Summary): string {
  return `${number(summary.median)} ±${(spreadOf(summary) * 100).toFixed(0)}%`;
}

/** What the event loop does for one Encrypt. */
export function stepTable(steps: readonly AwsStep[]): string {
  const total = steps.reduce((sum, { microseconds }) => sum + microseconds, 0);
  return textTable(
    [left('step'), right('CPU µs')],
    [...steps, { step: 'together', microseconds: total }].map(({ step, microseconds }) => [step, number(microseconds)]),
  );
}

/** Requests per second, latency and processor time of the AWS endpoint. */
export function awsTable(measurements: readonly AwsMeasurement[]): string {
  const columns = [
    left('server'),
    left('operation'),
    right('connections'),
    right('/s'),
    right('of bare'),
    right('p50 ms'),
    right('p99 ms'),
    right('server CPU µs'),
    right('JS µs'),
    right('token µs'),
    right('other µs'),
    right('C loop µs'),
    right('less C, by bare'),
    right('client CPU µs'),
  ];
  return textTable(
    columns,
    measurements.map((each) => [
      each.target,
      each.operation,
      String(each.connections),
      withSpread(each.perSecond),
      each.ratio.median.toFixed(2),
      number(each.p50Ms),
      number(each.p99Ms),
      withSpread(each.serverCpu),
      number(each.mainCpu),
      number(each.tokenCpu),
      number(Math.max(each.serverCpu.median - each.mainCpu - each.tokenCpu, 0)),
      each.cLoopCpu === null ? '-' : number(each.cLoopCpu),
      each.cpuRatio.median.toFixed(2),
      number(each.clientCpu),
    ]),
  );
}
