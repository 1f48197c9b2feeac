import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { ScaleClient } from './scale_load.js';
import {
  makeScaleRegion,
  residentOctets,
  startScaleRegion,
  type ScaleRegion,
  type StartedRegion,
} from './scale_region.js';
import { quantile, summarize } from './statistics.js';
import { number, textTable } from './text_table.js';

const USAGE = `usage: scale [--keys N] [--token KIND] [--rounds N] [--directory DIR] [--json]
  Compares a region of N keys (100,000 if left out) with one of 100, in one run.
  --token KIND     softhsm2 (if left out) or nss
  --rounds N       times that each region is measured, in turn; 5 if left out
  --directory DIR  keeps both regions there and takes them up again
  --json           prints what was measured as JSON
`;
const FEW_KEYS = 100;
/** Calls of one round, and keys of the set that is used again and again. */
const CALLS = 400;
const HOT_KEYS = 100;
const PLAINTEXT = Buffer.alloc(32, 7).toString('base64');

/** One measured kind of call: what it is called, and one call of it. */
interface Row {
  readonly name: string;
  readonly call: (client: ScaleClient, region: ScaleRegion, at: number) => Promise<unknown>;
}

const hot = (keys: readonly string[], at: number): string => keys[at % Math.min(HOT_KEYS, keys.length)] ?? '';
/** Keys far apart, each but once in a run. */
const cold = (keys: readonly string[], at: number): string => keys[(at * 7919 + 13) % keys.length] ?? '';

/** Goes on where the call before it ended, and begins anew behind the last page. */
async function listNextPage(client: ScaleClient): Promise<void> {
  const { NextMarker: marker } = await client.call('ListKeys', {
    Limit: 100,
    ...(markers.get(client) !== undefined && { Marker: markers.get(client) }),
  });
  if (typeof marker === 'string') markers.set(client, marker);
  else markers.delete(client);
}
const markers = new WeakMap<ScaleClient, string>();

const ROWS: readonly Row[] = [
  {
    name: 'DescribeKey, 100 keys in turn',
    call: (client, { keyIds }, at) => client.call('DescribeKey', { KeyId: hot(keyIds, at) }),
  },
  {
    name: 'DescribeKey, any key',
    call: (client, { keyIds }, at) => client.call('DescribeKey', { KeyId: cold(keyIds, at) }),
  },
  {
    name: 'Encrypt, 100 keys in turn',
    call: (client, { encrypting }, at) => client.call('Encrypt', { KeyId: hot(encrypting, at), Plaintext: PLAINTEXT }),
  },
  {
    name: 'Encrypt, any key',
    call: (client, { encrypting }, at) => client.call('Encrypt', { KeyId: cold(encrypting, at), Plaintext: PLAINTEXT }),
  },
  { name: 'ListKeys, the first page', call: (client) => client.call('ListKeys', { Limit: 100 }) },
  { name: 'ListKeys, page by page', call: listNextPage },
];

interface Measured {
  readonly keys: number;
  readonly startMs: number[];
  readonly residentMiB: number[];
  /** Medians of each round by row, microseconds. */
  readonly medians: Map<string, number[]>;
}

async function measureRound(region: ScaleRegion, measured: Measured, round: number): Promise<void> {
  const started = await startScaleRegion(region);
  measured.startMs.push(started.startMs);
  try {
    await measureRows(region, started, measured, round);
    measured.residentMiB.push(residentOctets(started.pid) / 2 ** 20);
  } finally {
    await started.stop();
  }
}

async function measureRows(
  region: ScaleRegion,
  started: StartedRegion,
  measured: Measured,
  round: number,
): Promise<void> {
  const [key] = region.config.credentials;
  if (key === undefined) throw new Error('the region has no credential');
  const client = new ScaleClient(started.url, region.config.region, key);
  for (let at = 0; at < 2 * CALLS; at += 1) await ROWS[at % ROWS.length]?.call(client, region, at % HOT_KEYS);
  for (const row of ROWS) {
    const times: number[] = [];
    for (let at = 0; at < CALLS; at += 1) {
      const began = performance.now();
      await row.call(client, region, round * CALLS + at);
      times.push((performance.now() - began) * 1000);
    }
    times.sort((a, b) => a - b);
    const medians = measured.medians.get(row.name) ?? [];
    medians.push(quantile(times, 0.5));
    measured.medians.set(row.name, medians);
  }
  client.close();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '100000' },
      token: { type: 'string', default: 'softhsm2' },
      rounds: { type: 'string', default: '5' },
      directory: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [many, rounds] = [Number(values.keys), Number(values.rounds)];
  if (values.help || !Number.isSafeInteger(many) || many < FEW_KEYS || !(rounds > 0) || !isTokenKind(values.token)) {
    process.stderr.write(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const directory = values.directory ?? mkdtempSync(join(tmpdir(), 'kf-scale-'));
  try {
    const regions: ScaleRegion[] = [];
    for (const keys of [FEW_KEYS, many]) {
      const report = (made: number): void => void process.stderr.write(`\r${made} of ${keys} keys are made `);
      regions.push(await makeScaleRegion(join(directory, `${keys}`), { keys, token: values.token, report }));
    }
    process.stderr.write('\n');
    const measured = regions.map(({ keyIds }): Measured => ({
      keys: keyIds.length,
      startMs: [],
      residentMiB: [],
      medians: new Map(),
    }));
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, region] of regions.entries()) {
        const into = measured[index];
        if (into !== undefined) await measureRound(region, into, round);
      }
      process.stderr.write(`\rround ${round + 1} of ${rounds} `);
    }
    process.stderr.write('\n');
    print(measured, values.json);
  } finally {
    if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
  }
}

function isTokenKind(text: string): text is SoftwareTokenKind {
  return text === 'softhsm2' || text === 'nss';
}

function print(measured: readonly Measured[], asJson: boolean): void {
  const [few, many] = measured;
  if (few === undefined || many === undefined) throw new Error('two regions are compared');
  const median = (values: readonly number[] | undefined): number => summarize(values ?? []).median;
  const rows = [
    { name: 'start until it answers', unit: 'ms', few: median(few.startMs), many: median(many.startMs) },
    {
      name: 'resident memory after the calls',
      unit: 'MiB',
      few: median(few.residentMiB),
      many: median(many.residentMiB),
    },
    ...ROWS.map(({ name }) => ({
      name,
      unit: 'µs',
      few: median(few.medians.get(name)),
      many: median(many.medians.get(name)),
    })),
  ];
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ keys: [few.keys, many.keys], rows }, null, 2)}\n`);
    return;
  }
  const table = textTable(
    [
      { heading: 'one connection, medians', align: 'left' },
      { heading: 'unit', align: 'left' },
      { heading: `${number(few.keys)} keys`, align: 'right' },
      { heading: `${number(many.keys)} keys`, align: 'right' },
      { heading: 'ratio', align: 'right' },
    ],
    rows.map((row) => [row.name, row.unit, number(row.few), number(row.many), number(row.many / row.few)]),
  );
  process.stdout.write(`${table}\n`);
}

await main();
