import { toBase64Url } from '../bytes.js';
import { metadataHash } from '../wire/fixed_info.js';
import { WIRE_LIMITS } from '../wire/limits.js';
import { isReject, reject } from '../wire/refusal.js';
import { encodeContext } from './context_codec.js';
import { sessionFloor } from './export_job.js';
import { requireFresh } from './freshness.js';
import { classifyHsmFailure } from './hsm_failure.js';
import type { ReplicationTask, SourceSession } from './journal.js';
import { issueBirthCertificate, readOwnBirth } from './key_certificate.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import type { ExportableKey } from './ports.js';
import type { Services } from './services.js';

/** What a source wants done, and the sessions that it starts for it. */
export class SourceTasks {
  readonly #services: Services;
  /** Called with a new session, after its commit and before its M0 leaves. */
  readonly #onStarted: (row: SourceSession) => void;
  /** Monotonic time before which a task that failed is not tried again. */
  readonly #notBefore = new Map<string, number>();

  constructor(services: Services, onStarted: (row: SourceSession) => void) {
    this.#services = services;
    this.#onStarted = onStarted;
  }

  /** Notes that a key is to be replicated; joins the caller's transaction. */
  begin(keyId: string, destination: string): void {
    const { journal } = this.#services;
    journal.transaction(() => {
      const task = journal.task(keyId, destination);
      journal.putTask({
        keyId,
        destination,
        generation: task?.generation ?? 0n,
        wanted: true,
        intent: task?.intent ?? null,
        attempts: 0,
        failure: null,
      });
    });
    this.#notBefore.delete(`${keyId} ${destination}`);
  }

  /** Starts the sessions that are wanted and may run now. */
  async startWanted(): Promise<void> {
    const { journal, clock } = this.#services;
    const tasks = journal.openTasks();
    const running = new Map<string, number>();
    for (const task of tasks)
      if (task.intent !== null) running.set(task.destination, (running.get(task.destination) ?? 0) + 1);
    for (const task of tasks) {
      if (!task.wanted || task.intent !== null) continue;
      const count = running.get(task.destination) ?? 0;
      if (count >= LIMITS.exportsPerDestinationMax) continue;
      if ((this.#notBefore.get(`${task.keyId} ${task.destination}`) ?? 0) > clock.monotonicMs()) continue;
      running.set(task.destination, count + 1);
      await this.#startSession(task);
    }
  }

  async #startSession(task: ReplicationTask): Promise<void> {
    const { journal, keys, book } = this.#services;
    const key = keys.exportable(task.keyId, task.destination);
    const epoch = book.current?.epoch;
    if (key === undefined) return this.#failTask(task, 'the key cannot be replicated any more');
    if (epoch === undefined || book.region(task.destination) === undefined) {
      return this.#failTask(task, `region ${task.destination} is not in the roster`);
    }
    try {
      await this.#announce(task, key, epoch);
    } catch (error) {
      const failure = classifyHsmFailure(error);
      // The agent stops for it and says so.
      if (failure.action === 'stop') throw error;
      this.#services.channel.auditRefusal(reject(failure.code, null, failure.detail), {
        peer: task.destination,
        keyId: task.keyId,
      });
      journal.transaction(() => {
        if (journal.task(task.keyId, task.destination) === undefined) return;
        journal.putTask({ ...task, attempts: task.attempts + 1 });
        this.#delay({ ...task, attempts: task.attempts + 1 });
      });
    }
  }

  async #announce(task: ReplicationTask, key: ExportableKey, epoch: bigint): Promise<void> {
    const { journal, book, channel, region, clock } = this.#services;
    const hsm = this.#services.hsm(null);
    const context = encodeContext(key.context);
    // ctx is base64url twice in M2; blobs and fixed members take about 160 octets a material and 3,000 in all.
    const estimate = Math.ceil((context.length * 16) / 9) + key.materials.length * 320 + 3_000;
    if (estimate > WIRE_LIMITS.messageOctetsMax || key.materials.length > LIMITS.materialsPerKeyMax) {
      return this.#failTask(task, 'the metadata and materials of the key do not fit into one message of 64 KiB');
    }
    const floor = sessionFloor(book, epoch, region, task.destination);
    if (floor === undefined) return this.#failTask(task, `region ${task.destination} is not in the roster`);
    const nonce = toBase64Url(await hsm.random(32));
    const generation = task.generation + 1n;
    const materialIds = key.context.materials.map((material) => material.materialId);
    const sealed = await channel.seal(
      'intent',
      { destination: task.destination, role: 'S', sid: null, prev: null, epoch },
      {
        nonce,
        keys: [
          {
            keyId: key.keyId,
            birthCertificate: await this.#currentBirthCertificate(key.birthCertificate, epoch),
            handovers: key.handovers ?? [],
            generation,
            metadataHash: toBase64Url(metadataHash(context)),
            materialIds,
          },
        ],
        suites: hsm.suites,
        floor,
      },
      hsm,
    );
    const row: SourceSession = {
      intent: sealed.messageId,
      state: 'INTENT',
      destination: task.destination,
      epoch,
      keys: [{ keyId: key.keyId, generation, materialIds, context }],
      sid: null,
      offer: null,
      transfer: null,
      confirmationHash: null,
      message: sealed.compact,
      code: null,
      createdMs: clock.nowMs(),
    };
    const begun = journal.transaction(() => {
      const now = journal.task(task.keyId, task.destination);
      if (now === undefined || !now.wanted || now.intent !== null || now.generation !== task.generation) return false;
      // Noted with the row, in one commit: nothing has left this region before it.
      requireFresh(this.#services, nonce);
      journal.putSourceSession(row);
      journal.putTask({ ...now, generation, wanted: false, intent: row.intent });
      return true;
    });
    if (!begun) return;
    this.#onStarted(row);
    channel.release(row.destination, sealed.compact);
  }

  /** A certificate whose RSK has left the roster is signed again by its origin: regions that join later know only newer keys. */
  async #currentBirthCertificate(compact: string, epoch: bigint): Promise<string> {
    const { book, channel, region } = this.#services;
    const own = readOwnBirth(compact);
    if (isReject(own) || own.birth.originRegion !== region || book.isActive(own.kid, epoch)) return compact;
    const hsm = this.#services.hsm(null);
    const issued = await issueBirthCertificate(
      { ...own.birth, createdEpoch: epoch },
      channel.signingKid(epoch),
      (kid, octets) => hsm.sign(kid, octets),
    );
    return issued.birthCertificate;
  }

  #failTask(task: ReplicationTask, reason: string): void {
    const { journal, keys } = this.#services;
    journal.transaction(() => {
      // The key may have been deleted since the task was read, and its tasks with it.
      if (journal.task(task.keyId, task.destination) === undefined) return;
      journal.putTask({ ...task, wanted: false, failure: reason });
      keys.failed(task.keyId, task.destination, reason);
    });
  }

  /** What the end of a session means for its tasks; inside the transaction that ends it. */
  commitEnd(row: SourceSession, commit: 'confirmed' | 'failed' | 'again'): void {
    const { journal, keys } = this.#services;
    for (const key of row.keys) {
      const task = journal.task(key.keyId, row.destination);
      if (task === undefined || task.intent !== row.intent) continue;
      switch (commit) {
        case 'confirmed':
          journal.putTask({ ...task, intent: null, attempts: 0, failure: null });
          keys.confirmed(key.keyId, row.destination, key.generation);
          break;
        case 'failed': {
          const reason = `${row.code ?? 'ABORTED'}: replication to ${row.destination} was refused`;
          journal.putTask({ ...task, intent: null, failure: reason });
          if (row.code === 'REPLICA_DELETED') keys.replicaDeleted?.(key.keyId, row.destination);
          else keys.failed(key.keyId, row.destination, reason);
          break;
        }
        case 'again': {
          const again = { ...task, intent: null, wanted: true, attempts: task.attempts + 1 };
          journal.putTask(again);
          this.#delay(again);
          break;
        }
      }
    }
  }

  /** The first new attempt is at once; then the waits double. */
  #delay(task: ReplicationTask): void {
    const { clock, times } = this.#services;
    const waitMs =
      task.attempts <= 1 ? 0 : Math.min(times.resendBaseMs * 2 ** Math.min(task.attempts - 2, 30), times.resendCapMs);
    this.#notBefore.set(`${task.keyId} ${task.destination}`, clock.monotonicMs() + waitMs);
  }
}
