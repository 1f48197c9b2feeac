import { SqliteJournal } from '../../src/adapters/replication_store_sqlite.js';
import type { KeyId } from '../../src/kms/key_id.js';
import type { KeyRecord } from '../../src/kms/key_record.js';
import { rotationInProgress } from '../../src/kms/material_version.js';
import { ReplicaImportWatch } from '../../src/kms/multi_region_sync.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { decrypt } from '../../src/kms/operations/decrypt.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import { replicateKey } from '../../src/kms/operations/replicate_key.js';
import { decodeContext, encodeContext } from '../../src/replication/context_codec.js';
import type { ExportableKey } from '../../src/replication/ports.js';
import { isReject } from '../../src/wire/refusal.js';
import { makeSoftwareRegion, type SoftwareRegion } from './software_region.js';

export const PRIMARY = 'us-east-1';
export const REPLICAS = ['eu-west-1', 'ap-south-1'] as const;

/** A region of the world: the key manager over a real database, a token double, and the journal of its replication. */
export interface WorldRegion {
  readonly name: string;
  readonly software: SoftwareRegion;
  readonly journal: SqliteJournal;
  /** How a session ended here, by key and generation; durable with the transaction that ended it. */
  readonly outcomes: {
    put(keyId: string, generation: bigint, outcome: Outcome): void;
    of(keyId: string, generation: bigint): string | undefined;
  };
}

/** A replication that is under way: what M0 said. What comes of it is in the destination's database. */
interface Session {
  readonly generation: bigint;
  readonly key: ExportableKey;
  readonly context: Uint8Array;
}

type Outcome = 'installed' | 'aborted' | 'deleted';

/**
 * Three regions and one multi-Region key. Replication is a courier that keeps the rules of the protocol's journal (generations,
 * one session a destination, the destination's commit decides) and does no cryptography: its steps are taken one by one.
 */
export class RotationWorld {
  readonly regions: readonly WorldRegion[];
  readonly primary: WorldRegion;
  keyId!: KeyId;
  readonly #sessions = new Map<string, Session>();
  /** Every material that was ever current anywhere. */
  readonly #used = new Set<string>();

  constructor() {
    const regions = [PRIMARY, ...REPLICAS];
    this.regions = regions.map((name) => {
      const software = makeSoftwareRegion({ name, regions });
      return { name, software, journal: new SqliteJournal(software.database), outcomes: outcomesIn(software.database) };
    });
    const [primary] = this.regions;
    if (primary === undefined) throw new Error('there is no primary region');
    this.primary = primary;
    primary.software.replicator.begin = ({ keyId, destination }) => this.#want(keyId, destination);
  }

  /** A new key without replicas; what was before is gone. */
  async begin(): Promise<void> {
    for (const { software } of this.regions) if (this.keyId !== undefined) software.region.store.deleteKey(this.keyId);
    this.#sessions.clear();
    this.#used.clear();
    this.keyId = (await createKey(this.primary.software.call, { MultiRegion: true })).KeyMetadata.KeyId as KeyId;
  }

  region(name: string): WorldRegion {
    const region = this.regions.find((candidate) => candidate.name === name);
    if (region === undefined) throw new Error(`no region ${name}`);
    return region;
  }

  record(name: string): KeyRecord | undefined {
    return this.region(name).software.region.store.key(this.keyId);
  }

  replicate(destination: string): Promise<unknown> {
    return replicateKey(this.primary.software.call, { KeyId: this.keyId, ReplicaRegion: destination });
  }

  #want(keyId: string, destination: string): void {
    const { journal } = this.primary;
    const task = journal.task(keyId, destination);
    const { generation = 0n, intent = null } = task ?? {};
    journal.putTask({ keyId, destination, generation, wanted: true, intent, attempts: 0, failure: null });
  }

  #open(destination: string): Session | undefined {
    const session = this.#sessions.get(destination);
    const intent = this.primary.journal.task(this.keyId, destination)?.intent;
    return session !== undefined && intent === String(session.generation) ? session : undefined;
  }

  /** M0: what is so at this moment is announced. */
  start(destination: string): void {
    const { software, journal } = this.primary;
    software.region.store.transaction(() => {
      const task = journal.task(this.keyId, destination);
      if (task === undefined || !task.wanted || task.intent !== null) return;
      const key = software.replicatedKeys.exportable(this.keyId, destination);
      if (key === undefined) {
        journal.putTask({ ...task, wanted: false, failure: 'nothing to send' });
        return;
      }
      const generation = task.generation + 1n;
      this.#sessions.set(destination, { generation, key, context: encodeContext(key.context) });
      journal.putTask({ ...task, wanted: false, generation, intent: String(generation) });
    });
  }

  /** M2 and the commit of the destination; again it changes nothing. */
  deliver(destination: string): void {
    const session = this.#open(destination);
    if (session === undefined) return;
    const { software, journal, outcomes } = this.region(destination);
    const { replicatedKeys } = software;
    software.region.store.transaction(() => {
      if (journal.highWater(this.keyId, PRIMARY) >= session.generation) return;
      const standing = replicatedKeys.standing(this.keyId, PRIMARY);
      if (standing.state === 'conflict') throw new Error(`${destination} refuses the key: CONFLICT`);
      if (standing.wasDeleted === true && !session.key.isNewReplica) {
        journal.raiseHighWater(this.keyId, PRIMARY, session.generation);
        outcomes.put(this.keyId, session.generation, 'deleted');
        return;
      }
      const context = decodeContext(session.context);
      if (isReject(context)) throw new Error(`the metadata is refused: ${context.field} ${context.detail}`);
      const announced = context.materials.map(({ materialId }) => materialId);
      if (standing.materialIds.some((id, index) => id !== announced[index])) {
        throw new Error(`${destination} refuses materials that are no continuation of its own: GEN`);
      }
      journal.raiseHighWater(this.keyId, PRIMARY, session.generation);
      replicatedKeys.install({
        source: PRIMARY,
        generation: session.generation,
        birthCertificate: session.key.birthCertificate,
        context,
        materials: session.key.materials.map((material) => software.hsm.adopt(material, this.primary.software.hsm)),
      });
      outcomes.put(this.keyId, session.generation, 'installed');
    });
  }

  /** The destination ends a session that it has not installed, as after its crash. */
  abort(destination: string): void {
    const session = this.#open(destination);
    const { software, journal, outcomes } = this.region(destination);
    if (session === undefined) return;
    software.region.store.transaction(() => {
      if (journal.highWater(this.keyId, PRIMARY) >= session.generation) return;
      journal.raiseHighWater(this.keyId, PRIMARY, session.generation);
      outcomes.put(this.keyId, session.generation, 'aborted');
    });
  }

  /** M3, or MX, at the source. */
  answer(destination: string): void {
    const session = this.#open(destination);
    const { software, journal } = this.primary;
    const outcome = session && this.region(destination).outcomes.of(this.keyId, session.generation);
    if (session === undefined || outcome === undefined) return;
    software.region.store.transaction(() => {
      const task = journal.task(this.keyId, destination);
      if (task === undefined) return;
      journal.putTask({ ...task, intent: null, wanted: task.wanted || outcome === 'aborted' });
      const { replicatedKeys } = software;
      const materialIds = session.key.context.materials.map(({ materialId }) => materialId);
      const sent = { materialIds, context: session.context };
      const told =
        outcome === 'installed'
          ? replicatedKeys.confirmed(this.keyId, destination, session.generation, sent)
          : outcome === 'deleted'
            ? replicatedKeys.replicaDeleted(this.keyId, destination)
            : [];
      for (const region of told) this.#want(this.keyId, region);
    });
  }

  /** A whole replication, if one is wanted or under way. */
  carry(destination: string): void {
    this.start(destination);
    this.deliver(destination);
    this.answer(destination);
  }

  /** Time passes everywhere. What is due of rotations is due at the primary. */
  async pass(ms: number): Promise<void> {
    for (const { software } of this.regions) software.clock.ms += ms;
    await this.primary.software.deadlines.runDue();
  }

  /** Regions that hold the key and have material of it. */
  holders(): readonly KeyRecord[] {
    return this.regions.flatMap(({ name }) => this.record(name) ?? []).filter(({ state }) => state !== 'Creating');
  }

  /**
   * The invariants that hold at every moment: whatever anybody encrypts with, or ever did, everybody decrypts; and there is one
   * rotation in progress at most.
   *
   * @returns whether a rotation is in progress
   * @throws Error that says what is broken
   */
  check(): boolean {
    const holders = this.holders();
    for (const { currentMaterial } of holders) this.#used.add(currentMaterial?.binding.materialId ?? 'none');
    for (const materialId of this.#used) {
      for (const { arn } of holders) {
        const { store } = this.region(arn.split(':')[3] ?? '').software.region;
        const found = store.keyOfMaterial(materialId);
        if (found?.material == null)
          throw new Error(`${arn} lacks ${materialId.slice(0, 8)}, which was encrypted with`);
      }
    }
    const versions = this.primary.software.region.materials.versions(this.keyId);
    const waiting = versions.filter((version) => rotationInProgress([version]) !== undefined);
    if (waiting.length > 1) throw new Error('two rotations are in progress');
    return waiting.length > 0;
  }

  /** Nothing fails any more: everything that was begun comes to its end. */
  async heal(): Promise<void> {
    const watch = new ReplicaImportWatch(this.primary.software.region, {
      report: (failure) => {
        throw failure;
      },
    });
    for (let round = 0; round < 40; round += 1) {
      watch.ask();
      for (const destination of REPLICAS) {
        this.carry(destination);
        this.check();
      }
      await this.pass(0);
      const isRotating = this.check();
      const tasks = this.primary.journal.openTasks().filter(({ keyId }) => keyId === this.keyId);
      if (tasks.length === 0 && !isRotating) return this.#checkEnd();
    }
    throw new Error('what was begun never came to its end');
  }

  /** Every region has come to the same: versions, setting and current material; and each opens what the others sealed. */
  async #checkEnd(): Promise<void> {
    const views = this.holders().map(({ arn }) => {
      const { materials, rotations } = this.region(arn.split(':')[3] ?? '').software.region;
      const versions = materials.versions(this.keyId).map(({ materialId, index, state, rotatedMs, rotationType }) => {
        return [materialId, index, state, rotatedMs, rotationType];
      });
      return JSON.stringify([versions, rotations.setting(this.keyId) ?? null]);
    });
    if (new Set(views).size !== 1) throw new Error(`the regions differ: ${views.join(' and ')}`);
    const usable = this.holders().filter(({ state }) => state === 'Enabled');
    const calls = usable.map(({ arn }) => this.region(arn.split(':')[3] ?? '').software.call);
    for (const from of calls) {
      const { CiphertextBlob } = await encrypt(from, { KeyId: this.keyId, Plaintext: Buffer.from('ferried') });
      for (const to of calls) await decrypt(to, { CiphertextBlob });
    }
  }

  close(): void {
    for (const { software } of this.regions) software.close();
  }
}

function outcomesIn(database: SoftwareRegion['database']): WorldRegion['outcomes'] {
  database.migrate('courier', [
    'CREATE TABLE courier (key_id TEXT, generation TEXT, outcome TEXT NOT NULL, PRIMARY KEY (key_id, generation)) STRICT',
  ]);
  const insert = database.prepare('INSERT INTO courier (key_id, generation, outcome) VALUES (?, ?, ?)');
  const select = database.prepare('SELECT outcome FROM courier WHERE key_id = ? AND generation = ?');
  return {
    put: (keyId, generation, outcome) => void insert.run(keyId, generation.toString(), outcome),
    of: (keyId, generation) => {
      const row = select.get(keyId, generation.toString());
      return row === undefined ? undefined : String(row['outcome']);
    },
  };
}
