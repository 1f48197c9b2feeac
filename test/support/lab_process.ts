import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KMSClient } from '@aws-sdk/client-kms';
import { startProxy, type RunningProxy } from '../../src/compose_proxy.js';
import type { KeyStorageKind } from '../../src/hsm/material.js';
import { askAdmin } from '../../src/lab/admin_client.js';
import { claimAddresses, type LabAddresses } from '../../src/lab/addresses.js';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { parseLabFile, type Lab } from '../../src/lab/lab_file.js';
import { assertSameLab, provisionLab } from '../../src/lab/provisioning.js';
import { asProgramMessage } from '../../src/lab/program_message.js';
import { readRegionConfig } from '../../src/lab/region_config.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { formatListenAddress } from '../../src/listen.js';
import { findModule } from '../../src/token/module_path.js';
import type { SoftwareTokenKind } from './token_directory.js';

const SHIM = fileURLToPath(new URL('../../../build/libkeyferry_shim.so', import.meta.url));
const CRASH_HOOK = new URL('./crash_hook.js', import.meta.url).href;
/** A region opens its token and runs its self-tests before it is ready; probing is done at provisioning. */
const READY_MS_MAX = 30_000;

/** Regions of a test lab, by name, with the kind of their token. */
export type LabTokens = Readonly<Record<string, SoftwareTokenKind>>;

/** What a lab of a test has of its own. */
export interface LabOptions {
  /** Where new keys rest; wrapped if left out. */
  readonly keyStorage?: KeyStorageKind;
}

/** The lab file of a test: every port is chosen by the system. */
export function labOf(tokens: LabTokens, options: LabOptions = {}): Lab {
  const regions = Object.entries(tokens).map(
    ([name, kind]) => `  ${name}: { listen: "127.0.0.1:0", token: { module: ${kind} } }\n`,
  );
  return parseLabFile(
    `endpoint: 127.0.0.1:0\nproxy: { listen: "127.0.0.1:0" }\nregions:\n${regions.join('')}hsm: { keyStorage: ${options.keyStorage ?? 'wrapped'} }\n`,
    'lab.yaml',
  );
}

/** A provisioned lab in a directory of its own, with nothing running. */
export interface ProvisionedLab {
  readonly directory: StateDirectory;
  readonly addresses: LabAddresses;
  /** Removes the directory. */
  dispose(): void;
}

/** Provisions a lab as `keyferry up` does: authority, tokens, keys, roster, configurations. */
export async function provisionTestLab(lab: Lab, chosen?: LabAddresses): Promise<ProvisionedLab> {
  const root = mkdtempSync(join(tmpdir(), 'keyferry-lab-'));
  const dispose = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const directory = new StateDirectory(root);
    directory.make(Object.keys(lab.regions));
    const addresses = chosen ?? (await claimAddresses(lab));
    assertSameLab(directory, lab);
    await provisionLab(directory, lab, { addresses, showStep: (_label, work) => work() });
    return { directory, addresses, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A `keyferry` program that runs as a process of its own until it is stopped or killed. */
export class LabProgram {
  readonly #command: readonly string[];
  readonly #log: string;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  /** Resolves when the process that was started last has ended. */
  ended: Promise<void> = Promise.resolve();

  /** @param command - what is run, the program first; its output goes to the end of `log` */
  constructor(
    command: readonly string[],
    options: { readonly log: string; readonly environment?: Readonly<Record<string, string>> },
  ) {
    this.#command = command;
    this.#log = options.log;
    this.#environment = options.environment ?? {};
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the program and waits until it says that it is ready. */
  async start(): Promise<void> {
    const [file = '', ...args] = this.#command;
    const log = openSync(this.#log, 'a', 0o600);
    const child = spawn(file, args, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...this.#environment },
    });
    closeSync(log);
    this.#child = child;
    this.ended = once(child, 'exit').then(() => undefined);
    const spoken = once(child, 'message').then(([value]) => asProgramMessage(value));
    const late = sleep(READY_MS_MAX, 'late' as const, { ref: false });
    const first = await Promise.race([spoken, this.ended.then(() => 'ended' as const), late]);
    if (typeof first === 'object' && first.kind === 'ready') return;
    child.kill('SIGKILL');
    throw new Error(
      `${args.join(' ')} did not become ready (${typeof first === 'object' ? first.message : String(first)}):\n${readFileSync(this.#log, 'utf8').slice(-2_000)}`,
    );
  }

  /** `kill -9`, at once. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Ends the program as an operator does; kills it where it does not end. */
  async stop(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), 10_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** Where a region's process may be killed; no fault when it is set to nothing. */
export interface FaultFiles {
  /** Faults in front of the token, one rule a line. @source native/test/shim/rules.h */
  setTokenFaults(...rules: readonly string[]): void;
  /** The commit at which the process ends. */
  setCommitFault(fault: CommitFault | null): void;
  /** Names of the PKCS#11 functions that were called so far, in order. */
  tokenCalls(): readonly string[];
}

/** The process is killed before or after the first commit in whose transaction `query` finds a row. */
export interface CommitFault {
  readonly when: 'before' | 'after';
  readonly query: string;
}

/** One region of a test lab. */
export interface LabRegionProcess extends FaultFiles {
  readonly name: string;
  readonly url: string;
  readonly directory: string;
  readonly program: LabProgram;
  /** What `keyferry status` shows of it. */
  status(): Promise<RegionStatus>;
  /** An unmodified SDK client; it tries once. */
  client(): KMSClient;
}

/** Members of a region's status that tests look at. */
export interface RegionStatus {
  readonly hsm: { readonly state: string; readonly ephemeralKeys: number; readonly loadedKeys: number };
  readonly replication: {
    readonly state: string;
    readonly outgoing: readonly unknown[];
    readonly incoming: readonly unknown[];
    readonly waiting: readonly unknown[];
  };
}

/** Regions as processes of their own, with a proxy in this one, so that tests decide what it does to messages. */
export class RegionLab {
  readonly directory: StateDirectory;
  readonly proxy: RunningProxy;
  readonly regions: ReadonlyMap<string, LabRegionProcess>;
  readonly #dispose: () => void;
  readonly #clients: KMSClient[] = [];

  private constructor(provisioned: ProvisionedLab, proxy: RunningProxy, tokens: LabTokens) {
    this.directory = provisioned.directory;
    this.proxy = proxy;
    this.#dispose = provisioned.dispose;
    this.regions = new Map(Object.entries(tokens).map(([name, kind]) => [name, this.#region(provisioned, name, kind)]));
  }

  /** Provisions the regions and starts them; their tokens lie behind a library that makes faults where a test wants them. */
  static async start(tokens: LabTokens, options: LabOptions = {}): Promise<RegionLab> {
    const provisioned = await provisionTestLab(labOf(tokens, options));
    let lab: RegionLab | undefined;
    try {
      const proxy = await startProxy({
        listen: provisioned.addresses.proxy,
        directory: provisioned.directory.proxy,
      });
      lab = new RegionLab(provisioned, proxy, tokens);
      await Promise.all([...lab.regions.values()].map(({ program }) => program.start()));
      return lab;
    } catch (error) {
      await (lab?.close() ?? provisioned.dispose());
      throw error;
    }
  }

  region(name: string): LabRegionProcess {
    const region = this.regions.get(name);
    if (region === undefined) throw new Error(`the lab has no region ${name}`);
    return region;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await Promise.all([...this.regions.values()].map(({ program }) => program.stop()));
    await this.proxy.close();
    this.#dispose();
  }

  #region({ directory, addresses }: ProvisionedLab, name: string, kind: SoftwareTokenKind): LabRegionProcess {
    const own = directory.region(name);
    const faults = join(own, 'faults');
    const calls = join(own, 'calls');
    const commit = join(own, 'commit-fault');
    putShimInFront(directory, name);
    const address = addresses.regions[name];
    if (address === undefined) throw new Error(`${name} has no address`);
    const url = `http://${formatListenAddress(address)}`;
    const program = new LabProgram(
      [process.execPath, KEYFERRY_BIN, 'region', '--config', directory.regionConfig(name)],
      {
        log: directory.log(`region ${name}`),
        environment: {
          KEYFERRY_SHIM_MODULE: findModule(kind),
          KEYFERRY_SHIM_RULES: faults,
          KEYFERRY_SHIM_COUNT: calls,
          KEYFERRY_TEST_COMMIT_FAULT: commit,
          NODE_OPTIONS: `--import=${CRASH_HOOK}`,
        },
      },
    );
    return {
      name,
      url,
      directory: own,
      program,
      setTokenFaults: (...rules) => replaceFile(faults, `${rules.join('\n')}\n`),
      setCommitFault: (fault) => replaceFile(commit, fault === null ? '' : JSON.stringify(fault)),
      tokenCalls: () =>
        readFileSync(calls, 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      status: () => askAdmin(directory.adminSocket(name), { method: 'GET', path: '/status' }) as Promise<RegionStatus>,
      client: () => {
        const { accessKeyId = '', secretAccessKey = '' } =
          readRegionConfig(directory.regionConfig(name)).credentials[0] ?? {};
        const client = new KMSClient({
          region: name,
          endpoint: url,
          credentials: { accessKeyId, secretAccessKey },
          maxAttempts: 1,
        });
        this.#clients.push(client);
        return client;
      },
    };
  }
}

/** Lets a region open its token through the shim; what was found out about the token holds for it too. */
export function putShimInFront(directory: StateDirectory, name: string): void {
  const shim = join(directory.region(name), 'shim.so');
  copyFileSync(SHIM, shim);
  rewriteJson(directory.regionConfig(name), (config: { token: { module: string } }) => {
    config.token.module = shim;
  });
  rewriteJson(join(directory.region(name), 'profile.json'), (profile: { identity: { modulePath: string } }) => {
    profile.identity.modulePath = shim;
  });
}

function rewriteJson<Value>(file: string, change: (value: Value) => void): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Value;
  change(value);
  replaceFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** A reader sees the old text or the new one, and a new file each time. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
