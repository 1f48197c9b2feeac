import type { ReplicationMeasurement } from './replication_bench.js';
import { spreadOf } from './statistics.js';
import { number, percent, textTable, type Column } from './text_table.js';

const left = (heading: string): Column => ({ heading, align: 'left' });
const right = (heading: string): Column => ({ heading, align: 'right' });

/** Replications per second and where their time goes. */
export function replicationTable(measurements: readonly ReplicationMeasurement[]): string {
  const columns = [
    left('from, to'),
    left('suite'),
    right('in flight'),
    right('/s'),
    right('wall ms'),
    right('token ms'),
    right(''),
    right('verify ms'),
    right(''),
    right('database ms'),
    right(''),
    right('rest ms'),
    right(''),
    right('own'),
  ];
  return textTable(
    columns,
    measurements.map(({ pair, suite, inFlight, perSecond, cost }) => {
      const share = (part: number): readonly [string, string] => [number(part), percent(part / cost.wall)];
      // With several in flight things happen at once, and what is left over means nothing.
      const rest = inFlight === 1 ? share(cost.rest) : ['-', '-'];
      return [
        pair.join(', '),
        suite,
        String(inFlight),
        `${number(perSecond.median)} ±${(spreadOf(perSecond) * 100).toFixed(0)}%`,
        number(cost.wall),
        ...share(cost.token),
        ...share(cost.verification),
        ...share(cost.database),
        ...rest,
        inFlight === 1 ? percent(1 - (cost.token + cost.verification) / cost.wall) : '-',
      ];
    }),
  );
}

/** Processor time of one replication: what stays the same when others use the machine. */
export function replicationCpuTable(measurements: readonly ReplicationMeasurement[]): string {
  const columns = [
    left('from, to'),
    right('in flight'),
    right('token CPU ms'),
    right(''),
    right('verify CPU ms'),
    right(''),
    right('own CPU ms'),
    right(''),
  ];
  return textTable(
    columns,
    measurements.map(({ pair, inFlight, cost }) => {
      const all = cost.tokenCpu + cost.verificationCpu + cost.ownCpu;
      const share = (part: number): readonly [string, string] => [number(part), percent(part / all)];
      return [
        pair.join(', '),
        String(inFlight),
        ...share(cost.tokenCpu),
        ...share(cost.verificationCpu),
        ...share(cost.ownCpu),
      ];
    }),
  );
}

/** Which jobs the tokens do for one replication, one after another. */
export function replicationJobsTable({ jobs, tokenCalls, tokenJobs }: ReplicationMeasurement): string {
  return textTable(
    [left('job in the tokens'), right('times'), right('ms'), right('')],
    [
      ...jobs.map(({ name, count, milliseconds }) => [
        name,
        number(count),
        number(milliseconds),
        percent(milliseconds / jobs.reduce((sum, job) => sum + job.milliseconds, 0)),
      ]),
      [
        `all: ${number(tokenCalls)} calls`,
        number(tokenJobs),
        number(jobs.reduce((sum, job) => sum + job.milliseconds, 0)),
        '',
      ],
    ],
  );
}
