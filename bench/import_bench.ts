import { randomBytes, randomUUID } from 'node:crypto';
import { IMPORT_KEY_SPECS, importKeyFingerprint, type ImportKeySpec } from '../src/hsm/import_key.js';
import type { StoredImportKey } from '../src/hsm/import_key.js';
import type { RegionImports } from '../src/hsm/import_region.js';
import { importCapabilitiesOf, type ImportWrappingAlgorithm } from '../src/hsm/import_strategy.js';
import { RegionImportTokens } from '../src/import/import_token.js';
import type { Executor } from '../src/token/executor.js';
import { wrapForImport } from '../test/support/import_wrapping.js';
import { makeRegionToken, type RegionToken } from '../test/support/region_token.js';
import type { SoftwareTokenKind } from '../test/support/token_directory.js';
import { loadFor, type LoadResult } from './load.js';
import { summarize, type Summary } from './statistics.js';

/** How long to measure. */
export interface ImportEffort {
  /** Times that every step runs, one after another. */
  readonly rounds: number;
  /** Downloads of one round that find no pair ready; RSA generation makes each take up to seconds. */
  readonly downloads: number;
  /** Length of a round's imports. */
  readonly seconds: number;
}

/** Downloads, one at a time, of one state of the pool. */
export interface DownloadMeasurement {
  readonly perSecond: Summary;
  /** Share of the wall time in the jobs that generate RSA pairs, of all rounds together. */
  readonly generationShare: number;
}

/** One size of wrapping keys on one token. */
export interface ImportMeasurement {
  readonly token: SoftwareTokenKind;
  readonly keySpec: ImportKeySpec;
  /** GetParametersForImport with a pair that was made ahead, and with one that is made then. */
  readonly ready: DownloadMeasurement;
  readonly empty: DownloadMeasurement;
  /** Milliseconds of one job that generates a pair, the mean: they differ by their luck with primes. */
  readonly generationMs: number;
  /** ImportKeyMaterial of an AES-256 key by {@link IMPORT_ALGORITHM}, imports in flight as in {@link IMPORTS_IN_FLIGHT}. */
  readonly importsPerSecond: Summary;
  readonly importTokenMs: number;
  readonly importMainMs: number;
  readonly importP50Ms: number;
  /** Whether the token leaves the padding to the addon. */
  readonly outsideToken: boolean;
}

/** The one algorithm that both tokens can do by themselves. */
export const IMPORT_ALGORITHM: ImportWrappingAlgorithm = 'RSAES_OAEP_SHA_1';
export const IMPORTS_IN_FLIGHT = 8;
/** Name of the job that generates a pair. */
const GENERATION = 'generate import key';
/** Pairs that a pool holds of a size that was asked for. */
const POOL_PAIRS = 4;
const WAIT_MS = 10;
const DAY_MS = 86_400_000;

/** A download or an upload as the key manager does them, without its database. */
class Customer {
  readonly #imports: RegionImports;
  readonly #tokens: RegionImportTokens;
  readonly keyId = randomUUID();

  constructor(imports: RegionImports) {
    this.#imports = imports;
    this.#tokens = new RegionImportTokens(imports, { partition: 'aws', region: 'us-east-1' });
  }

  /** GetParametersForImport: a pair that nobody had, and a token that names it. */
  async download(keySpec: ImportKeySpec): Promise<{ readonly key: StoredImportKey; readonly token: Uint8Array }> {
    const key = await this.#imports.generateImportKey(keySpec);
    const issuedMs = Math.floor(Date.now() / 1000) * 1000;
    const token = await this.#tokens.issue({
      keyId: this.keyId,
      importKeyId: key.id,
      publicKeyHash: Buffer.from(importKeyFingerprint(key)).toString('hex'),
      wrappingKeySpec: keySpec,
      algorithm: IMPORT_ALGORITHM,
      issuedMs,
      expiresMs: issuedMs + DAY_MS,
    });
    return { key, token };
  }

  /** ImportKeyMaterial: opens the token, unwraps, checks and stores. */
  async upload(key: StoredImportKey, token: Uint8Array, encrypted: Uint8Array): Promise<{ outsideToken: boolean }> {
    const claims = await this.#tokens.open(token);
    if (claims instanceof Error) throw claims;
    return this.#imports.importMaterial({
      importKey: key,
      algorithm: claims.algorithm,
      encrypted,
      binding: {
        keyId: this.keyId,
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        multiRegion: false,
        dataSuite: 'CBCDATA-GCM',
      },
    });
  }
}

/** Measures downloads and imports of every size of wrapping keys, in process, through the region's HSM. */
export async function measureImports(
  token: SoftwareTokenKind,
  effort: ImportEffort,
  progress: (text: string) => void,
): Promise<readonly ImportMeasurement[]> {
  progress(`${token}: making and probing a token`);
  const region = await makeRegionToken(token);
  try {
    const measurements: ImportMeasurement[] = [];
    for (const keySpec of IMPORT_KEY_SPECS) measurements.push(await measureSize(region, keySpec, effort, progress));
    return measurements;
  } finally {
    await region.close();
  }
}

async function measureSize(
  region: RegionToken,
  keySpec: ImportKeySpec,
  { rounds, downloads, seconds }: ImportEffort,
  progress: (text: string) => void,
): Promise<ImportMeasurement> {
  const kind = region.token.kind;
  const imports = region.hsm.openImports(importCapabilitiesOf(region.profile, { outsideToken: 'allow' }));
  const customer = new Customer(imports);
  const { executor } = region;
  const { key, token } = await customer.download(keySpec);
  const encrypted = wrapForImport(IMPORT_ALGORITHM, key.publicKey, randomBytes(32));
  const { outsideToken } = await customer.upload(key, token, encrypted);
  const ready: Downloads[] = [];
  const empty: Downloads[] = [];
  const uploads: LoadResult[] = [];
  for (let round = 0; round < rounds; round += 1) {
    progress(`${kind}: ${keySpec}, round ${round + 1} of ${rounds}`);
    empty.push(await download(customer, executor, keySpec, downloads));
    await fill(imports, keySpec);
    ready.push(await download(customer, executor, keySpec, POOL_PAIRS));
    const upload = (): Promise<unknown> => customer.upload(key, token, encrypted);
    uploads.push(await loadFor(upload, { inFlight: IMPORTS_IN_FLIGHT, seconds, executor }));
  }
  const medianMs = (pick: (run: LoadResult) => number): number => summarize(uploads.map(pick)).median / 1000;
  return {
    token: kind,
    keySpec,
    ready: downloadsOf(ready),
    empty: downloadsOf(empty),
    generationMs: sum(empty.map((each) => each.generationMs)) / sum(empty.map(({ count }) => count)),
    importsPerSecond: summarize(uploads.map(({ perSecond }) => perSecond)),
    importTokenMs: medianMs((run) => run.tokenCpuMicrosecondsPerOperation),
    importMainMs: medianMs((run) => run.mainCpuMicrosecondsPerOperation),
    importP50Ms: medianMs((run) => run.latencyMicroseconds.p50),
    outsideToken,
  };
}

/** Waits until the pool is full of one size, and stops it: whoever takes pairs then has the token for himself. */
async function fill(imports: RegionImports, keySpec: ImportKeySpec): Promise<void> {
  imports.expectImports();
  await imports.generateImportKey(keySpec);
  while (imports.readyCount(keySpec) < POOL_PAIRS) await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  await imports.close();
}

interface Downloads {
  readonly count: number;
  readonly elapsedMs: number;
  readonly generationMs: number;
}

async function download(
  customer: Customer,
  executor: Executor,
  keySpec: ImportKeySpec,
  count: number,
): Promise<Downloads> {
  const before = generationMsOf(executor);
  const startMs = performance.now();
  for (let done = 0; done < count; done += 1) await customer.download(keySpec);
  return { count, elapsedMs: performance.now() - startMs, generationMs: generationMsOf(executor) - before };
}

function generationMsOf(executor: Executor): number {
  return (executor.stats().byName.get(GENERATION)?.tokenMicroseconds ?? 0) / 1000;
}

function downloadsOf(rounds: readonly Downloads[]): DownloadMeasurement {
  return {
    perSecond: summarize(rounds.map(({ count, elapsedMs }) => (count / elapsedMs) * 1000)),
    generationShare: sum(rounds.map((each) => each.generationMs)) / sum(rounds.map(({ elapsedMs }) => elapsedMs)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
