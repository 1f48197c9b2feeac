import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuditFile } from './adapters/audit_file.js';
import { SystemClock } from './adapters/clock_system.js';
import { Database } from './adapters/database.js';
import { SqliteKeyStore } from './adapters/key_store_sqlite.js';
import { SqliteJournal } from './adapters/replication_store_sqlite.js';
import { HttpTransport } from './adapters/transport_http.js';
import { openConfiguredToken, provisionToken, type ConfiguredToken } from './compose_token.js';
import { ConfigError } from './errors.js';
import { RegionHsm } from './hsm/region_hsm.js';
import { explainStep } from './hsm/step_explanation.js';
import { StoredReplicatedKeys } from './kms/replicated_keys.js';
import type { RegionConfig, RunningRegion } from './lab/region_config.js';
import { formatListenAddress } from './listen.js';
import { ReplicationAgent } from './replication/agent.js';
import { requestEnrolment } from './replication/enrolment.js';
import { openRosterBook } from './replication/roster_book.js';
import { SessionStrategies } from './replication/session_strategy.js';
import { EventBuffer, type RegionAdmin } from './surfaces/admin/region_admin.js';
import { serveAdmin } from './surfaces/admin/server.js';
import { serveAws, type RequestOutcome } from './surfaces/aws/server.js';
import { missingSuites } from './token/strategy_choice.js';
import { isReplicationSuite } from './wire/suite.js';
import type { ProvisionedRegion } from './surfaces/cli/programs.js';

const PRIVATE_FILE = 0o600;
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

/** The offset that a lab's clock had reached, kept beside the region's database. */
class LabClock {
  readonly clock: SystemClock;
  readonly #file: string;
  readonly #isLab: boolean;

  constructor(config: RegionConfig) {
    this.#file = join(config.directory, 'clock.json');
    this.#isLab = config.lab;
    const stored = config.lab && existsSync(this.#file) ? Number(readFileSync(this.#file, 'utf8')) : 0;
    this.clock = new SystemClock(stored);
  }

  advance(milliseconds: number): number {
    if (!this.#isLab) throw new ConfigError('ERR_CONFIG_STATE', 'the clock can be moved in a lab only');
    this.clock.advance(milliseconds);
    writeFileSync(`${this.#file}.new`, String(this.clock.offsetMs), { mode: PRIVATE_FILE });
    renameSync(`${this.#file}.new`, this.#file);
    return this.clock.offsetMs;
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
  closers.add(() => opened.close());
  const hsm = await RegionHsm.open({ runner: opened.token.executor, capabilities: opened.capabilities });
  closers.add(() => hsm.close());

  const database = Database.open(join(config.directory, 'region.db'));
  closers.add(() => database.close());
  const home = { partition, region, account };
  const store = new SqliteKeyStore(database, home);
  const journal = new SqliteJournal(database);
  const roster = openRosterBook({ journal, partition, authorityKid: config.authorityKid });
  const time = new LabClock(config);
  const { clock } = time;

  const events = new EventBuffer(Date.now() * EVENTS_PER_MS);
  const audit = new AuditFile(join(config.directory, 'audit.jsonl'));
  closers.add(() => audit.close());
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
    keys: new StoredReplicatedKeys({ home, store, clock }),
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
        events.add({ kind: 'audit', atMs, ...event });
      },
    },
  });
  agent.observe((event) => {
    strategies.observe(event);
    events.add(event);
  });
  agent.applyRosters(rostersIn(config.rosterFile));
  closers.add(() => agent.stop());
  // Closed before the agent stops: what it takes from the network, somebody must still handle.
  closers.add(() => transport.close());
  await agent.start();

  const server = await serveAws(
    {
      region: { home, store, hsm, replicator: agent, clock },
      credentials: config.credentials,
      signatureTimeMs: () => clock.unshiftedMs(),
      observe: logFailure,
    },
    config.listen,
  );
  closers.add(() => server.close());
  const admin = await serveAdmin(
    administrationOf({ config, hsm, opened, agent, events, time }),
    join(config.directory, 'admin.sock'),
  );
  closers.add(() => admin.close());
  return { url: server.url, close: () => closers.closeAll() };
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

function administrationOf(parts: {
  readonly config: RegionConfig;
  readonly hsm: RegionHsm;
  readonly opened: ConfiguredToken;
  readonly agent: ReplicationAgent;
  readonly events: EventBuffer;
  readonly time: LabClock;
}): RegionAdmin {
  const { config, hsm, opened, agent, events, time } = parts;
  return {
    status: async () => ({
      region: config.region,
      partition: config.partition,
      account: config.account,
      listen: formatListenAddress(config.listen),
      profile: config.profile,
      outsideToken: config.hsm.outsideToken,
      time: { now: new Date(time.clock.nowMs()).toISOString(), offsetMs: time.clock.offsetMs },
      hsm: await hsm.describe(),
      replication: agent.status(),
    }),
    events,
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
    advanceClock: async (milliseconds) => ({ offsetMs: time.advance(milliseconds) }),
  };
}
