import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { tokenKinds } from '../test/support/token_directory.js';
import { IN_FLIGHT, measureJobs, type Effort, type JobMeasurement } from './job_bench.js';
import { costTable, jobTable } from './job_report.js';
import { machineFacts } from './machine.js';
import { PLAIN_JOBS, type PlainJobName } from './plain_jobs.js';

const USAGE = `usage: bench [--quick] [--only JOB] [--token KIND] [--rounds N] [--seconds S] [--json FILE]
  --quick       three short rounds: a look, not a measurement
  --only JOB    ${PLAIN_JOBS.join(', ')}; may be given several times
  --token KIND  softhsm2 or nss; both where it is left out
  --rounds N    times that every contender runs
  --seconds S   length of one run
  --json FILE   also writes everything that was measured
`;

interface Settings {
  readonly tokens: readonly SoftwareTokenKind[];
  readonly jobs: readonly PlainJobName[];
  readonly effort: Effort;
  readonly json: string | undefined;
}

class UsageError extends Error {}

function positive(text: string | undefined, otherwise: number, name: string): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new UsageError(`--${name} takes a number above 0`);
  return value;
}

function readSettings(args: readonly string[]): Settings | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      token: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const wanted = values.only ?? [];
  const unknown = wanted.find((name) => !PLAIN_JOBS.some((job) => job === name));
  if (unknown !== undefined) throw new UsageError(`there is no job ${unknown}: ${PLAIN_JOBS.join(', ')}`);
  const tokens = tokenKinds().filter((kind) => values.token === undefined || values.token === kind);
  if (tokens.length === 0) throw new UsageError(`there is no token ${values.token ?? ''}: ${tokenKinds().join(', ')}`);
  return {
    tokens,
    jobs: PLAIN_JOBS.filter((job) => wanted.length === 0 || wanted.includes(job)),
    effort: {
      rounds: Math.ceil(positive(values.rounds, values.quick ? 3 : 7, 'rounds')),
      seconds: positive(values.seconds, values.quick ? 0.25 : 0.75, 'seconds'),
    },
    json: values.json,
  };
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

async function main(args: readonly string[]): Promise<void> {
  const settings = readSettings(args);
  if (settings === null) {
    process.stdout.write(USAGE);
    return;
  }
  const machine = machineFacts();
  const { rounds, seconds } = settings.effort;
  const jobs: JobMeasurement[] = [];
  for (const token of settings.tokens)
    jobs.push(...(await measureJobs(token, settings.jobs, settings.effort, progress)));
  endProgress();
  const fingerprints = new Map(jobs.map(({ token, fingerprint }) => [token, fingerprint]));
  const out = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}`,
    ...[...fingerprints].map(([token, fingerprint]) => `${token}: ${fingerprint}`),
    `${IN_FLIGHT} jobs in flight; medians of ${rounds} interleaved runs of ${seconds} s, ± half the distance of the quartiles;`,
    '"of C" is the median of each round\'s rate by that of the faster C loop in the same round',
    '',
    jobTable(jobs),
    '',
    'Where the time of one operation goes (of the run with the median rate)',
    costTable(jobs),
    '',
  ];
  process.stdout.write(out.join('\n'));
  if (settings.json !== undefined) {
    writeFileSync(
      settings.json,
      `${JSON.stringify({ machine, effort: settings.effort, inFlight: IN_FLIGHT, jobs }, null, 2)}\n`,
    );
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  endProgress();
  if (!(error instanceof UsageError) && !(error instanceof TypeError && 'code' in error)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}`);
  process.exitCode = 2;
}
