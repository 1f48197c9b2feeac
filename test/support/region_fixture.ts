import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMSClient } from '@aws-sdk/client-kms';
import { SqliteAliasStore } from '../../src/adapters/alias_store_sqlite.js';
import { SystemClock } from '../../src/adapters/clock_system.js';
import { Database } from '../../src/adapters/database.js';
import { SqliteGrantStore } from '../../src/adapters/grant_store_sqlite.js';
import { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { SqliteLastUsageStore } from '../../src/adapters/last_usage_store_sqlite.js';
import { SqliteMaterialStore } from '../../src/adapters/material_store_sqlite.js';
import { SqlitePrimaryChangeStore } from '../../src/adapters/primary_change_store_sqlite.js';
import { SqliteJournal } from '../../src/adapters/replication_store_sqlite.js';
import { SqliteRotationStore } from '../../src/adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from '../../src/adapters/synchronization_store_sqlite.js';
import { TrailFile } from '../../src/adapters/trail_file.js';
import type { KeyEventSource } from '../../src/audit/key_event.js';
import { AuditTrail } from '../../src/audit/audit_trail.js';
import type { TrailEvent } from '../../src/audit/trail_event.js';
import { composeMonitoring } from '../../src/compose_monitoring.js';
import { composeCloudTrail, composeKeyEvents, composeMetrics } from '../../src/compose_observation.js';
import { importCapabilitiesOf } from '../../src/hsm/import_strategy.js';
import { RegionImportTokens } from '../../src/import/import_token.js';
import { Deadlines } from '../../src/kms/deadlines.js';
import type { KeyHome, KeyId } from '../../src/kms/key_id.js';
import type { KeyHsm, Replicator } from '../../src/kms/ports.js';
import { LastUsages } from '../../src/kms/last_usage.js';
import { PrimaryChanges } from '../../src/kms/primary_change.js';
import type { KmsRegion } from '../../src/kms/region.js';
import type { ActionRules } from '../../src/monitoring/action_target.js';
import type { Monitoring } from '../../src/monitoring/monitoring.js';
import type { Credential } from '../../src/surfaces/aws/sigv4.js';
import { serveAws, type AwsServer, type RequestOutcome } from '../../src/surfaces/aws/server.js';
import { NO_IMPORT } from './no_import.js';
import { makeRegionToken, type RegionToken } from './region_token.js';
import { SoftwareImportHsm, SoftwareImportTokens } from './software_import_hsm.js';
import { SoftwareKeyHsm } from './software_key_hsm.js';
import { ACCOUNT, RecordingReplicator, ROOT } from './software_region.js';
import type { SoftwareTokenKind } from './token_directory.js';

/** What a region of a test keeps its keys in. */
export type FixtureToken = 'double' | SoftwareTokenKind;

/** One region in this process: a token, a database in a directory of its own, and its AWS endpoint. */
export interface RegionFixture {
  readonly name: string;
  readonly region: KmsRegion;
  readonly directory: string;
  readonly database: Database;
  readonly server: AwsServer;
  readonly url: string;
  readonly outcomes: RequestOutcome[];
  readonly monitoring: Monitoring;
  /** What monitoring has reported, given-up notifications among it. */
  readonly monitoringFailures: readonly unknown[];
  readonly keyEvents: KeyEventSource;
  /** What the audit trail holds so far, the oldest first. */
  events(): Promise<readonly TrailEvent[]>;
  /** An unmodified SDK client; retries are off. */
  client(overrides?: {
    readonly region?: string;
    readonly accessKeyId?: string;
    readonly secretAccessKey?: string;
  }): KMSClient;
  /** Moves the region's clock, and waits for what falls due. */
  advance(byMs: number): Promise<void>;
  close(): Promise<void>;
}

/** The credential of every region fixture; its principal is the account's root. */
export const FIXTURE_CREDENTIAL = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret/+example' } as const;

/** An HSM that a fixture is built on, and what it takes to end it. */
export interface FixtureHsm {
  readonly hsm: KeyHsm;
  readonly imports: FixtureImports;
  close(): Promise<void>;
}

/** What a fixture takes imported material in by. */
export type FixtureImports = (home: KeyHome) => Pick<KmsRegion, 'importHsm' | 'importTokens'>;

/** Imports of a real token; octets may be outside it where the token cannot unwrap by itself. */
export function importsOf(token: Pick<RegionToken, 'hsm' | 'profile'>): FixtureImports {
  return ({ partition, region }) => {
    const imports = token.hsm.openImports(importCapabilitiesOf(token.profile, { outsideToken: 'allow' }));
    return { importHsm: imports, importTokens: new RegionImportTokens(imports, { partition, region }) };
  };
}

/** Makes a region's HSM on a scratch token, or the double. */
export async function makeFixtureHsm(kind: FixtureToken): Promise<FixtureHsm> {
  if (kind === 'double') {
    const hsm = new SoftwareKeyHsm();
    const imports = { importHsm: new SoftwareImportHsm(hsm), importTokens: new SoftwareImportTokens() };
    return { hsm, imports: () => imports, close: async () => undefined };
  }
  const token = await makeRegionToken(kind);
  return { hsm: token.hsm, imports: importsOf(token), close: () => token.close() };
}

/** What replication in a fixture is built over. */
export interface ReplicatorParts {
  readonly home: KeyHome;
  readonly database: Database;
  readonly store: SqliteKeyStore;
  readonly clock: SystemClock;
  readonly primaryChanges: PrimaryChanges;
}

/**
 * Builds a region and serves it.
 *
 * @param options.replicator - makes replication, where the test is about it; else requests to replicate are only recorded
 */
export async function makeRegionFixture(options: {
  readonly hsm: KeyHsm;
  readonly imports?: FixtureImports;
  readonly name?: string;
  /** Besides the root's. */
  readonly credentials?: readonly Credential[];
  readonly replicator?: (parts: ReplicatorParts) => Replicator;
  /** Told of keys that go, inside the transaction in which they go. */
  readonly deleting?: (keyId: KeyId) => void;
  /** Where alarms may post to besides the loopback addresses. */
  readonly actionRules?: ActionRules;
  /** Where the events of keys are posted to. */
  readonly eventWebhooks?: readonly string[];
  /** Takes the outcomes instead of `outcomes`. */
  readonly observe?: (outcome: RequestOutcome) => void;
}): Promise<RegionFixture> {
  const name = options.name ?? 'us-east-1';
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-region-'));
  const home: KeyHome = { partition: 'aws', region: name, account: ACCOUNT };
  const database = Database.open(join(directory, 'region.db'));
  const clock = new SystemClock();
  const store = new SqliteKeyStore(database, home);
  const materials = new SqliteMaterialStore(database, store);
  const primaryChanges = new PrimaryChanges({ home, store, materials, clock }, new SqlitePrimaryChangeStore(database));
  const replicator =
    options.replicator?.({ home, database, store, clock, primaryChanges }) ?? recordingReplicator(options.hsm);
  const trailFile = await TrailFile.open(join(directory, 'trail.jsonl'));
  const trail = new AuditTrail({ home, clock, clockOffsetMs: () => clock.offsetMs, sink: trailFile });
  const failures: unknown[] = [];
  const keyEvents = await composeKeyEvents({
    home,
    directory,
    trail,
    webhooks: options.eventWebhooks ?? [],
    report: (failure) => failures.push(failure),
  });
  const monitoringFailures: unknown[] = [];
  const imports = options.imports?.(home) ?? NO_IMPORT;
  // Pairs are made when somebody asks: what a test counts in the token is its own.
  Object.assign(imports.importHsm, { expectImports: () => undefined });
  const region: KmsRegion = {
    home,
    store,
    materials,
    primaryChanges,
    rotations: new SqliteRotationStore(database),
    synchronizations: new SqliteSynchronizationStore(database),
    aliases: new SqliteAliasStore(database, store),
    grants: new SqliteGrantStore(database, store),
    lastUsages: new LastUsages(
      { store: new SqliteLastUsageStore(database), keys: store, clock },
      { report: (failure) => failures.push(failure) },
    ),
    hsm: options.hsm,
    ...imports,
    replicator,
    clock,
    events: keyEvents.events,
    deadlines: {
      changed: () => {
        deadlines.changed();
        monitoring.changed();
      },
    },
  };
  const { monitoring, service } = composeMonitoring({
    home,
    clock,
    database,
    materials: region.materials,
    ...(options.actionRules !== undefined && { actionRules: options.actionRules }),
    report: (failure) => monitoringFailures.push(failure),
  });
  const cloudTrail = composeCloudTrail({
    home,
    clock,
    trailFile: join(directory, 'trail.jsonl'),
    report: (failure) => failures.push(failure),
  });
  const deadlines = new Deadlines(region, {
    report: (failure) => failures.push(failure),
    ...(options.deleting !== undefined && { deleting: options.deleting }),
  });
  await deadlines.start();
  await monitoring.start();
  const outcomes: RequestOutcome[] = [];
  const observe = options.observe ?? ((outcome: RequestOutcome) => outcomes.push(outcome));
  // Its tables are counted, whatever replicates here.
  void new SqliteJournal(database);
  const metrics = composeMetrics({ home, clock, database });
  const server = await serveAws(
    {
      region,
      credentials: [{ ...FIXTURE_CREDENTIAL, principal: ROOT }, ...(options.credentials ?? [])],
      signatureTimeMs: () => clock.unshiftedMs(),
      trail: monitoring.counting(trail),
      services: [service, cloudTrail],
      metrics: () => metrics.text(),
      observe: (outcome) => {
        metrics.observe(outcome);
        observe(outcome);
      },
    },
    { host: '127.0.0.1', port: 0 },
  );
  const clients: KMSClient[] = [];
  return {
    name,
    region,
    directory,
    database,
    server,
    url: server.url,
    outcomes,
    monitoring,
    monitoringFailures,
    keyEvents: keyEvents.source,
    events: async () => {
      const lines = (await readFile(join(directory, 'trail.jsonl'), 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line): TrailEvent => JSON.parse(line));
    },
    client: (overrides = {}) => {
      const client = new KMSClient({
        region: overrides.region ?? name,
        endpoint: server.url,
        credentials: {
          ...FIXTURE_CREDENTIAL,
          ...(overrides.accessKeyId !== undefined && { accessKeyId: overrides.accessKeyId }),
          ...(overrides.secretAccessKey !== undefined && { secretAccessKey: overrides.secretAccessKey }),
        },
        maxAttempts: 1,
      });
      clients.push(client);
      return client;
    },
    advance: async (byMs) => {
      clock.advance(byMs);
      await monitoring.moved();
      await deadlines.runDue();
      if (failures.length > 0) throw failures[0];
    },
    close: async () => {
      await monitoring.stop();
      await deadlines.stop();
      for (const client of clients) client.destroy();
      await server.close();
      await region.lastUsages.stop();
      await keyEvents.close();
      await trailFile.close();
      database.close();
      await rm(directory, { recursive: true });
    },
  };
}

function recordingReplicator(hsm: KeyHsm): RecordingReplicator {
  const replicator = new RecordingReplicator(['us-east-1', 'eu-west-1']);
  replicator.suite = hsm.dataSuites[0];
  return replicator;
}
