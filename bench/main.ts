import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { tokenKinds } from '../test/support/token_directory.js';
import {
  IMPORT_ALGORITHM,
  IMPORTS_IN_FLIGHT,
  measureImports,
  type ImportEffort,
  type ImportMeasurement,
} from './import_bench.js';
import { importTable, operationTable } from './import_report.js';
import { IN_FLIGHT, measureJobs, type Effort, type JobMeasurement } from './job_bench.js';
import { costTable, jobTable } from './job_report.js';
import { awsTable, stepTable } from './aws_report.js';
import { measureAwsSteps, type AwsStep } from './aws_steps.js';
import { CONNECTIONS, measureAws, type AwsEffort, type AwsMeasurement } from './aws_bench.js';
import { machineFacts } from './machine.js';
import { measureOperations, type OperationMeasurement } from './operation_bench.js';
import { PLAIN_JOBS, type PlainJobName } from './plain_jobs.js';
import { measureReplication, type ReplicationEffort, type ReplicationMeasurement } from './replication_bench.js';
import { replicationCpuTable, replicationJobsTable, replicationTable } from './replication_report.js';

const REPLICATION = 'replication';
const OPERATIONS = 'operations';
const IMPORT = 'import';
const AWS = 'aws';
const SECTIONS = [...PLAIN_JOBS, OPERATIONS, AWS, IMPORT, REPLICATION];
/** Replications that are in flight: one after another, and as many as a source runs towards one destination. */
const REPLICATIONS_IN_FLIGHT = [1, 8];

const USAGE = `usage: bench [--quick] [--only JOB] [--token KIND] [--rounds N] [--seconds S] [--json FILE]
  --quick       three short rounds: a look, not a measurement
  --only JOB    ${SECTIONS.join(', ')}; may be given several times
  --token KIND  softhsm2 or nss; both where it is left out
  --rounds N    times that every contender runs
  --seconds S   length of one run
  --json FILE   also writes everything that was measured
`;

interface Settings {
  readonly tokens: readonly SoftwareTokenKind[];
  readonly jobs: readonly PlainJobName[];
  readonly effort: Effort;
  /** Null where replications are not measured. */
  readonly replication: ReplicationEffort | null;
  /** Whether operations of backing keys are measured, with the effort of the jobs. */
  readonly operations: boolean;
  /** Null where the AWS endpoint is not measured. */
  readonly aws: AwsEffort | null;
  /** Null where imports are not measured. */
  readonly imports: ImportEffort | null;
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
  const known: readonly string[] = SECTIONS;
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no job ${unknown}: ${known.join(', ')}`);
  const tokens = tokenKinds().filter((kind) => values.token === undefined || values.token === kind);
  if (tokens.length === 0) throw new UsageError(`there is no token ${values.token ?? ''}: ${tokenKinds().join(', ')}`);
  const isWanted = (section: string): boolean => wanted.length === 0 || wanted.includes(section);
  const seconds = positive(values.seconds, values.quick ? 0.25 : 0.75, 'seconds');
  return {
    tokens,
    jobs: PLAIN_JOBS.filter(isWanted),
    effort: { rounds: Math.ceil(positive(values.rounds, values.quick ? 3 : 7, 'rounds')), seconds },
    operations: isWanted(OPERATIONS),
    aws: !isWanted(AWS)
      ? null
      : { rounds: Math.ceil(positive(values.rounds, values.quick ? 3 : 7, 'rounds')), seconds },
    imports: !isWanted(IMPORT)
      ? null
      : {
          rounds: Math.ceil(positive(values.rounds, values.quick ? 1 : 3, 'rounds')),
          downloads: values.quick ? 2 : 4,
          seconds,
        },
    replication: !isWanted(REPLICATION)
      ? null
      : { keys: values.quick ? 16 : 40, rounds: Math.ceil(positive(values.rounds, values.quick ? 1 : 5, 'rounds')) },
    json: values.json,
  };
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

/** Every pair of tokens that differs for the protocol: which of them is the source, and which the destination. */
function pairsOf(tokens: readonly SoftwareTokenKind[]): readonly (readonly [SoftwareTokenKind, SoftwareTokenKind])[] {
  return tokens.flatMap((source) => tokens.map((destination) => [source, destination] as const));
}

function jobSection(jobs: readonly JobMeasurement[], { rounds, seconds }: Effort): readonly string[] {
  if (jobs.length === 0) return [];
  const fingerprints = new Map(jobs.map(({ token, fingerprint }) => [token, fingerprint]));
  return [
    ...[...fingerprints].map(([token, fingerprint]) => `${token}: ${fingerprint}`),
    `${IN_FLIGHT} jobs in flight; medians of ${rounds} interleaved runs of ${seconds} s, ± half the distance of the quartiles;`,
    '"of C" is the median of each round\'s rate by that of the faster C loop in the same round',
    '',
    jobTable(jobs),
    '',
    'Where the time of one operation goes (of the run with the median rate)',
    '',
    costTable(jobs),
    '',
  ];
}

function operationSection(operations: readonly OperationMeasurement[]): readonly string[] {
  if (operations.length === 0) return [];
  const does = new Map(operations.map((each) => [each.operation, each.does]));
  return [
    `Operations of backing keys, ${IN_FLIGHT} in flight, beside the C loop with the number of threads that makes it fastest.`,
    'Beyond that job the region HSM, in',
    ...[...does].map(([operation, text]) => `  ${operation}: ${text}`),
    '',
    operationTable(operations),
    '',
  ];
}

function awsSection(
  measurements: readonly AwsMeasurement[],
  steps: readonly AwsStep[],
  effort: AwsEffort | null,
): readonly string[] {
  if (effort === null) return [];
  return [
    `The AWS endpoint, ${CONNECTIONS.join(' and ')} connections with one request in flight on each; the client signs every request and has a process of its own;`,
    `medians of ${effort.rounds} rounds of ${effort.seconds} s; "bare" is a node:http server that answers a constant, "stub" a region whose HSM does`,
    '',
    awsTable(measurements),
    '',
    'What the event loop does for one Encrypt besides HTTP: the least processor time of several rounds, nothing else running in between',
    '',
    stepTable(steps),
    '',
  ];
}

function importSection(imports: readonly ImportMeasurement[]): readonly string[] {
  if (imports.length === 0) return [];
  return [
    'Imports: GetParametersForImport one at a time, with a pair that is ready and with none, and the share of the wall time in the job that',
    `generates a pair; ImportKeyMaterial of an AES-256 key by ${IMPORT_ALGORITHM}, ${IMPORTS_IN_FLIGHT} in flight; neither with a database`,
    '',
    importTable(imports),
    '',
  ];
}

function replicationSection(replications: readonly ReplicationMeasurement[], keys: number): readonly string[] {
  if (replications.length === 0) return [];
  return [
    `Replications: medians of rounds of ${keys} keys; per cent are of the wall time;`,
    '"own" is all but jobs in the tokens and signature verification',
    '',
    replicationTable(replications),
    '',
    'Processor time of one replication; verification is on the thread pool, "own" is the JavaScript thread without it',
    '',
    replicationCpuTable(replications),
    '',
    ...replications
      .filter(({ inFlight }) => inFlight === 1)
      .flatMap((measurement) => [
        `${measurement.pair.join(' to ')}, ${measurement.suite}: ${measurement.messages} messages of ` +
          `${Math.round(measurement.octets)} octets together, ${measurement.verifications} verifications in software, ` +
          `${measurement.transactions} accesses to databases`,
        replicationJobsTable(measurement),
        '',
      ]),
  ];
}

async function main(args: readonly string[]): Promise<void> {
  const settings = readSettings(args);
  if (settings === null) {
    process.stdout.write(USAGE);
    return;
  }
  const machine = machineFacts();
  const jobs: JobMeasurement[] = [];
  if (settings.jobs.length > 0) {
    for (const token of settings.tokens) {
      const measured = await measureJobs(token, settings.jobs, settings.effort, progress);
      progress(`\n${jobTable(measured)}`);
      jobs.push(...measured);
    }
  }
  const operations: OperationMeasurement[] = [];
  const imports: ImportMeasurement[] = [];
  for (const token of settings.tokens) {
    if (settings.operations) operations.push(...(await measureOperations(token, settings.effort, progress)));
    if (settings.imports !== null) imports.push(...(await measureImports(token, settings.imports, progress)));
  }
  const aws =
    settings.aws === null ? [] : await measureAws(['bare', 'stub', ...settings.tokens], settings.aws, progress);
  const awsSteps = settings.aws === null ? [] : await measureAwsSteps();
  const replications: ReplicationMeasurement[] = [];
  if (settings.replication !== null) {
    for (const pair of pairsOf(settings.tokens)) {
      const measured = await measureReplication(pair, REPLICATIONS_IN_FLIGHT, settings.replication, progress);
      // What a run that is cut off had found out by then.
      progress(`\n${replicationTable(measured)}\n${replicationCpuTable(measured)}`);
      replications.push(...measured);
    }
  }
  endProgress();
  const out = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}`,
    ...jobSection(jobs, settings.effort),
    ...operationSection(operations),
    ...awsSection(aws, awsSteps, settings.aws),
    ...importSection(imports),
    ...replicationSection(replications, settings.replication?.keys ?? 0),
  ];
  process.stdout.write(out.join('\n'));
  if (settings.json !== undefined) {
    const { effort, replication, imports: importEffort } = settings;
    const efforts = { effort, replicationEffort: replication, importEffort };
    const all = { machine, ...efforts, inFlight: IN_FLIGHT, jobs, operations, aws, awsSteps, imports, replications };
    writeFileSync(settings.json, `${JSON.stringify(all, null, 2)}\n`);
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
