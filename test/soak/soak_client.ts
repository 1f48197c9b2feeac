import { Agent, request as httpRequest } from 'node:http';
import { AwsSigner } from '../../bench/aws_signer.js';

/** What the exceptions are called that an AWS client repeats by itself. */
const REPEATED = new Set([
  'DependencyTimeoutException',
  'KeyUnavailableException',
  'KMSInternalException',
  'ServiceUnavailableException',
  'ThrottlingException',
]);
/** A request that has no answer after this time has hung, milliseconds: longer than a region is ever stopped. */
const ANSWER_MS_MAX = 60_000;

/** Members of an answer, octets in base64. */
export type Members = Readonly<Record<string, unknown>>;

/** How a request ended. */
export type Answer =
  | { readonly kind: 'done'; readonly value: Members }
  /** Refused for good. */
  | { readonly kind: 'refused'; readonly name: string; readonly message: string }
  /** No answer, or one after which clients ask again: it was done or not. `name` is the exception or the system's error code. */
  | { readonly kind: 'open'; readonly name: string; readonly message: string };

/** What was seen of all requests together. */
export interface ClientLog {
  /** Ids of acknowledged requests by region. */
  readonly acknowledged: ReadonlyMap<string, Set<string>>;
  /** Done requests by operation. */
  readonly done: Map<string, number>;
  /** Times of done requests, milliseconds. */
  readonly latencies: number[];
  /** Longest time by operation. */
  readonly slowest: Map<string, number>;
  /** Answers that clients repeat: by name and operation. */
  readonly open: Map<string, number>;
  readonly refused: Map<string, number>;
}

export function makeClientLog(regions: readonly string[]): ClientLog {
  return {
    acknowledged: new Map(regions.map((name) => [name, new Set<string>()])),
    done: new Map(),
    latencies: [],
    slowest: new Map(),
    open: new Map(),
    refused: new Map(),
  };
}

export function count(counts: Map<string, number>, name: string, times = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}

/** Asks one region at one URL, one attempt a request, over connections that are kept. */
export class SoakClient {
  readonly #region: string;
  readonly #url: URL;
  readonly #signer: AwsSigner;
  readonly #agent: Agent;
  readonly #log: ClientLog;

  constructor(options: {
    readonly region: string;
    readonly url: string;
    readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
    readonly log: ClientLog;
  }) {
    this.#region = options.region;
    this.#url = new URL(options.url);
    this.#agent = new Agent({ keepAlive: true, noDelay: true });
    this.#log = options.log;
    this.#signer = new AwsSigner({
      host: this.#url.host,
      region: options.region,
      credential: options.credential,
    });
  }

  async send(operation: string, request: object): Promise<Answer> {
    const startMs = performance.now();
    const answer = await this.#post(operation, JSON.stringify(request));
    if (answer.kind === 'done') {
      count(this.#log.done, operation);
      const ms = performance.now() - startMs;
      this.#log.latencies.push(ms);
      this.#log.slowest.set(operation, Math.max(ms, this.#log.slowest.get(operation) ?? 0));
    } else if (answer.kind === 'refused') count(this.#log.refused, `${answer.name} ${operation}`);
    else count(this.#log.open, `${answer.name} ${operation}`);
    return answer;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(operation: string, body: string): Promise<Answer> {
    const { hostname, port } = this.#url;
    const headers = this.#signer.sign(operation, body);
    return new Promise((resolve) => {
      const fail = (error: NodeJS.ErrnoException): void =>
        resolve({ kind: 'open', name: error.code ?? error.message, message: error.message });
      const sent = httpRequest({ hostname, port, method: 'POST', agent: this.#agent, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const value = (text === '' ? {} : JSON.parse(text)) as Members;
          if (response.statusCode === 200) {
            this.#log.acknowledged.get(this.#region)?.add(String(response.headers['x-amzn-requestid']));
            return resolve({ kind: 'done', value });
          }
          const name = String(value['__type']).split('#').at(-1) ?? '';
          const message = String(value['message'] ?? value['Message'] ?? '');
          resolve({ kind: REPEATED.has(name) ? 'open' : 'refused', name, message });
        });
      });
      const late = setTimeout(() => sent.destroy(new Error('NoAnswer')), ANSWER_MS_MAX);
      sent.on('close', () => clearTimeout(late));
      sent.on('error', fail);
      sent.end(body);
    });
  }
}
