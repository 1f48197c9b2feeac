import { linkSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../errors.js';
import { makePrivateDirectory, PRIVATE_FILE, writePrivateFile } from './private_files.js';
import { identityOf, isRunning } from './process_identity.js';
import { parseJsonFile } from './region_config.js';
import type { SeededKey } from './seeded_key.js';

/** Octets of a Unix socket's path, its end included. @source unix(7), sun_path */
const SOCKET_PATH_OCTETS_MAX = 107;
/** A log that is longer than this makes way for a new one at the next start. */
const LOG_OCTETS_MAX = 16 * 1024 * 1024;

const processIdentity = z.strictObject({ pid: z.int().positive(), started: z.string() });
const program = z.strictObject({
  url: z.string(),
  process: processIdentity.nullable(),
  /** `running`, `starting`, `stopped` and why. */
  state: z.string(),
  restarts: z.int().nonnegative(),
  /** Why it ended last time, and what to do about it; null where it never did. */
  problem: z.strictObject({ message: z.string(), remedy: z.string().nullable() }).nullable().default(null),
});
const labState = z.strictObject({
  supervisor: processIdentity,
  startedMs: z.number(),
  partition: z.string(),
  account: z.string(),
  profile: z.enum(['full', 'seed']),
  endpoint: z.string(),
  /** File of the certificates that clients are to trust; null where the lab speaks HTTP. */
  caFile: z.string().nullable().default(null),
  programs: z.record(z.string(), program),
  regions: z.array(z.string()),
});

const seededKey = z.strictObject({
  name: z.string(),
  arn: z.string(),
  made: z.boolean(),
  added: z.array(z.string()),
  unchanged: z.array(z.string()),
});

/** How one program of the lab is doing. */
export type ProgramState = Readonly<z.infer<typeof program>>;
/** What `up` writes for `status`, `down` and `env`. Programs are `proxy`, `front-door`, `console` and `region NAME`. */
export type LabState = Readonly<z.infer<typeof labState>>;

/** A lab's directory: everything that lasts, and who runs it. Only its user can read it. */
export class StateDirectory {
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  get stateFile(): string {
    return join(this.root, 'state.json');
  }

  get lockFile(): string {
    return join(this.root, 'lock');
  }

  get labFile(): string {
    return join(this.root, 'lab.json');
  }

  get authority(): string {
    return join(this.root, 'authority');
  }

  get proxy(): string {
    return join(this.root, 'proxy');
  }

  /** Where reports of `keyferry validate --report` are looked for, one folder each. */
  get validation(): string {
    return join(this.root, 'validation');
  }

  get awsConfigFile(): string {
    return join(this.root, 'aws', 'config');
  }

  get awsCredentialsFile(): string {
    return join(this.root, 'aws', 'credentials');
  }

  get accessKeyFile(): string {
    return join(this.root, 'aws', 'access-key.json');
  }

  region(name: string): string {
    return join(this.root, 'regions', name);
  }

  regionConfig(name: string): string {
    return join(this.region(name), 'config.json');
  }

  /** Socket of a region's administration, or of the proxy's where `name` is left out. */
  adminSocket(name?: string): string {
    return join(name === undefined ? this.proxy : this.region(name), 'admin.sock');
  }

  /** Socket at which the console gives out login links. */
  get consoleSocket(): string {
    return join(this.root, 'console', 'admin.sock');
  }

  log(programName: string): string {
    return join(this.root, 'logs', `${programName.replaceAll(' ', '-')}.log`);
  }

  /**
   * Makes the directories of a lab.
   *
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` where a path would be too long for a socket, or a directory cannot be made
   */
  make(regions: readonly string[]): void {
    for (const name of regions) {
      const path = this.adminSocket(name);
      if (Buffer.byteLength(path) >= SOCKET_PATH_OCTETS_MAX) {
        throw new ConfigError(
          'ERR_CONFIG_STATE',
          `${path} is too long for a socket; choose a directory with a shorter path`,
          {
            details: { path, octetsMax: SOCKET_PATH_OCTETS_MAX - 1 },
          },
        );
      }
    }
    for (const path of [
      this.root,
      this.authority,
      this.proxy,
      dirname(this.consoleSocket),
      dirname(this.awsConfigFile),
      dirname(this.log('x')),
      ...regions.map((name) => this.region(name)),
    ]) {
      makePrivateDirectory(path);
    }
  }

  /** The state that the running or the last `up` wrote; undefined where there was none. */
  readState(): LabState | undefined {
    if (statSync(this.stateFile, { throwIfNoEntry: false }) === undefined) return undefined;
    return parseJsonFile(this.stateFile, labState);
  }

  writeState(state: LabState): void {
    writePrivateFile(this.stateFile, `${JSON.stringify(state, undefined, 2)}\n`);
  }

  /** What became of the seed at the last start; nothing where there was none. */
  readSeedReport(): readonly SeededKey[] {
    if (statSync(this.#seedFile, { throwIfNoEntry: false }) === undefined) return [];
    return parseJsonFile(this.#seedFile, z.array(seededKey));
  }

  writeSeedReport(seeded: readonly SeededKey[]): void {
    writePrivateFile(this.#seedFile, `${JSON.stringify(seeded, undefined, 2)}\n`);
  }

  get #seedFile(): string {
    return join(this.root, 'seed.json');
  }

  /**
   * Takes the directory for this process until it ends or lets go.
   *
   * @returns lets go
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` where a running process has it
   */
  lock(): () => void {
    const own = `${this.lockFile}.${process.pid}`;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        // Whole or not at all: whoever found half of it would take it for nobody's.
        writePrivateFile(own, JSON.stringify(identityOf(process.pid)));
        linkSync(own, this.lockFile);
        return () => rmSync(this.lockFile, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      } finally {
        rmSync(own, { force: true });
      }
      const holder = this.lockHolder();
      if (holder !== undefined) {
        throw new ConfigError(
          'ERR_CONFIG_STATE',
          `A lab is running in ${this.root} (process ${holder}); stop it with: keyferry down`,
          {
            details: { directory: this.root, pid: holder },
          },
        );
      }
      // Whoever held it ended without letting go.
      rmSync(this.lockFile, { force: true });
    }
    throw new ConfigError('ERR_CONFIG_STATE', `${this.lockFile} cannot be taken`, {
      details: { directory: this.root },
    });
  }

  /** The process that has the directory; undefined where none that still runs. */
  lockHolder(): number | undefined {
    try {
      const identity = processIdentity.parse(JSON.parse(readFileSync(this.lockFile, 'utf8')));
      return isRunning(identity) ? identity.pid : undefined;
    } catch {
      // Gone, or half-written by a process that died: nobody's.
      return undefined;
    }
  }

  /** Opens a program's log for writing at its end; an overlong one is put aside first. */
  openLog(programName: string): number {
    const path = this.log(programName);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_OCTETS_MAX) renameSync(path, `${path}.1`);
    return openSync(path, 'a', PRIVATE_FILE);
  }
}
