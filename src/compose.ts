import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteAliasStore } from './adapters/alias_store_sqlite.js';
import { AuditFile } from './adapters/audit_file.js';
import { LabClock } from './adapters/clock_lab.js';
import { Database } from './adapters/database.js';
import { SqliteGrantStore } from './adapters/grant_store_sqlite.js';
import { SqliteKeyStore } from './adapters/key_store_sqlite.js';
import { SqliteLastUsageStore } from './adapters/last_usage_store_sqlite.js';
import { SqliteMaterialStore } from './adapters/material_store_sqlite.js';
import { SqlitePrimaryChangeStore } from './adapters/primary_change_store_sqlite.js';
import { SqliteRotationStore } from './adapters/rotation_store_sqlite.js';
import { SqliteSynchronizationStore } from './adapters/synchronization_store_sqlite.js';
import { SqliteJournal } from './adapters/replication_store_sqlite.js';
import { TrailFile } from './adapters/trail_file.js';
import { HttpTransport } from './adapters/transport_http.js';
import type { KeyEventSource } from './audit/key_event.js';
import { AuditTrail } from './audit/audit_trail.js';
import { keepTokenObjectsTidy, keyStorageOf } from './compose_key_storage.js';
import { composeMonitoring } from './compose_monitoring.js';
import { composeCloudTrail, composeKeyEvents, composeMetrics } from './compose_observation.js';
import { openConfiguredToken, provisionToken, type ConfiguredToken } from './compose_token.js';
import { ConfigError } from './errors.js';
import { LatestDescription } from './hsm/latest_description.js';
import { RegionHsm } from './hsm/region_hsm.js';
import { importCapabilitiesOf } from './hsm/import_strategy.js';
import { RegionImportTokens } from './import/import_token.js';
import { EXPIRATION_METRIC, secondsUntilExpiration } from './kms/expiration_metric.js';
import { Deadlines } from './kms/deadlines.js';
import { LastUsages } from './kms/last_usage.js';
import { PrimaryChanges } from './kms/primary_change.js';
import type { KmsRegion } from './kms/region.js';
import { ReplicaImportWatch } from './kms/multi_region_sync.js';
import { explainStep } from './hsm/step_explanation.js';
import { StoredReplicatedKeys } from './kms/replicated_keys.js';
import type { RegionConfig, RunningRegion } from './lab/region_config.js';
import { LIMITS } from './limits.js';
import { formatListenAddress } from './listen.js';
import { ReplicationAgent } from './replication/agent.js';
import { requestEnrolment } from './replication/enrolment.js';
import { openRosterBook } from './replication/roster_book.js';
import { SessionStrategies } from './replication/session_strategy.js';
import { createChosenKey } from './surfaces/admin/chosen_key.js';
import { EventBuffer, type RegionAdmin } from './surfaces/admin/region_admin.js';
import { serveAdmin } from './surfaces/admin/server.js';
import { serveAws, type RequestOutcome } from './surfaces/aws/server.js';
import { serveMetrics } from './surfaces/metrics/server.js';
import { missingSuites } from './token/strategy_choice.js';
import { readTlsIdentity } from './tls_identity.js';
import { isReplicationSuite } from './wire/suite.js';
import type { ProvisionedRegion } from './surfaces/cli/programs.js';

/** More than a region makes, so that the numbers of a later process are larger. */
const EVENTS_PER_MS = 1_000;
/** Nobody in a laboratory waits a day for a message to be sent again. */
const LAB_RESEND_CAP_MS = 60_000;

/** Undoes what has been opened, the last first; goes on where one of them fails, and throws the first failure. */
class Closers {
  readonly #closers: (() => void | Promise<void>)[] = [];

  add(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.toReversed()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#closers.length = 0;
    if (failures.length > 0) throw failures[0];
  }
}

function profileFileOf(config: RegionConfig): string {
  return join(config.directory, 'profile.json');
}

/** The enrolment request of one RSK: its public half, what the token can carry, and proof of possession over the challenge. */
function enrolmentOf(
  config: RegionConfig,
  hsm: RegionHsm,
  opened: ConfiguredToken,
  key: Awaited<ReturnType<RegionHsm['signingKeys']>>[number],
  challenge: string,
): Promise<string> {
  return requestEnrolment(
    {
      partition: config.partition,
      region: config.region,
      jwk: key.jwk,
      challenge: Buffer.from(challenge, 'base64url'),
      suites: hsm.suites,
      dataSuites: hsm.dataSuites,
      fingerprint: hsm.fingerprint,
      missing: missingSuites(opened.profile),
    },
    (kid, octets) => hsm.sign(kid, octets),
  );
}

/**
 * Prepares a region's token and makes the enrolment request for its newest RSK. A second run makes no further key.
 *
 * @param challenge - the partition authority's, base64url of 32 octets
 */
export async function provisionRegion(config: RegionConfig, challenge: string): Promise<ProvisionedRegion> {
  const { report } = await provisionToken(config.token, profileFileOf(config), 'region');
  const opened = await openConfiguredToken(config.token, profileFileOf(config), 'region');
  try {
    const hsm = await RegionHsm.open({ runner: opened.token.executor, capabilities: opened.capabilities });
    const [newest] = await hsm.signingKeys();
    if (newest === undefined) throw new Error('a provisioned token has no RSK');
    const enrolment = await enrolmentOf(config, hsm, opened, newest, challenge);
    await hsm.close();
    return { enrolment, kid: newest.kid, made: report.made };
  } finally {
    await opened.close();
  }
}

/** The rosters that the operator has put beside the region, oldest first. */
function rostersIn(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/**
 * Starts one region: its token, database, replication agent, KMS endpoint and administration socket.
 *
 * @throws {@link ConfigError}, {@link TokenError}, {@link HsmError}: nothing is left open then
 */
export async function startRegion(config: RegionConfig): Promise<RunningRegion> {
  const closers = new Closers();
  try {
    return await openRegion(config, closers);
  } catch (error) {
    await closers.closeAll().catch(() => undefined);
    throw error;
  }
}

async function openRegion(config: RegionConfig, closers: Closers): Promise<RunningRegion> {
  const { region, partition, account } = config;
  const opened = await openConfiguredToken(config.token, profileFileOf(config), 'region');
  closers.add(() => opened.close({ patienceMs: LIMITS.tokenClosePatienceMs }));
  const database = Database.open(join(config.directory, 'region.db'));
  closers.add(() => database.close());
  const hsm = await RegionHsm.open({
    runner: opened.token.executor,
    capabilities: opened.capabilities,
    storage: keyStorageOf(config, database),
  });
  closers.add(() => hsm.close());

  const home = { partition, region, account };
  const store = new SqliteKeyStore(database, home);
  const materials = new SqliteMaterialStore(database, store);
  closers.add(await keepTokenObjectsTidy(hsm, logDeadline));
  const rotations = new SqliteRotationStore(database);
  const synchronizations = new SqliteSynchronizationStore(database);
  const journal = new SqliteJournal(database);
  const roster = openRosterBook({ journal, partition, authorityKid: config.authorityKid });
  const time = new LabClock(join(config.directory, 'clock.json'), { isLab: config.lab });
  const { clock } = time;
  const primaryChanges = new PrimaryChanges({ home, store, materials, clock }, new SqlitePrimaryChangeStore(database));
  const lastUsages = new LastUsages(
    { store: new SqliteLastUsageStore(database), keys: store, clock },
    { report: logDeadline },
  );
  lastUsages.start();
  closers.add(() => lastUsages.stop());

  const events = new EventBuffer(Date.now() * EVENTS_PER_MS);
  const audit = new AuditFile(join(config.directory, 'audit.jsonl'));
  closers.add(() => audit.close());
  const trailPath = join(config.directory, 'trail.jsonl');
  const trailFile = await TrailFile.open(trailPath);
  closers.add(() => trailFile.close());
  const trail = new AuditTrail({ home, clock, clockOffsetMs: () => clock.offsetMs, sink: trailFile });
  const keyEvents = await composeKeyEvents({
    home,
    directory: config.directory,
    trail,
    webhooks: config.eventWebhooks ?? [],
    report: logDeadline,
  });
  closers.add(() => keyEvents.close());
  const strategies = new SessionStrategies((step, suite) =>
    explainStep(opened.profile, step, suite !== null && isReplicationSuite(suite) ? suite : undefined),
  );
  const transport = new HttpTransport({ proxyUrl: config.proxyUrl, region });
  const agent = new ReplicationAgent({
    region,
    partition,
    account,
    hsm,
    journal,
    keys: new StoredReplicatedKeys({ home, store, materials, rotations, synchronizations, primaryChanges, clock }),
    handovers: primaryChanges,
    roster,
    transport,
    clock,
    profile: config.profile,
    ...(config.lab && { times: { resendCapMs: LAB_RESEND_CAP_MS } }),
    audit: {
      record: (recorded) => {
        const atMs = clock.nowMs();
        const strategy = recorded.strategy ?? strategies.strategyOf(recorded.code, recorded.sid);
        const event = { ...recorded, strategy };
        audit.append({ at: new Date(atMs).toISOString(), clockOffsetMs: clock.offsetMs, region, ...event });
        events.add({ kind: 'audit', atMs, clockOffsetMs: clock.offsetMs, ...event });
      },
    },
  });
  const metrics = composeMetrics({ home, clock, database, jobs: () => opened.token.executor.stats() });
  agent.observe((event) => {
    strategies.observe(event);
    events.add({ clockOffsetMs: clock.offsetMs, ...event });
    if (event.kind === 'session') metrics.observeSession(event);
  });
  agent.applyRosters(rostersIn(config.rosterFile));
  closers.add(() => agent.stop());
  // Closed before the agent stops: what it takes from the network, somebody must still handle.
  closers.add(() => transport.close());
  await agent.start();

  const imports = hsm.openImports(importCapabilitiesOf(opened.profile, config.hsm));
  // Nobody will want the pair that is being made.
  closers.add(() => void imports.close());
  // RSA pairs take a second to make: nobody who imports is to wait for one, and nobody else has any use for them.
  if (materials.hasExternalKeys()) imports.expectImports();
  const kms: KmsRegion = {
    home,
    store,
    materials,
    rotations,
    synchronizations,
    primaryChanges,
    aliases: new SqliteAliasStore(database, store),
    grants: new SqliteGrantStore(database, store),
    lastUsages,
    hsm,
    importHsm: imports,
    importTokens: new RegionImportTokens(imports, { partition, region }),
    replicator: agent,
    clock,
    events: keyEvents.events,
    deadlines: {
      changed: () => {
        deadlines.changed();
        materialsChanged();
      },
    },
  };
  let materialsChanged = (): void => undefined;
  const deadlines = new Deadlines(kms, { report: logDeadline, deleting: (keyId) => journal.forgetKey(keyId) });
  // What fell due while the region was down is done before anybody is answered.
  await deadlines.start();
  closers.add(() => deadlines.stop());
  const watch = new ReplicaImportWatch(kms, { report: logDeadline });
  watch.start();
  closers.add(() => watch.stop());
  const { monitoring, service: cloudWatch } = composeMonitoring({
    home,
    clock,
    database,
    materials,
    actionRules: config.alarms,
    report: logDeadline,
  });
  const cloudTrail = composeCloudTrail({ home, clock, trailFile: trailPath, report: logDeadline });
  materialsChanged = () => monitoring.changed();
  // Alarms are evaluated over the time that was passed over before what falls due in it is gone.
  time.onMoved(() => monitoring.moved());
  await monitoring.start();
  closers.add(() => monitoring.stop());
  time.onMoved(async () => {
    deadlines.changed();
    await deadlines.runDue();
    watch.ask();
  });

  const server = await serveAws(
    {
      region: kms,
      credentials: config.credentials,
      signatureTimeMs: () => clock.unshiftedMs(),
      trail: monitoring.counting(trail),
      services: [cloudWatch, cloudTrail],
      tls: config.tls && readTlsIdentity(config.tls),
      metrics: () => metrics.text(),
      observe: (outcome) => {
        metrics.observe(outcome);
        logFailure(outcome);
      },
    },
    config.listen,
  );
  closers.add(() => server.close());
  if (config.metrics !== undefined) {
    const scraped = await serveMetrics(() => metrics.text(), config.metrics);
    closers.add(() => scraped.close());
  }
  const admin = await serveAdmin(
    administrationOf({ config, hsm, opened, agent, events, keyEvents: keyEvents.source, kms, time }),
    join(config.directory, 'admin.sock'),
  );
  closers.add(() => admin.close());
  return { url: server.url, time, close: () => closers.closeAll() };
}

/** A failure that the caller was not told about goes to the log, by request id. */
function logFailure(outcome: RequestOutcome): void {
  if (outcome.cause === null || outcome.cause === undefined) return;
  const { requestId, operation, exception, cause } = outcome;
  const failure =
    cause instanceof Error
      ? { name: cause.name, message: cause.message, stack: cause.stack }
      : { message: String(cause) };
  process.stderr.write(
    `${JSON.stringify({ at: new Date().toISOString(), requestId, operation, exception, failure })}\n`,
  );
}

/** Work that was due and could not be done; it is tried again. */
function logDeadline(failure: unknown): void {
  const text = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), deadline: text })}\n`);
}

function administrationOf(parts: {
  readonly config: RegionConfig;
  readonly hsm: RegionHsm;
  readonly opened: ConfiguredToken;
  readonly agent: ReplicationAgent;
  readonly events: EventBuffer;
  readonly keyEvents: KeyEventSource;
  readonly kms: KmsRegion;
  readonly time: LabClock;
}): RegionAdmin {
  const { config, hsm, opened, agent, events, keyEvents, kms, time } = parts;
  const described = new LatestDescription(() => hsm.describe(), kms.clock);
  return {
    status: async () => ({
      region: config.region,
      partition: config.partition,
      account: config.account,
      listen: formatListenAddress(config.listen),
      profile: config.profile,
      outsideToken: config.hsm.outsideToken,
      time: time.read(),
      hsm: await described.get(),
      replication: agent.status(),
    }),
    events,
    keyEvents,
    takeRosters: async (rosters) => {
      const { refusal } = agent.applyRosters(rosters);
      const epoch = agent.status().epoch;
      if (refusal !== null) {
        throw new ConfigError('ERR_CONFIG_STATE', `the roster is refused: ${refusal.code}: ${refusal.detail}`, {
          details: { code: refusal.code, ...(epoch === null ? {} : { epoch }) },
        });
      }
      return { epoch: epoch ?? '0' };
    },
    makeSigningKey: async (challenge) => {
      const key = await hsm.generateSigningKey();
      return { kid: key.kid, enrolment: await enrolmentOf(config, hsm, opened, key, challenge) };
    },
    destroySigningKey: (kid) => hsm.destroySigningKey(kid),
    createKey: (chosen) => createChosenKey(kms, chosen, config.lab),
    metrics: () => ({ [EXPIRATION_METRIC]: secondsUntilExpiration(kms) }),
    time,
  };
}
