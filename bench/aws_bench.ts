import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ClientOrder, ClientResult } from './aws_client.js';
import type { AwsTargetKind, AwsTargetQuestion, AwsTargetReady, AwsTargetUsage } from './aws_target.js';
import { summarize, type Summary } from './statistics.js';

/** Connections with one request in flight on each. */
export const CONNECTIONS = [1, 32] as const;

/** How long the endpoint is measured. */
export interface AwsEffort {
  /** Times that every contender runs, one after another. */
  readonly rounds: number;
  /** Length of one run. */
  readonly seconds: number;
}

/** One operation of one target at so many connections; times are medians over the rounds. */
export interface AwsMeasurement {
  readonly target: AwsTargetKind;
  readonly operation: string;
  readonly connections: number;
  readonly perSecond: Summary;
  /** Its rate by the bare server's of the same round. */
  readonly ratio: Summary;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for one request, microseconds: all its threads. */
  readonly serverCpu: Summary;
  /** Of it the thread that runs JavaScript, and the token's threads. */
  readonly mainCpu: number;
  readonly tokenCpu: number;
  /** Processor time of the same token calls in the C loop, microseconds; null where the loop has none. */
  readonly cLoopCpu: number | null;
  /** Server's processor time less the C loop's, by the bare server's of the same round. */
  readonly cpuRatio: Summary;
  readonly clientCpu: number;
}

/** Jobs of the C loop that are the token calls of an operation. */
const C_LOOP_JOBS: Readonly<Record<string, string>> = { Encrypt: 'message-encrypt', Decrypt: 'message-decrypt' };
/** Requests of each kind that a process needs until its code is compiled; counted, because on a busy machine time says little. */
const WARM_UP_REQUESTS = 4000;
/** No target is warmed up for longer with one kind of request. */
const WARM_UP_SECONDS_MAX = 4;

/** A program of the benchmark in a process of its own. */
class Child {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  static async start<Ready>(file: string, args: readonly string[]): Promise<{ child: Child; ready: Ready }> {
    const started = fork(fileURLToPath(new URL(file, import.meta.url)), [...args]);
    const child = new Child(started);
    return { child, ready: await child.#next<Ready>() };
  }

  ask<Answer>(question: unknown): Promise<Answer> {
    const answer = this.#next<Answer>();
    this.#process.send(question as object);
    return answer;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await ended;
  }

  #next<Message>(): Promise<Message> {
    return new Promise((resolve, reject) => {
      const died = (status: number | null): void => reject(new Error(`a program of the benchmark ended: ${status}`));
      this.#process.once('exit', died);
      this.#process.once('message', (message) => {
        this.#process.off('exit', died);
        resolve(message as Message);
      });
    });
  }
}

interface Target {
  readonly kind: AwsTargetKind;
  readonly child: Child;
  readonly ready: AwsTargetReady;
}

interface Run {
  readonly result: ClientResult;
  readonly serverCpu: number;
  readonly mainCpu: number;
  readonly tokenCpu: number;
  readonly cLoopCpu: number | null;
}

/** Measures the AWS endpoint: a round runs every contender once, so that noise hits all of them. */
export async function measureAws(
  kinds: readonly AwsTargetKind[],
  effort: AwsEffort,
  progress: (text: string) => void,
): Promise<readonly AwsMeasurement[]> {
  const { child: client } = await Child.start<string>('./aws_client.js', []);
  const targets: Target[] = [];
  try {
    for (const kind of kinds) {
      progress(`${kind}: starting`);
      targets.push({ kind, ...(await Child.start<AwsTargetReady>('./aws_target.js', [kind])) });
    }
    for (const target of targets) {
      for (const request of requestsOf(target)) {
        let requests = 0;
        for (let seconds = 0; requests < WARM_UP_REQUESTS && seconds < WARM_UP_SECONDS_MAX; seconds += 1) {
          requests += (await send(client, target, { request, connections: 32, seconds: 1 })).requests;
        }
      }
    }
    const runs = new Map<string, Run[]>();
    for (let round = 0; round < effort.rounds; round += 1) {
      for (const connections of CONNECTIONS) {
        for (const target of targets) {
          for (const request of requestsOf(target)) {
            const name = nameOf(target.kind, request.operation, connections);
            progress(`${name}, round ${round + 1} of ${effort.rounds}`);
            const run = await measure(client, target, { request, connections, seconds: effort.seconds });
            runs.set(name, [...(runs.get(name) ?? []), run]);
          }
        }
      }
    }
    return targets.flatMap((target) =>
      requestsOf(target).flatMap(({ operation }) =>
        CONNECTIONS.map((connections) => {
          const of = (kind: AwsTargetKind, name: string): readonly Run[] =>
            runs.get(nameOf(kind, name, connections)) ?? [];
          return summarizeRuns(
            { target: target.kind, operation, connections },
            of(target.kind, operation),
            of('bare', 'Encrypt'),
          );
        }),
      ),
    );
  } finally {
    for (const { child } of targets) await child.end();
    await client.end();
  }
}

/** Of the double only Encrypt costs nothing. */
function requestsOf({ kind, ready }: Target): AwsTargetReady['requests'] {
  return kind === 'stub' ? ready.requests.slice(0, 1) : ready.requests;
}

function nameOf(kind: AwsTargetKind, operation: string, connections: number): string {
  return `${kind} ${operation} ${connections}`;
}

async function measure(
  client: Child,
  target: Target,
  load: Pick<ClientOrder, 'request' | 'connections' | 'seconds'>,
): Promise<Run> {
  const usage = (): Promise<AwsTargetUsage> =>
    target.child.ask<AwsTargetUsage>({ ask: 'usage' } satisfies AwsTargetQuestion);
  const before = await usage();
  const result = await send(client, target, load);
  const after = await usage();
  const job = C_LOOP_JOBS[load.request.operation];
  const isToken = target.kind === 'softhsm2' || target.kind === 'nss';
  const question = { ask: 'c-loop', job: job ?? '', seconds: 0.25 } satisfies AwsTargetQuestion;
  return {
    result,
    serverCpu: (after.process - before.process) / result.requests,
    mainCpu: (after.threads.main - before.threads.main) / result.requests,
    tokenCpu: (after.threads.token - before.threads.token) / result.requests,
    cLoopCpu: isToken && job !== undefined ? await target.child.ask<number>(question) : null,
  };
}

async function send(
  client: Child,
  { ready: { url, credential } }: Target,
  load: Pick<ClientOrder, 'request' | 'connections' | 'seconds'>,
): Promise<ClientResult> {
  const order: ClientOrder = { url, credential, ...load };
  const answer = await client.ask<{ readonly result?: ClientResult; readonly error?: string }>(order);
  if (answer.result === undefined) throw new Error(answer.error ?? 'the load generator failed');
  return answer.result;
}

function summarizeRuns(
  what: Pick<AwsMeasurement, 'target' | 'operation' | 'connections'>,
  runs: readonly Run[],
  bare: readonly Run[],
): AwsMeasurement {
  const median = (pick: (run: Run) => number): number => summarize(runs.map(pick)).median;
  const bareOf = (round: number): Run => bare[round] as Run;
  return {
    ...what,
    perSecond: summarize(runs.map(({ result }) => result.perSecond)),
    ratio: summarize(runs.map(({ result }, round) => result.perSecond / bareOf(round).result.perSecond)),
    p50Ms: median(({ result }) => result.latencyMs.p50),
    p99Ms: median(({ result }) => result.latencyMs.p99),
    serverCpu: summarize(runs.map(({ serverCpu }) => serverCpu)),
    mainCpu: median(({ mainCpu }) => mainCpu),
    tokenCpu: median(({ tokenCpu }) => tokenCpu),
    cLoopCpu: runs.every(({ cLoopCpu }) => cLoopCpu !== null) ? median(({ cLoopCpu }) => cLoopCpu ?? 0) : null,
    cpuRatio: summarize(
      runs.map(({ serverCpu, cLoopCpu }, round) => (serverCpu - (cLoopCpu ?? 0)) / bareOf(round).serverCpu),
    ),
    clientCpu: median(({ result }) => result.clientCpuMicroseconds),
  };
}
