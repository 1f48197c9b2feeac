import { isReject, reject, type Reject } from '../wire/refusal.js';
import type { OpenedMessage } from './channel.js';
import { askForRenewals, takeRenewed } from './certificate_renewal.js';
import { decodeContext } from './context_codec.js';
import { checkOffer, confirmationHashOf, exportKeys } from './export_job.js';
import { requireFresh } from './freshness.js';
import { handoverTo, type Handover } from './handover.js';
import { HandoverPatience } from './handover_patience.js';
import { classifyHsmFailure } from './hsm_failure.js';
import type { SourceSession } from './journal.js';
import { KeyedLock } from './keyed_lock.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { stepSource, type AbortCode, type SourceEvent, type SourceStep } from './machine.js';
import type { MessageOf } from './message.js';
import { carriesHandover, noteReleased } from './sent_handover.js';
import type { Services } from './services.js';
import { reportSession } from './session_report.js';
import { SourceTasks } from './source_tasks.js';

/** When a session's message is sent again. */
interface Resend {
  nextMs: number;
  intervalMs: number;
  count: number;
}

/** The role that sends keys. A session in doubt is ended by the destination alone. */
export class SourceSide {
  readonly #services: Services;
  readonly #lock = new KeyedLock();
  readonly #resends = new Map<string, Resend>();
  readonly #exportAttempts = new Map<string, number>();
  readonly #tasks: SourceTasks;
  readonly #patience: HandoverPatience;

  constructor(services: Services) {
    this.#services = services;
    this.#patience = new HandoverPatience(services);
    this.#tasks = new SourceTasks(services, (row) => {
      reportSession(this.#services, 'source', row, row.destination);
      this.#schedule(row.intent);
    });
  }

  /** Notes that a key is to be replicated; joins the caller's transaction. */
  begin(keyId: string, destination: string): void {
    this.#tasks.begin(keyId, destination);
  }

  /** Starts the sessions that are wanted and may run now. */
  startWanted(): Promise<void> {
    return this.#tasks.startWanted();
  }

  /** Sends again what was on its way when the process ended. */
  recover(): void {
    for (const row of this.#services.journal.openSourceSessions()) this.#run(row, { kind: 'resend' });
  }

  /** M1: the destination has made RAKB. */
  async onOffer(opened: OpenedMessage, offer: MessageOf<'offer'>): Promise<Reject | null> {
    const { journal } = this.#services;
    const intent = offer.envelope.prev ?? '';
    const known = journal.sourceSession(intent);
    if (known === undefined) return reject('PREV', 'prev', 'Not an answer to an intent of this region.');
    if (known.destination !== offer.envelope.issuer) return reject('DST', 'iss', 'The intent was for another region.');
    return this.#lock.run(intent, async () => {
      const row = journal.sourceSession(intent) ?? known;
      const step = stepSource(row, { kind: 'offer', messageId: opened.jws.messageId });
      if (step.work !== 'export') return this.#apply(row, step);
      for (const { keyId, certificates = [] } of offer.body.keys) {
        const refusal = await takeRenewed(this.#services, keyId, row.destination, certificates);
        if (refusal !== null) this.#services.channel.auditRefusal(refusal, { peer: row.destination, keyId });
      }
      const suite = checkOffer(this.#services, row, offer);
      if (isReject(suite)) {
        await this.#giveUp(row, offer.envelope.sid, opened.jws.messageId, suite.code);
        return suite;
      }
      return this.#export(row, opened, offer, suite);
    });
  }

  async #export(
    row: SourceSession,
    opened: OpenedMessage,
    offer: MessageOf<'offer'>,
    suite: Parameters<typeof exportKeys>[4],
  ): Promise<Reject | null> {
    const sid = offer.envelope.sid ?? '';
    for (;;) {
      try {
        const exported = await exportKeys(this.#services, row, offer, opened.jws, suite);
        if (isReject(exported)) {
          await this.#giveUp(row, sid, opened.jws.messageId, exported.code);
          return exported;
        }
        this.#exportAttempts.delete(row.intent);
        return this.#run(
          row,
          {
            kind: 'exported',
            sid,
            offer: opened.jws.messageId,
            transfer: exported.sealed.messageId,
            confirmationHash: exported.confirmationHash,
            message: exported.sealed.compact,
          },
          exported.point,
        );
      } catch (error) {
        const failure = classifyHsmFailure(error);
        const refusal = reject(failure.code, null, failure.detail);
        if (failure.action === 'stop') return refusal;
        const attempts = (this.#exportAttempts.get(row.intent) ?? 0) + 1;
        this.#exportAttempts.set(row.intent, attempts);
        // Nothing has left this region: after a lost token session the export is done again, with a new RAKA.
        if (failure.action === 'restart' && attempts < LIMITS.exportAttemptsMax) continue;
        this.#exportAttempts.delete(row.intent);
        await this.#giveUp(row, sid, opened.jws.messageId, failure.code);
        return refusal;
      }
    }
  }

  /** Ends a session in INTENT and tells the destination, if the token still signs. */
  async #giveUp(row: SourceSession, sid: string | null, prev: string | null, code: AbortCode): Promise<void> {
    const { channel } = this.#services;
    let message: string | null = null;
    try {
      const sealed = await channel.seal(
        'abort',
        { destination: row.destination, role: 'S', sid, prev, epoch: row.epoch },
        { intent: row.intent, code, state: 'ABORTED', highWater: null, rosters: [] },
        this.#services.hsm(sid),
      );
      message = sealed.compact;
    } catch (error) {
      // Without the message the offer ends by its own lifetime.
      classifyHsmFailure(error);
    }
    this.#run(row, { kind: 'export-failed', code, message });
  }

  /** M3: the destination has installed the keys. */
  async onConfirm(opened: OpenedMessage, confirm: MessageOf<'confirm'>): Promise<Reject | null> {
    const { journal, channel, keys } = this.#services;
    const known = journal.sourceSessionBySid(confirm.envelope.sid ?? '');
    if (known === undefined) return reject('SID', 'sid', 'No such session.');
    if (known.destination !== confirm.envelope.issuer)
      return reject('DST', 'iss', 'The session is with another region.');
    return this.#lock.run(known.intent, async () => {
      const row = journal.sourceSession(known.intent) ?? known;
      if (confirm.envelope.epoch !== row.epoch)
        return reject('EPOCH', 'epoch', 'Another roster epoch than the session.');
      const event = {
        kind: 'confirm',
        sid: confirm.envelope.sid ?? '',
        prev: confirm.envelope.prev ?? '',
        confirmationHash: confirmationHashOf(confirm.body.confirmation),
        message: '',
      } as const;
      const preview = stepSource(row, event);
      if (preview.row === undefined) return this.#apply(row, preview);
      const same =
        confirm.body.keys.length === row.keys.length &&
        confirm.body.keys.every((key, index) => {
          const sent = row.keys[index];
          return key.keyId === sent?.keyId && key.generation === sent.generation && isInstalled(key.installed, sent);
        });
      if (!same) return reject('CONTEXT', 'keys', 'The destination has installed something else.');
      journal.transaction(() => {
        for (const [index, key] of confirm.body.keys.entries()) {
          const imported = key.installed[row.keys[index]?.materialIds.length ?? 0];
          if (imported !== undefined) keys.reported?.(key.keyId, row.destination, imported);
        }
      });
      const close = await channel.seal(
        'close',
        { destination: row.destination, role: 'S', sid: row.sid, prev: opened.jws.messageId, epoch: row.epoch },
        {},
        this.#services.hsm(row.sid),
      );
      return this.#run(row, { ...event, message: close.compact });
    });
  }

  /** MX of the destination. */
  onAbort(abort: MessageOf<'abort'>): Promise<Reject | null> {
    const { journal } = this.#services;
    const intent = abort.body.intent ?? '';
    return this.#lock.run(intent, async () => {
      const row = journal.sourceSession(intent);
      if (row === undefined) return reject('PREV', 'intent', 'The abort is about no session of this region.');
      if (row.destination !== abort.envelope.issuer) return reject('DST', 'iss', 'The session is with another region.');
      const highWater = abort.body.highWater;
      if (highWater !== null) this.#raiseGenerations(row, highWater);
      return this.#run(row, { kind: 'abort', sid: abort.envelope.sid, code: abort.body.code });
    });
  }

  /** The destination has seen later generations than this journal: this region was restored from an older copy. */
  #raiseGenerations(row: SourceSession, highWater: bigint): void {
    const { journal, channel } = this.#services;
    journal.transaction(() => {
      for (const key of row.keys) {
        const task = journal.task(key.keyId, row.destination);
        if (task !== undefined && task.generation < highWater) journal.putTask({ ...task, generation: highWater });
      }
    });
    const detail = `Region ${row.destination} has seen generation ${highWater}: this region's journal is older than its messages.`;
    channel.auditRefusal(reject('FORK', 'gen', detail), {
      peer: row.destination,
      sid: row.sid,
      keyId: row.keys[0]?.keyId ?? null,
    });
  }

  /** MQ of the destination about a session here. */
  stateOf(intent: string): SourceSession['state'] | 'UNKNOWN' {
    return this.#services.journal.sourceSession(intent)?.state ?? 'UNKNOWN';
  }

  /** Rosters have come: replicas are asked for the certificates that they have to sign again. */
  onRosters(): void {
    askForRenewals(this.#services);
  }

  /** A signing key of a region was revoked: what was begun with it is given up and begun anew; with a key of this region, everything. */
  giveUpSessionsWith(region: string): void {
    for (const row of this.#services.journal.openSourceSessions()) {
      if (row.destination === region || region === this.#services.region)
        this.#run(row, { kind: 'give-up', code: 'EPOCH_STALE' });
    }
  }

  /** Undoes a hand-over whose certificate has not left this region. */
  async #undo({ keyId, destination }: Handover): Promise<void> {
    const { journal, handovers } = this.#services;
    const intent = journal.task(keyId, destination)?.intent ?? null;
    await this.#lock.run(intent ?? `${keyId} ${destination}`, async () => {
      const row = intent === null ? undefined : journal.sourceSession(intent);
      if (row?.state === 'INTENT' && row.keys.some(carriesHandover)) return this.#giveUp(row, null, intent, 'UNDONE');
      journal.transaction(() => {
        if (handoverTo(this.#services, keyId, destination)?.isReleased === false) handovers?.undone(keyId, 'UNDONE');
      });
      return undefined;
    });
  }

  /** Sends again what is due, and asks the destination about sessions in doubt. */
  async tick(): Promise<void> {
    const { clock, journal, channel, times } = this.#services;
    for (const handover of this.#patience.overdue()) await this.#undo(handover);
    const nowMs = clock.monotonicMs();
    for (const [intent, resend] of this.#resends) {
      if (resend.nextMs > nowMs) continue;
      const row = journal.sourceSession(intent);
      if (row === undefined || (row.state !== 'INTENT' && row.state !== 'SENT')) {
        this.#resends.delete(intent);
        continue;
      }
      resend.count += 1;
      resend.intervalMs = Math.min(resend.intervalMs * 2, times.resendCapMs);
      resend.nextMs = nowMs + resend.intervalMs;
      this.#run(row, { kind: 'resend' });
      if (row.state !== 'SENT' || resend.count < LIMITS.resendsBeforeQueryMax) continue;
      try {
        const query = await channel.seal(
          'query',
          { destination: row.destination, role: 'S', sid: row.sid, prev: row.transfer, epoch: row.epoch },
          { intent },
          this.#services.hsm(row.sid),
        );
        channel.release(row.destination, query.compact);
      } catch (error) {
        classifyHsmFailure(error);
      }
    }
  }

  #schedule(intent: string): void {
    const { clock, times } = this.#services;
    this.#resends.set(intent, {
      nextMs: clock.monotonicMs() + times.resendBaseMs,
      intervalMs: times.resendBaseMs,
      count: 0,
    });
  }

  #run(row: SourceSession, event: SourceEvent, fresh?: string): Reject | null {
    return this.#apply(row, stepSource(row, event), fresh);
  }

  /** Commits a step, then releases its message. */
  #apply(row: SourceSession, step: SourceStep, fresh?: string): Reject | null {
    const { journal, channel } = this.#services;
    if (step.refusal !== undefined) return reject(step.refusal.code, step.refusal.field, step.refusal.detail);
    const next = step.row;
    // Its key was deleted, and its row with it, while something was under way.
    if (journal.sourceSession(row.intent) === undefined) return reject('PREV', 'prev', 'The session is over.');
    if (next !== undefined) {
      journal.transaction(() => {
        if (fresh !== undefined) requireFresh(this.#services, fresh);
        journal.putSourceSession(next);
        if (row.state === 'INTENT' && next.state === 'SENT') noteReleased(this.#services, next);
        if (step.commit !== undefined) {
          const { commit, isRefusedTransfer = false } = step;
          this.#tasks.commitEnd(next, { commit, isRefusedTransfer });
        }
      });
      reportSession(this.#services, 'source', next, next.destination);
      if (next.state === 'SENT') this.#schedule(next.intent);
      if (next.state === 'DONE' || next.state === 'ABORTED') {
        this.#resends.delete(next.intent);
        this.#services.wake();
      }
    } else if (
      step.send !== undefined &&
      !this.#resends.has(row.intent) &&
      (row.state === 'INTENT' || row.state === 'SENT')
    ) {
      this.#schedule(row.intent);
    }
    if (step.send !== undefined) channel.release(row.destination, step.send);
    return null;
  }
}

/** Whether a destination has what it was sent; of imported material it may also have the one that waits for a rotation. */
function isInstalled(installed: readonly string[], sent: SourceSession['keys'][number]): boolean {
  if (installed.join() === sent.materialIds.join()) return true;
  const context = decodeContext(sent.context);
  const pending = isReject(context) ? undefined : context.imported?.pending?.materialId;
  return pending !== undefined && installed.join() === [...sent.materialIds, pending].join();
}
