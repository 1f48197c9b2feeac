import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { composeMonitoring } from '../../src/compose_monitoring.js';
import { createAlias } from '../../src/kms/operations/create_alias.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { STATUS } from '../../src/surfaces/aws/exceptions.js';
import { serveAws, type AwsServer } from '../../src/surfaces/aws/server.js';
import { Chance } from './chance.js';
import { makeCase, type FuzzCase, type FuzzWorld } from './fuzz_case.js';
import { makeKey } from './keys_of_every_spec.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from './software_region.js';

const ANSWER_MS = 10_000;
/** Connections at once. */
const LANES = 8;

/** What a run came to. */
export interface FuzzReport {
  /** Answers by status; 0 is a connection that was closed without one. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Names of exceptions that were answered. */
  readonly exceptions: ReadonlyMap<string, number>;
  /** What must not be, with the case that led to it. */
  readonly findings: readonly string[];
  /** Octets of the heap that are in use behind the run, by those at its beginning. */
  readonly heapGrowthBytes: number;
}

/** Sends requests that nobody would write to an endpoint over a token double, and looks at what it answers. */
export class EndpointFuzz {
  readonly #region: SoftwareRegion;
  readonly #server: AwsServer;
  readonly #world: FuzzWorld;
  readonly #chance: Chance;
  readonly #causes: unknown[];

  private constructor(parts: {
    readonly region: SoftwareRegion;
    readonly server: AwsServer;
    readonly world: FuzzWorld;
    readonly chance: Chance;
    readonly causes: unknown[];
  }) {
    this.#region = parts.region;
    this.#server = parts.server;
    this.#world = parts.world;
    this.#chance = parts.chance;
    this.#causes = parts.causes;
  }

  static async open(seed: number): Promise<EndpointFuzz> {
    const region = makeSoftwareRegion();
    const world = await populate(region);
    const causes: unknown[] = [];
    const { service } = composeMonitoring({
      home: region.region.home,
      clock: region.clock,
      database: region.database,
      materials: region.region.materials,
      report: (failure) => causes.push(failure),
    });
    const server = await serveAws(
      {
        region: region.region,
        credentials: [{ ...world, principal: ROOT }],
        signatureTimeMs: Date.now,
        trail: region.trail.trail,
        services: [service],
        observe: ({ cause }) => {
          if (cause !== null && cause !== undefined) causes.push(cause);
        },
      },
      { host: '127.0.0.1', port: 0 },
    );
    return new EndpointFuzz({ region, server, world, chance: new Chance(seed), causes });
  }

  /** Sends so many cases. @param progress - told of every thousandth */
  async run(count: number, progress: (done: number) => void = () => undefined): Promise<FuzzReport> {
    const statuses = new Map<number, number>();
    const exceptions = new Map<string, number>();
    const findings: string[] = [];
    const heapBefore = usedHeap();
    let begun = 0;
    const lane = async (): Promise<void> => {
      const connection = new Connection(this.#server.url);
      while (begun < count && findings.length < 10) {
        begun += 1;
        if (begun % 1000 === 0) {
          this.#forget();
          progress(begun);
        }
        const each = makeCase(this.#chance, this.#world);
        const { status, body } = await connection.ask(each);
        const exception = exceptionIn(body);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (exception !== undefined) exceptions.set(exception, (exceptions.get(exception) ?? 0) + 1);
        const finding = this.#judge(each, status, exception);
        if (finding !== undefined) findings.push(`${finding}\n${each.octets.toString('latin1').slice(0, 2000)}`);
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    this.#forget();
    return { statuses, exceptions, findings, heapGrowthBytes: usedHeap() - heapBefore };
  }

  async close(): Promise<void> {
    await this.#server.close();
    this.#region.close();
  }

  #judge(each: FuzzCase, status: number, exception: string | undefined): string | undefined {
    const cause = this.#causes.shift();
    if (cause !== undefined) return `${each.kind}: ${cause instanceof Error ? cause.stack : String(cause)}`;
    if (status >= 500) return `${each.kind}: status ${status}`;
    if (status === 0 && each.kind !== 'octets') return `${each.kind}: the connection was closed`;
    if (exception !== undefined && !Object.hasOwn(STATUS, exception) && each.kind !== 'scope') {
      return `${each.kind}: ${exception} is no exception of AWS KMS`;
    }
    return undefined;
  }

  /** Lets go of what doubles collect for tests. */
  #forget(): void {
    this.#region.trail.events.length = 0;
    this.#region.hsm.calls.length = 0;
    this.#region.hsm.unloaded.length = 0;
  }
}

/** Keys of several kinds, an alias and a ciphertext, so that members may name what is there. */
async function populate(region: SoftwareRegion): Promise<FuzzWorld> {
  const symmetric = await makeKey(region, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
  const mac = await makeKey(region, 'HMAC_256', 'GENERATE_VERIFY_MAC');
  const signing = await makeKey(region, 'ECC_NIST_P256', 'SIGN_VERIFY');
  await createAlias(region.call, { AliasName: 'alias/there', TargetKeyId: symmetric.keyId });
  const { CiphertextBlob } = await encrypt(region.call, { KeyId: symmetric.keyId, Plaintext: Buffer.from('x') });
  return {
    accessKeyId: 'AKIDFUZZ',
    secretAccessKey: 'secret',
    names: [
      symmetric.keyId,
      symmetric.arn,
      mac.keyId,
      signing.keyId,
      'alias/there',
      Buffer.from(CiphertextBlob).toString('base64'),
      ROOT,
      '00000000-0000-0000-0000-000000000000',
    ],
  };
}

function usedHeap(): number {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

function exceptionIn(body: string): string | undefined {
  return /"__type":"(?:[^"#]*#)?([A-Za-z]+)"/.exec(body)?.[1];
}

/** One connection after another: a new one wherever the earlier one is of no use any more. */
class Connection {
  readonly #url: URL;
  #socket: Socket | null = null;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  ask(each: FuzzCase): Promise<{ readonly status: number; readonly body: string }> {
    const socket = this.#socket ?? connect(Number(this.#url.port), this.#url.hostname);
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let text = '';
      const limit = setTimeout(() => end(new Error('no answer')), ANSWER_MS);
      const end = (failure?: Error): void => {
        clearTimeout(limit);
        socket.off('data', take);
        socket.off('close', closed);
        if (each.isLast || failure !== undefined || socket.destroyed || /^connection: close/im.test(text)) {
          socket.destroy();
          this.#socket = null;
        }
        if (failure !== undefined) return reject(failure);
        resolve({
          status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
          body: text.slice(text.indexOf('\r\n\r\n') + 4),
        });
      };
      const take = (chunk: Buffer): void => {
        text += chunk.toString('latin1');
        const head = text.indexOf('\r\n\r\n');
        const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, head))?.[1] ?? 0);
        if (head >= 0 && text.length >= head + 4 + length && !text.startsWith('HTTP/1.1 100')) end();
      };
      const closed = (): void => end();
      socket.on('data', take);
      socket.on('close', closed);
      if (socket.listenerCount('error') === 0) socket.on('error', () => undefined);
      if (each.isLast) socket.end(each.octets);
      else socket.write(each.octets);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }
}
