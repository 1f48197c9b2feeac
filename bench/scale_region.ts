import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Database } from '../src/adapters/database.js';
import { SqliteKeyStore } from '../src/adapters/key_store_sqlite.js';
import { SqliteMaterialStore } from '../src/adapters/material_store_sqlite.js';
import { openConfiguredToken } from '../src/compose_token.js';
import { RegionHsm } from '../src/hsm/region_hsm.js';
import { isKeyId, keyArn, type KeyId } from '../src/kms/key_id.js';
import { defaultPolicy } from '../src/kms/policy.js';
import type { NewKey } from '../src/kms/key_store.js';
import { readRegionConfig, type RegionConfig } from '../src/lab/region_config.js';
import { StateDirectory } from '../src/lab/state_directory.js';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';

const BIN = fileURLToPath(new URL('../../bin/keyferry.js', import.meta.url));
const REGION = 'us-east-1';
/** Materials that the token makes at the same time, and keys of one transaction. */
const IN_FLIGHT = 64;
const KEYS_OF_TRANSACTION = 1_000;
/** One key in so many has a tag, another spec. */
const TAGGED_EVERY = 3;
const SIGNING_EVERY = 20;
const STARTED_MS_MAX = 60_000;

/** A region of one lab that holds a number of keys, and how it is started. */
export interface ScaleRegion {
  readonly config: RegionConfig;
  readonly configFile: string;
  /** Every key id, in the order of their making. */
  readonly keyIds: readonly KeyId[];
  /** Those among them that encrypt. */
  readonly encrypting: readonly KeyId[];
}

/** A region's process, and what its start took. */
export interface StartedRegion {
  readonly url: string;
  readonly pid: number;
  /** Until it answered, milliseconds. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/**
 * Makes a lab of one region with so many keys in a directory, or takes the one that is there.
 *
 * Every key has material of its own that the token made; what is spared is one durable transaction for each.
 *
 * @param report - told how many keys there are, now and then
 */
export async function makeScaleRegion(
  directory: string,
  options: { readonly keys: number; readonly token: SoftwareTokenKind; readonly report: (made: number) => void },
): Promise<ScaleRegion> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const labFile = join(directory, 'lab.yaml');
  const lab = new StateDirectory(join(directory, 'lab'));
  if (!existsSync(lab.regionConfig(REGION))) {
    const any = { listen: '127.0.0.1:0' };
    writeFileSync(
      labFile,
      JSON.stringify({
        endpoint: '127.0.0.1:0',
        proxy: any,
        regions: { [REGION]: { ...any, token: { module: options.token } } },
      }),
    );
    keyferry('up', '--file', labFile, '--dir', lab.root, '--detach');
    keyferry('down', '--dir', lab.root);
  }
  const configFile = lab.regionConfig(REGION);
  const config = readRegionConfig(configFile);
  return { config, configFile, ...(await fill(config, options)) };
}

function keyferry(...args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`keyferry ${args[0] ?? ''} ended with status ${status}: ${stderr}`);
}

async function fill(
  config: RegionConfig,
  options: { readonly keys: number; readonly report: (made: number) => void },
): Promise<Pick<ScaleRegion, 'keyIds' | 'encrypting'>> {
  const home = { partition: config.partition, region: config.region, account: config.account };
  const database = Database.open(join(config.directory, 'region.db'));
  try {
    const store = new SqliteKeyStore(database, home);
    const materials = new SqliteMaterialStore(database, store);
    const present = database.prepare('SELECT count(*) AS count FROM keys').get()?.['count'];
    const missing = options.keys - Number(present);
    if (missing > 0) {
      const opened = await openConfiguredToken(config.token, join(config.directory, 'profile.json'), 'region');
      const hsm = await RegionHsm.open({ runner: opened.token.executor, capabilities: opened.capabilities });
      for (let made = 0; made < missing; made += KEYS_OF_TRANSACTION) {
        const first = Number(present) + made;
        const batch = await makeKeys(hsm, home, first, Math.min(KEYS_OF_TRANSACTION, missing - made));
        store.transaction(() => {
          for (const key of batch) store.insertKey(key);
        });
        options.report(first + batch.length);
      }
      await hsm.close();
      await opened.close();
    }
    materials.scrub();
    database.prepare('ANALYZE').run();
    const rows = database.prepare('SELECT key_id, key_usage FROM keys ORDER BY rowid').all();
    const ids = (usage?: string): KeyId[] =>
      rows.flatMap((row) => {
        const id = String(row['key_id']);
        return isKeyId(id) && (usage === undefined || row['key_usage'] === usage) ? [id] : [];
      });
    return { keyIds: ids(), encrypting: ids('ENCRYPT_DECRYPT') };
  } finally {
    database.close();
  }
}

async function makeKeys(
  hsm: RegionHsm,
  home: { readonly partition: string; readonly region: string; readonly account: string },
  first: number,
  count: number,
): Promise<readonly NewKey[]> {
  const keys: NewKey[] = [];
  let next = first;
  const makeSome = async (): Promise<void> => {
    while (next < first + count) keys.push(await makeKey(hsm, home, next++));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, makeSome));
  return keys;
}

async function makeKey(
  hsm: RegionHsm,
  home: { readonly partition: string; readonly region: string; readonly account: string },
  index: number,
): Promise<NewKey> {
  const keyId = randomUUID();
  if (!isKeyId(keyId)) throw new Error('a UUID is a key id');
  const signs = index % SIGNING_EVERY === SIGNING_EVERY - 1;
  const kind = signs
    ? ({ keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY', dataSuite: null } as const)
    : ({ keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', dataSuite: hsm.dataSuites[0] ?? null } as const);
  const material = await hsm.createMaterial({ keyId, multiRegion: false, ...kind });
  const createdMs = Date.now();
  return {
    record: {
      keyId,
      arn: keyArn(home, keyId),
      account: home.account,
      createdMs,
      description: `key ${index} of a large region`,
      ...kind,
      origin: 'AWS_KMS',
      state: 'Enabled',
      multiRegion: null,
      deletion: null,
    },
    policy: defaultPolicy(home),
    tags: index % TAGGED_EVERY === 0 ? [{ TagKey: 'number', TagValue: randomBytes(8).toString('hex') }] : [],
    materials: [{ material, index: 0, state: 'CURRENT', createdMs }],
  };
}

/** Starts the region as `keyferry up` does, in a process of its own, and waits until it answers. */
export async function startScaleRegion({ configFile }: ScaleRegion): Promise<StartedRegion> {
  const began = performance.now();
  const child = spawn(process.execPath, [BIN, 'region', '--config', configFile], { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = await urlOf(child);
  return {
    url,
    pid: child.pid ?? 0,
    startMs: performance.now() - began,
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function urlOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const take = (text: string): void => {
      printed += text;
      const found = /http:\/\/[\d.:]+/u.exec(printed);
      if (found !== null) resolve(found[0]);
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.once('exit', (status) => reject(new Error(`the region ended with status ${status}: ${printed}`)));
    setTimeout(() => reject(new Error(`the region does not answer: ${printed}`)), STARTED_MS_MAX).unref();
  });
}

/** Resident memory of a process, octets. */
export function residentOctets(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1] ?? 0) * 1024;
}
