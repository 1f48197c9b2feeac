import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS, type KMSClientConfig } from '@aws-sdk/client-kms';
import { labAccessKey } from '../../src/lab/aws_files.js';
import { parseLabFile } from '../../src/lab/lab_file.js';
import type { AccessKey } from '../../src/lab/region_config.js';
import { runLab, type RunningLab } from '../../src/lab/running_lab.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { LabProgram } from '../support/lab_process.js';
import { untilTrue } from '../support/replication_client.js';

/** The regions of the lab, and the kind of each one's token. */
export const TOKENS = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' } as const;
export type RegionName = keyof typeof TOKENS;
export const ACCOUNT = '111122223333';

/** Where clients go: to the front door, or to the region itself. */
export type Door = 'one URL for all regions' | 'a URL for each region';
export const DOORS: readonly Door[] = ['one URL for all regions', 'a URL for each region'];

/** One way of using the lab: a region to work in, another one to replicate to, and a door. */
export interface Way {
  readonly door: Door;
  readonly home: RegionName;
  readonly other: RegionName;
}

/** Both doors from either region. */
export const WAYS: readonly Way[] = DOORS.flatMap((door) => [
  { door, home: 'us-east-1', other: 'eu-west-1' },
  { door, home: 'eu-west-1', other: 'us-east-1' },
]);

/** Somebody to whom the account's policies allow nothing. */
export const GUEST: AccessKey = {
  accessKeyId: 'AKIAGUESTOFTHELAB000',
  secretAccessKey: 'a guest has no secrets',
  principal: `arn:aws:iam::${ACCOUNT}:user/guest`,
};

const LAB_FILE = JSON.stringify({
  account: ACCOUNT,
  endpoint: '127.0.0.1:0',
  proxy: { listen: '127.0.0.1:0' },
  regions: Object.fromEntries(
    Object.entries(TOKENS).map(([name, module]) => [name, { listen: '127.0.0.1:0', token: { module } }]),
  ),
  credentials: [
    {
      ...GUEST,
      policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' }] },
    },
  ],
});

/** Regions stay as dead as a test has killed them. */
const NEVER_MS = 3_600_000;

/** A lab as `keyferry up` runs it: two regions on tokens of two kinds, a proxy, and a front door. */
export class ClientLab {
  /** For the files of clients; it has no AWS configuration in it. */
  readonly home: string;
  readonly directory: StateDirectory;
  /** The account's root. */
  readonly accessKey: AccessKey;
  readonly #lab: RunningLab;
  readonly #root: string;
  readonly #clients: KMS[] = [];
  readonly #revived: LabProgram[] = [];

  private constructor(parts: {
    root: string;
    home: string;
    directory: StateDirectory;
    lab: RunningLab;
    key: AccessKey;
  }) {
    this.#root = parts.root;
    this.home = parts.home;
    this.directory = parts.directory;
    this.#lab = parts.lab;
    this.accessKey = parts.key;
  }

  static async start(): Promise<ClientLab> {
    const root = mkdtempSync(join(tmpdir(), 'kf-clients-'));
    const home = mkdtempSync(join(tmpdir(), 'kf-client-home-'));
    try {
      const directory = new StateDirectory(root);
      const file = parseLabFile(LAB_FILE, 'lab.yaml');
      const lab = await runLab(directory, file, {
        showStep: (_label, work) => work(),
        times: { restartMs: NEVER_MS, restartMsMax: NEVER_MS },
      });
      return new ClientLab({ root, home, directory, lab, key: labAccessKey(directory, file) });
    } catch (error) {
      for (const path of [root, home]) rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** The URL at which a region is asked. */
  url(region: string, door: Door): string {
    const url = door === 'one URL for all regions' ? this.#lab.summary.endpoint : this.#lab.summary.regions[region];
    if (url === undefined) throw new Error(`the lab has no region ${region}`);
    return url;
  }

  /** An SDK client with the defaults of the SDK, but for what is asked otherwise. */
  sdk(region: string, door: Door, config: KMSClientConfig = {}): KMS {
    const client = new KMS({ region, endpoint: this.url(region, door), credentials: this.accessKey, ...config });
    this.#clients.push(client);
    return client;
  }

  /** `kill -9` of a region's process; returns when nobody answers at its URL any more. */
  async killRegion(region: RegionName): Promise<void> {
    const pid = this.directory.readState()?.programs[`region ${region}`]?.process?.pid;
    if (pid === undefined) throw new Error(`${region} does not run`);
    process.kill(pid, 'SIGKILL');
    const url = `${this.url(region, 'a URL for each region')}/healthz`;
    await untilTrue(`${region} is gone`, () =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    );
  }

  /** Starts a region again that was killed, at the same URL. */
  async reviveRegion(region: RegionName): Promise<void> {
    const command = [process.execPath, KEYFERRY_BIN, 'region', '--config', this.directory.regionConfig(region)];
    const program = new LabProgram(command, { log: this.directory.log(`region ${region}`) });
    this.#revived.push(program);
    await program.start();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await Promise.all(this.#revived.map((program) => program.stop()));
    await this.#lab.stop();
    for (const path of [this.#root, this.home]) rmSync(path, { recursive: true, force: true });
  }
}

let shared: Promise<ClientLab> | undefined;

/** The lab of all tests of this process: to provision one takes longer than most of them. It stops at the end of the last test. */
export function clientLab(): Promise<ClientLab> {
  shared ??= ClientLab.start();
  return shared;
}

after('the lab stops', async () => {
  const lab = await shared?.catch(() => undefined);
  await lab?.stop();
});

/** A name that no other test has. */
export function uniqueAlias(): string {
  return `alias/of-${randomBytes(6).toString('hex')}`;
}
