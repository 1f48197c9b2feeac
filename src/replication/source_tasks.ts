import { equalOctets, toBase64Url } from '../bytes.js';
import { metadataHash } from '../wire/fixed_info.js';
import { reject } from '../wire/refusal.js';
import { encodeContext } from './context_codec.js';
import { sessionFloor } from './export_job.js';
import { requireFresh } from './freshness.js';
import { handoverTo, type Handover } from './handover.js';
import { classifyHsmFailure } from './hsm_failure.js';
import type { ReplicationTask, SourceSession } from './journal.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import type { ExportableKey } from './ports.js';
import { currentCertificates, endHandover, withHandover } from './sent_handover.js';
import type { Services } from './services.js';
import { fitsTransfer } from './transfer_size.js';

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
      // What waits already is not written again: the same may be asked for every few seconds.
      if (task?.wanted === true && task.attempts === 0 && task.failure === null) return;
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
    const { journal, keys, book, handovers } = this.#services;
    const handover = handovers?.underWay(task.keyId);
    // Who is to be the primary has to be settled first.
    if (handover !== undefined && handover.destination !== task.destination) return;
    const key = keys.exportable(task.keyId, task.destination);
    const epoch = book.current?.epoch;
    if (journal.primary(task.keyId)?.frozen === true) {
      return this.#failTask(task, 'FORK: the key is frozen, because its hand-overs have forked');
    }
    if (key === undefined) return this.#failTask(task, 'the key cannot be replicated any more');
    if (epoch === undefined || book.region(task.destination) === undefined) {
      return this.#failTask(task, `region ${task.destination} is not in the roster`);
    }
    try {
      if (handover === undefined) await this.#announce(task, key, key, epoch);
      else {
        const handed = await withHandover(this.#services, handover, key, epoch);
        await this.#announce(task, key, handed.key, epoch, handed.handover);
      }
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

  /** @param read - the key as it was read when this began; `key` may say more than that */
  async #announce(
    task: ReplicationTask,
    read: ExportableKey,
    key: ExportableKey,
    epoch: bigint,
    handover?: Handover,
  ): Promise<void> {
    const { journal, book, channel, region, clock, handovers } = this.#services;
    const hsm = this.#services.hsm(null);
    const context = encodeContext(key.context);
    if (!fitsTransfer(context.length, key.materials.length)) {
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
            ...(await currentCertificates(this.#services, key, epoch)),
            generation,
            metadataHash: toBase64Url(metadataHash(context)),
            materialIds,
            ...(key.isNewReplica && { create: true }),
            ...(handover !== undefined && { nextPrimary: task.destination }),
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
      // What was to be told has changed while the token signed: the task stays wanted, and is begun with what is so now.
      if (this.#isChanged(task, read)) return false;
      const underWay = handovers?.underWay(task.keyId);
      // It was asked for, or given up, while the token signed: the next look at the tasks sees it.
      if (underWay?.destination !== handover?.destination) return false;
      if (handover !== undefined) handovers?.put({ ...handover, isReleased: underWay?.isReleased ?? false });
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

  #isChanged(task: ReplicationTask, read: ExportableKey): boolean {
    const present = this.#services.keys.exportable(task.keyId, task.destination);
    return present === undefined || !equalOctets(encodeContext(present.context), encodeContext(read.context));
  }

  #failTask(task: ReplicationTask, reason: string): void {
    const { journal, keys, handovers } = this.#services;
    journal.transaction(() => {
      // The key may have been deleted since the task was read, and its tasks with it.
      if (journal.task(task.keyId, task.destination) === undefined) return;
      const handover = handoverTo(this.#services, task.keyId, task.destination);
      if (handover?.isReleased === true) {
        // It may be complete: the destination is asked as soon as it can be.
        journal.putTask({ ...task, attempts: task.attempts + 1 });
        return this.#delay({ ...task, attempts: task.attempts + 1 });
      }
      journal.putTask({ ...task, wanted: false, failure: reason });
      if (handover !== undefined) return handovers?.undone(task.keyId, reason);
      keys.failed(task.keyId, task.destination, reason);
    });
  }

  /** What the end of a session means for its tasks; inside the transaction that ends it. */
  commitEnd(
    row: SourceSession,
    end: { readonly commit: 'confirmed' | 'failed' | 'again'; readonly isRefusedTransfer: boolean },
  ): void {
    const { journal, keys } = this.#services;
    for (const key of row.keys) {
      const task = journal.task(key.keyId, row.destination);
      if (task === undefined || task.intent !== row.intent) continue;
      const handover = endHandover(this.#services, row, key, end);
      if (handover === 'finished') {
        journal.putTask({ ...task, intent: null, wanted: false, attempts: 0, failure: null });
        continue;
      }
      // The destination alone can end it: it is asked again.
      switch (handover === 'open' ? 'again' : end.commit) {
        case 'confirmed':
          journal.putTask({ ...task, intent: null, attempts: 0, failure: null });
          for (const region of keys.confirmed(key.keyId, row.destination, key.generation, key)) {
            this.begin(key.keyId, region);
          }
          break;
        case 'failed': {
          const reason = `${row.code ?? 'ABORTED'}: replication to ${row.destination} was refused`;
          journal.putTask({ ...task, intent: null, failure: reason });
          if (row.code === 'REPLICA_DELETED') {
            const told = keys.replicaDeleted?.(key.keyId, row.destination) ?? [];
            for (const region of told) this.begin(key.keyId, region);
          } else if (handover === undefined) keys.failed(key.keyId, row.destination, reason);
          // The hand-over took the place of what the destination was to be told.
          else this.begin(key.keyId, row.destination);
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
