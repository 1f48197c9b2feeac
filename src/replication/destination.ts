import { toBase64Url } from '../bytes.js';
import { decodeBase64Url } from '../wire/base64url.js';
import { isReject, reject, type Reject } from '../wire/refusal.js';
import type { OpenedMessage } from './channel.js';
import { refuseIntent, tellUnknown } from './destination_reply.js';
import { requireFresh } from './freshness.js';
import { offerLifetimeOf } from './handover.js';
import { offeredKey } from './certificate_renewal.js';
import { classifyHsmFailure } from './hsm_failure.js';
import { checkHandovers, checkIntent, checkTransfer, wasDeletedHere } from './import_checks.js';
import { importKeys } from './import_job.js';
import { commitInstallation, isOutdated, noteOffered, type Installation } from './installation.js';
import type { DestinationSession } from './journal.js';
import type { Lineage } from './key_certificate.js';
import { KeyedLock } from './keyed_lock.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { stepDestination, type AbortCode, type DestinationEvent, type DestinationStep } from './machine.js';
import type { MessageOf } from './message.js';
import type { AgreementKey } from './replication_hsm.js';
import { OpenOffers } from './open_offers.js';
import type { Services } from './services.js';
import { reportSession } from './session_report.js';

const SID_OCTETS = 32;

/** The role that receives keys; it decides whether a replication has happened. */
export class DestinationSide {
  readonly #services: Services;
  readonly #lock = new KeyedLock();
  readonly #offers: OpenOffers;

  constructor(services: Services) {
    this.#services = services;
    this.#offers = new OpenOffers(services);
  }

  /** Ends what the process left half done, and tells the source again what was installed. */
  async recover(): Promise<void> {
    for (const row of this.#services.journal.openDestinationSessions()) {
      if (row.state === 'INSTALLED') this.#run(row, { kind: 'query' });
      else if (!this.#offers.has(row.sid)) await this.#abort(row, 'RECOVERED');
    }
  }

  /** M0: a region announces keys. */
  onIntent(opened: OpenedMessage, intent: MessageOf<'intent'>): Promise<Reject | null> {
    const id = opened.jws.messageId;
    return this.#lock.run(id, async () => {
      const { journal } = this.#services;
      const before = journal.destinationSessionByIntent(id);
      if (before !== undefined) {
        if (before.state === 'OFFERED' && !this.#offers.has(before.sid)) return this.#abort(before, 'RECOVERED');
        return this.#run(before, { kind: 'intent-again' });
      }
      const lineages = await checkIntent(this.#services, intent);
      if (isReject(lineages)) {
        if (lineages.code !== 'EPOCH_STALE') await refuseIntent(this.#services, intent, id, lineages);
        return lineages;
      }
      const source = intent.envelope.issuer;
      if (this.#offers.countOf(source) >= LIMITS.offersPerPeerMax) {
        return reject('LIMIT', null, 'Too many open offers for that region.');
      }
      return this.#offers.reserve(source, () => this.#offer(opened, intent, lineages));
    });
  }

  /** Step 1: makes RAKB and offers it. */
  async #offer(
    opened: OpenedMessage,
    intent: MessageOf<'intent'>,
    lineages: readonly Lineage[],
  ): Promise<Reject | null> {
    const { journal, channel, clock, keys, handovers } = this.#services;
    const { envelope, body } = intent;
    const source = envelope.issuer;
    const isHandover = body.keys.some((key) => key.nextPrimary !== undefined);
    let rakb: AgreementKey | undefined;
    try {
      const sidOctets = await this.#services.hsm(null).random(SID_OCTETS);
      const sid = toBase64Url(sidOctets);
      const hsm = this.#services.hsm(sid);
      rakb = await hsm.generateAgreementKey(sidOctets);
      const sealed = await channel.seal(
        'offer',
        { destination: source, role: 'D', sid, prev: opened.jws.messageId, epoch: envelope.epoch },
        {
          keys: await Promise.all(body.keys.map((key) => offeredKey(this.#services, key, envelope.epoch))),
          suites: hsm.suites,
          point: rakb.point,
          fingerprint: hsm.fingerprint.slice(0, 256),
        },
        hsm,
      );
      const row: DestinationSession = {
        sid,
        state: 'OFFERED',
        source,
        intent: opened.jws.messageId,
        epoch: envelope.epoch,
        keys: body.keys.map((key) => ({ keyId: key.keyId, generation: key.generation, materialIds: key.materialIds })),
        offer: sealed.messageId,
        transfer: null,
        message: sealed.compact,
        code: null,
        closed: false,
        createdMs: clock.nowMs(),
      };
      const superseded = this.#offers.olderThan(row);
      const point = toBase64Url(rakb.point);
      const overtaken = journal.transaction(() => {
        // Noted with the row, in one commit: nothing has left this region before it.
        requireFresh(this.#services, sid, point);
        // Another intent for the same key may have been offered while the token worked.
        if (body.keys.some((key) => key.generation <= journal.highWater(key.keyId, source))) return true;
        if (body.keys.some((key) => wasDeletedHere(key, keys.standing(key.keyId, source)))) return true;
        if (body.keys.some((key, index) => isOutdated(this.#services, key.keyId, lineages[index]))) return true;
        if (body.keys.some((key) => key.nextPrimary !== undefined && handovers?.canReceive(key.keyId) !== true))
          return true;
        for (const old of superseded)
          this.#commit(old, stepDestination(old, { kind: 'abort', code: 'SUPERSEDED', message: null }));
        this.#commit(row, stepDestination(row, { kind: 'offered' }));
        for (const [index, key] of body.keys.entries()) {
          const lineage = lineages[index];
          if (lineage !== undefined) noteOffered(this.#services, source, key, lineage);
        }
        return false;
      });
      if (overtaken) {
        await hsm.release(rakb);
        return reject('GEN', 'keys.gen', 'A newer generation was offered at the same time.');
      }
      this.#offers.set(sid, {
        rakb,
        intent,
        lineages,
        intentInput: opened.jws.signingInput,
        offerInput: sealed.signingInput,
        kid: sealed.kid,
        expiresMs: clock.monotonicMs() + offerLifetimeOf(this.#services, isHandover),
      });
      reportSession(this.#services, 'destination', row, row.source);
      channel.release(source, sealed.compact);
      for (const old of superseded) await this.#offers.drop(old.sid);
      return null;
    } catch (error) {
      // Also where the database has failed, which is thrown on below.
      if (rakb !== undefined) await this.#offers.destroy(rakb);
      const failure = classifyHsmFailure(error);
      return reject(failure.code, null, failure.detail);
    }
  }

  /** M2: wrapped material has come. */
  async onTransfer(opened: OpenedMessage, transfer: MessageOf<'transfer'>): Promise<Reject | null> {
    const { journal } = this.#services;
    const known = journal.destinationSession(transfer.envelope.sid ?? '');
    if (known === undefined) return reject('SID', 'sid', 'No such session.');
    if (known.source !== transfer.envelope.issuer) return reject('DST', 'iss', 'The session is with another region.');
    return this.#lock.run(known.intent, async () => {
      const row = journal.destinationSession(known.sid) ?? known;
      const step = stepDestination(row, {
        kind: 'transfer',
        messageId: opened.jws.messageId,
        prev: transfer.envelope.prev ?? '',
      });
      // UNWRAPPING under this lock means that the commit of its end failed: the import is over, its agreement key is gone.
      if (row.state === 'UNWRAPPING' && step.refusal === undefined) return this.#abort(row, 'RECOVERED');
      if (row.state === 'ABORTED' && row.message === null) return this.#abort(row, 'UNKNOWN_SESSION');
      if (step.work !== 'unwrap') return this.#apply(row, step);
      const offer = this.#offers.get(row.sid);
      if (offer === undefined) return this.#abort(row, 'RECOVERED');
      const checked = checkTransfer(this.#services, offer, transfer);
      if (isReject(checked)) {
        await this.#abort(row, checked.code);
        return checked;
      }
      const handedOver = await checkHandovers(this.#services, offer, checked.contexts);
      if (isReject(handedOver)) {
        await this.#abort(row, handedOver.code);
        return handedOver;
      }
      this.#apply(row, step);
      const unwrapping = step.row ?? row;
      this.#offers.take(row.sid);
      try {
        const imported = await importKeys(this.#services, offer, transfer, opened.jws, checked);
        if (isReject(imported)) {
          await this.#abort(unwrapping, imported.code);
          return imported;
        }
        return await this.#install(unwrapping, { imported, contexts: checked.contexts, offer, handedOver });
      } catch (error) {
        const failure = classifyHsmFailure(error);
        await this.#abort(unwrapping, failure.code);
        return reject(failure.code, null, failure.detail);
      }
    });
  }

  /** The commit point: the session, M3 and the replica in one transaction. */
  async #install(row: DestinationSession, installation: Installation): Promise<Reject | null> {
    const { journal } = this.#services;
    const overtaken = row.keys.some((key) => journal.highWater(key.keyId, row.source) > key.generation);
    if (overtaken) return this.#abort(row, 'SUPERSEDED');
    const { lineages } = installation.offer;
    if (row.keys.some((key, index) => isOutdated(this.#services, key.keyId, lineages[index]))) {
      return this.#abort(row, 'SUPERSEDED');
    }
    const taken = row.keys.some((key) => {
      const isSuccessor = (journal.primary(key.keyId)?.generation ?? 0n) > 0n;
      return this.#services.keys.standing(key.keyId, row.source, { isSuccessor }).state === 'conflict';
    });
    if (taken) {
      await this.#abort(row, 'CONFLICT');
      return reject('CONFLICT', 'keys.keyId', 'The key id was taken by another key in the meantime.');
    }
    return this.#run(row, { kind: 'unwrapped', message: installation.imported.sealed.compact }, installation);
  }

  /** M4: the source knows. */
  onClose(close: MessageOf<'close'>, confirmId: (compact: string) => string): Promise<Reject | null> {
    const { journal } = this.#services;
    const known = journal.destinationSession(close.envelope.sid ?? '');
    if (known === undefined) return Promise.resolve(reject('SID', 'sid', 'No such session.'));
    if (known.source !== close.envelope.issuer)
      return Promise.resolve(reject('DST', 'iss', 'The session is with another region.'));
    return this.#lock.run(known.intent, async () => {
      const row = journal.destinationSession(known.sid) ?? known;
      return this.#run(row, {
        kind: 'close',
        prev: close.envelope.prev ?? '',
        confirm: row.message === null ? '' : confirmId(row.message),
      });
    });
  }

  /** MX of the source, before it has sent anything. */
  onAbort(abort: MessageOf<'abort'>): Promise<Reject | null> {
    const { journal } = this.#services;
    const known = journal.destinationSessionByIntent(abort.body.intent ?? '');
    if (known === undefined) return Promise.resolve(reject('SID', 'intent', 'No such session.'));
    if (known.source !== abort.envelope.issuer)
      return Promise.resolve(reject('DST', 'iss', 'The session is with another region.'));
    return this.#lock.run(known.intent, async () => {
      const row = journal.destinationSession(known.sid) ?? known;
      const result = this.#run(row, { kind: 'peer-abort' });
      await this.#offers.drop(row.sid);
      return result;
    });
  }

  /**
   * MQ of the source about a session in doubt.
   *
   * A session that is not known can never be installed any more, because its row was committed before its offer left: a tombstone says so.
   */
  async onQuery(query: MessageOf<'query'>): Promise<Reject | null> {
    const { journal, clock } = this.#services;
    const { sid, issuer, epoch } = query.envelope;
    const intent = query.body.intent;
    const known = sid === null ? journal.destinationSessionByIntent(intent ?? '') : journal.destinationSession(sid);
    if (known === undefined) {
      if (sid === null || intent === null || decodeBase64Url(sid) === null) return tellUnknown(this.#services, query);
      const tombstone: DestinationSession = {
        sid,
        state: 'OFFERED',
        source: issuer,
        intent,
        epoch,
        keys: [],
        offer: null,
        transfer: null,
        message: null,
        code: null,
        closed: false,
        createdMs: clock.nowMs(),
      };
      return this.#lock.run(intent, () => this.#abort(tombstone, 'UNKNOWN_SESSION'));
    }
    if (known.source !== issuer) return reject('DST', 'iss', 'The session is with another region.');
    return this.#lock.run(known.intent, async () => {
      const row = journal.destinationSession(known.sid) ?? known;
      if (row.state === 'OFFERED' && !this.#offers.has(row.sid)) return this.#abort(row, 'RECOVERED');
      if (row.state === 'ABORTED' && row.message === null) return this.#abort(row, 'UNKNOWN_SESSION');
      return this.#run(row, { kind: 'query' });
    });
  }

  /** Ends offers that were not used in time, by the local monotonic clock, and those whose row went with a deleted key. */
  async tick(): Promise<void> {
    const nowMs = this.#services.clock.monotonicMs();
    for (const [sid, offer] of this.#offers.entries())
      if (offer.expiresMs <= nowMs || !this.#isKept(sid)) await this.#abortOffer(sid, 'EXPIRED');
  }

  /** A signing key of a region was revoked: its offers end; with a key of this region, all. */
  async giveUpOffersOf(region: string): Promise<void> {
    for (const [sid, offer] of this.#offers.entries())
      if (offer.intent.envelope.issuer === region || region === this.#services.region)
        await this.#abortOffer(sid, 'EPOCH_STALE');
  }

  /** Whether a session's row is there still. */
  #isKept(sid: string): boolean {
    return this.#services.journal.destinationSession(sid) !== undefined;
  }

  async #abortOffer(sid: string, code: AbortCode): Promise<void> {
    const { journal } = this.#services;
    const known = journal.destinationSession(sid);
    if (known === undefined) return this.#offers.drop(sid);
    await this.#lock.run(known.intent, async () => {
      const row = journal.destinationSession(sid) ?? known;
      if (row.state === 'OFFERED') await this.#abort(row, code);
    });
  }

  /** Destroys every agreement key that this process holds; its sessions end at the next start. */
  async close(): Promise<void> {
    for (const [sid] of this.#offers.entries()) await this.#offers.drop(sid);
  }

  /** Writes the tombstone, tells the source, and destroys RAKB. */
  async #abort(row: DestinationSession, code: AbortCode): Promise<null> {
    const { channel } = this.#services;
    let message: string | null = null;
    try {
      const sealed = await channel.seal(
        'abort',
        { destination: row.source, role: 'D', sid: row.sid, prev: row.transfer ?? row.offer, epoch: row.epoch },
        { intent: row.intent, code, state: 'ABORTED', highWater: null, rosters: [] },
        this.#services.hsm(row.sid),
      );
      message = sealed.compact;
    } catch (error) {
      // A token that does not sign now may sign later: the row stays as it is, and the next message or start ends it.
      if (classifyHsmFailure(error).action !== 'stop' && code !== 'SELFTEST') {
        await this.#offers.drop(row.sid);
        return null;
      }
    }
    this.#run(row, { kind: 'abort', code, message });
    await this.#offers.drop(row.sid);
    return null;
  }

  #run(row: DestinationSession, event: DestinationEvent, installation?: Installation): Reject | null {
    return this.#apply(row, stepDestination(row, event), installation);
  }

  /** Commits a step, then releases its message. */
  #apply(row: DestinationSession, step: DestinationStep, installation?: Installation): Reject | null {
    const { journal, channel } = this.#services;
    if (step.refusal !== undefined) return reject(step.refusal.code, step.refusal.field, step.refusal.detail);
    // Its key was deleted while something was under way. A tombstone of no session names no key.
    if (row.keys.length > 0 && !this.#isKept(row.sid)) return reject('SID', 'sid', 'The session is over.');
    if (step.row !== undefined) {
      const durability = step.isOrderedOnly === true ? 'ordered' : 'durable';
      journal.transaction(() => this.#commit(row, step, installation), durability);
      reportSession(this.#services, 'destination', step.row, row.source);
      if (installation?.handedOver.some((lineage) => lineage !== undefined) === true) this.#services.wake();
    }
    if (step.send !== undefined) channel.release(row.source, step.send);
    return null;
  }

  /** Inside a transaction. */
  #commit(row: DestinationSession, step: DestinationStep, installation?: Installation): void {
    const { journal, keys, handovers } = this.#services;
    if (step.row === undefined) return;
    journal.putDestinationSession(step.row);
    if (step.commit === 'withdraw') {
      // Only the newest session of a key speaks for the record that was announced.
      for (const key of row.keys)
        if (journal.highWater(key.keyId, row.source) === key.generation) {
          keys.withdraw(key.keyId);
          handovers?.notReceived(key.keyId);
        }
    }
    if (step.commit === 'install' && installation !== undefined) {
      commitInstallation(this.#services, row, installation);
    }
  }
}
