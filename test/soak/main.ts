import { parseArgs } from 'node:util';
import { textTable } from '../../bench/text_table.js';
import type { LabTokens } from '../support/lab_process.js';
import { count } from './soak_client.js';
import { soak, type SoakOptions, type SoakResult } from './soak.js';

const TOKENS: LabTokens = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss', 'ap-south-1': 'softhsm2' };

function readOptions(): SoakOptions {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '3' },
      clients: { type: 'string', default: '32' },
      regions: { type: 'string', default: '2' },
      pause: { type: 'string', default: '2500' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      keep: { type: 'boolean', default: false },
    },
  });
  const number = (
    name: 'minutes' | 'clients' | 'regions' | 'pause' | 'seed',
    [min, max]: readonly [number, number],
  ): number => {
    const value = Number(values[name]);
    if (value >= min && value <= max) return value;
    throw new RangeError(`--${name} is a number from ${min} to ${max}, and not ${values[name]}`);
  };
  return {
    seed: number('seed', [0, 2 ** 31]),
    seconds: number('minutes', [0.1, 24 * 60]) * 60,
    clients: number('clients', [1, 256]),
    tokens: Object.fromEntries(Object.entries(TOKENS).slice(0, number('regions', [2, 3]))),
    pauseMs: number('pause', [100, 60_000]),
    keep: values.keep,
  };
}

function counted(counts: ReadonlyMap<string, number>): string {
  const rows = [...counts].sort(([, a], [, b]) => b - a).map(([name, times]) => [name, String(times)]);
  const columns = [
    { heading: 'what', align: 'left' },
    { heading: 'times', align: 'right' },
  ] as const;
  return rows.length === 0 ? 'none' : textTable(columns, rows);
}

function summary(result: SoakResult): string {
  const { log, options, verified, trail, latencyMs } = result;
  const byFault = new Map<string, number>();
  for (const { name } of result.faults) count(byFault, name);
  const byException = new Map<string, number>();
  for (const [name, times] of log.open) count(byException, name.split(' ')[0] ?? '', times);
  const lives = result.lives.map(({ region, samples }) => {
    const of = (pick: (sample: (typeof samples)[number]) => number): string =>
      `${Math.max(...samples.map(pick)).toFixed(0)}`;
    const seconds = (samples.at(-1)?.seconds ?? 0) - (samples[0]?.seconds ?? 0);
    return [region, seconds.toFixed(0), of(({ mebibytes }) => mebibytes), of(({ descriptors }) => descriptors)];
  });
  const done = [...log.done.values()].reduce((sum, times) => sum + times, 0);
  return [
    `\nAcknowledged requests: ${done}, median ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(0)} ms, longest ${latencyMs.max.toFixed(0)} ms`,
    textTable(
      [
        { heading: 'operation', align: 'left' },
        { heading: 'times', align: 'right' },
        { heading: 'longest ms', align: 'right' },
      ],
      [...log.done]
        .sort(([, a], [, b]) => b - a)
        .map(([name, times]) => [name, String(times), (log.slowest.get(name) ?? 0).toFixed(0)]),
    ),
    '\nRefused as expected:',
    counted(log.refused),
    '\nLeft to be repeated by the client:',
    counted(byException),
    '\nFaults:',
    counted(byFault),
    '\nProcesses of regions:',
    textTable(
      [
        { heading: 'region', align: 'left' },
        ...['seconds', 'most MiB', 'most descriptors'].map((heading) => ({ heading, align: 'right' }) as const),
      ],
      lives,
    ),
    `\nFound as acknowledged in ${result.verificationSeconds.toFixed(0)} s: ${Object.entries(verified)
      .map(([what, times]) => `${times} ${what}`)
      .join(', ')}`,
    `In the trails: ${trail.recorded} of ${trail.acknowledged} acknowledged calls`,
    ...(options.keep === true ? [`The lab is in ${result.root}`] : []),
    ...result.violations.map((text) => `VIOLATION ${text}`),
    `\nseed ${options.seed}: ${result.violationCount} violations`,
  ].join('\n');
}

const options = readOptions();
process.stdout.write(
  `seed ${options.seed}, ${options.seconds} s, ${options.clients} clients, ${Object.keys(options.tokens).length} regions\n`,
);
const result = await soak(options);
process.stdout.write(`${summary(result)}\n`);
process.exit(result.violationCount > 0 ? 1 : 0);
