import { KeyferryError } from '../errors.js';
import type { DataSuite } from '../wire/ciphertext_blob.js';
import { messageIdOf, verifyEs384OnThreadPool } from '../wire/jws.js';
import { isReject, reject, type Reject } from '../wire/refusal.js';
import type { JsonObject } from '../wire/strict_json.js';
import type { ReplicationAgentParts } from './agent_parts.js';
import { sessionsOf, type ReplicationStatus } from './agent_status.js';
import { Channel, type OpenedMessage, type RefusedMessage } from './channel.js';
import { commonDataSuite, refusalOfDestination } from './compatibility.js';
import { DestinationSide } from './destination.js';
import { ReplicationError } from './errors.js';
import { bearKey, refusalOfBirth, refusalOfHandover, type ChosenBirth } from './key_birth.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { RosterExchange } from './roster_exchange.js';
import { SeedExchange } from './seed_profile.js';
import type { Services } from './services.js';
import { SourceSide } from './source.js';
import { Trace, type TraceEvent } from './trace.js';
import { traceHsm } from './traced_hsm.js';

export type { ReplicationAgentParts } from './agent_parts.js';
export type { ReplicationProfile, ReplicationStatus, SessionStatus } from './agent_status.js';

/** The part of a region that speaks the replication protocol: the decisions are here, every key stays in the token. */
export class ReplicationAgent {
  readonly #parts: ReplicationAgentParts;
  readonly #services: Services;
  readonly #trace = new Trace();
  readonly #source: SourceSide;
  readonly #destination: DestinationSide;
  readonly #rosters: RosterExchange;
  readonly #seed: SeedExchange | undefined;
  readonly #work = new Set<Promise<unknown>>();
  #state: ReplicationStatus['state'] = 'STOPPED';
  #error: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #inbound = 0;
  #ticking: Promise<void> | undefined;
  #starting = false;
  #startAgain = false;
  #nextSweepMs = 0;

  constructor(parts: ReplicationAgentParts) {
    this.#parts = parts;
    const { region, partition, roster: book, transport, clock, audit } = parts;
    const verifySignature = parts.verifySignature ?? verifyEs384OnThreadPool;
    const trace = this.#trace;
    const channel = new Channel({ region, partition, book, transport, clock, audit, trace, verifySignature });
    this.#services = {
      region,
      partition,
      account: parts.account,
      journal: parts.journal,
      keys: parts.keys,
      handovers: parts.handovers,
      book: parts.roster,
      channel,
      clock,
      audit: parts.audit,
      trace: this.#trace,
      verifySignature,
      times: {
        resendBaseMs: parts.times?.resendBaseMs ?? LIMITS.resendBaseMs,
        resendCapMs: parts.times?.resendCapMs ?? LIMITS.resendCapMs,
        offerLifetimeMs: parts.times?.offerLifetimeMs ?? LIMITS.offerLifetimeMs,
        sweepIntervalMs: parts.times?.sweepIntervalMs ?? LIMITS.sweepIntervalMs,
        handoverAnswerMs: parts.times?.handoverAnswerMs ?? LIMITS.handoverAnswerMs,
      },
      hsm: (sid) => traceHsm(parts.hsm, { trace: this.#trace, clock, sid, onSelfTest: (detail) => this.#fail(detail) }),
      stopForSelfTest: (detail) => this.#fail(detail),
      begin: (keyId, destination) => this.#source.begin(keyId, destination),
      wake: () => this.wake(),
    };
    this.#source = new SourceSide(this.#services);
    this.#destination = new DestinationSide(this.#services);
    this.#rosters = new RosterExchange(this.#services);
    this.#seed = parts.profile === 'seed' ? new SeedExchange(this.#services, parts.transport) : undefined;
  }

  /** Recovers what a crash left, then listens and works. */
  async start(): Promise<void> {
    if (this.#state !== 'STOPPED') return;
    this.#state = 'RUNNING';
    const { clock, times } = this.#services;
    if (this.#seed !== undefined) {
      const detail = 'Profile seed: the five steps alone, without the protections of the full protocol.';
      this.#note('REPL_PROFILE_SEED', detail);
    } else {
      this.#source.recover();
      await this.#destination.recover();
    }
    this.#nextSweepMs = clock.monotonicMs() + times.sweepIntervalMs;
    this.#parts.transport.listen((octets) => this.receive(octets));
    const tickMs = this.#parts.tickMs ?? LIMITS.tickMs;
    if (tickMs > 0) {
      this.#timer = setInterval(() => void this.#keep(this.tick()), tickMs);
      this.#timer.unref();
    }
    this.wake();
  }

  /** Stops listening, waits for what is being done, and destroys every agreement key. The transport is closed by its owner. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    if (this.#state === 'RUNNING') this.#state = 'STOPPED';
    await this.settled();
    await this.#destination.close();
    await this.#seed?.close();
  }

  /** Resolves when nothing is being done any more. */
  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled([...this.#work]);
  }

  #keep<Result>(work: Promise<Result>): Promise<Result | undefined> {
    const kept = work.catch((error: unknown) => {
      if (error instanceof KeyferryError && error.code === 'ERR_HSM_SELF_TEST') {
        this.#fail(error.message);
        return undefined;
      }
      // A failure here is of the database or of this program; what is not committed is done again after the next message or start.
      this.#services.channel.auditRefusal(
        reject('TOKEN', null, error instanceof Error ? error.message : 'unknown failure'),
      );
      return undefined;
    });
    this.#work.add(kept);
    void kept.finally(() => this.#work.delete(kept));
    return kept;
  }

  /** A line in the audit about the agent itself. */
  #note(code: string, detail: string): void {
    this.#parts.audit.record({
      code,
      sid: null,
      kid: null,
      peer: null,
      keyId: null,
      field: null,
      detail,
      strategy: null,
    });
  }

  #fail(detail: string): void {
    if (this.#state === 'ERROR') return;
    this.#state = 'ERROR';
    this.#error = detail;
    this.#services.channel.auditRefusal(reject('SELFTEST', null, detail));
  }

  /**
   * Handles one message from the network; resolves when it may be forgotten there. Whatever is wrong with it is a line in the audit.
   *
   * @throws what the database throws: the network keeps the message then
   */
  async receive(octets: Uint8Array): Promise<void> {
    if (this.#state !== 'RUNNING') return;
    if (this.#inbound >= LIMITS.inboundMessagesMax) {
      this.#services.channel.auditRefusal(
        reject('LIMIT', null, 'More messages at once than this region handles; one is dropped.'),
      );
      return;
    }
    this.#inbound += 1;
    const handled = this.#seed === undefined ? this.#handle(octets) : this.#seed.receive(octets);
    const kept = handled.then(
      () => undefined,
      () => undefined,
    );
    this.#work.add(kept);
    try {
      await handled;
    } finally {
      this.#inbound -= 1;
      this.#work.delete(kept);
    }
  }

  async #handle(octets: Uint8Array): Promise<void> {
    const { channel, clock } = this.#services;
    const atMs = clock.nowMs();
    let opened = await channel.open(octets);
    if (opened.kind === 'reject') {
      // A roster proves itself: it may teach this region the very key that signed the message.
      if (this.#applyAttached(opened.payload)) opened = await channel.open(octets);
      if (opened.kind === 'reject') return this.#refused(octets, opened, atMs);
    }
    const { message, jws } = opened;
    const refusal = await this.#dispatch(opened);
    const verification = refusal?.code ?? 'ok';
    channel.traceMessage('received', octets, { peer: message.envelope.issuer, verification, atMs });
    if (refusal === null) return;
    // One line says that the region stops, whoever found out first: the HSM, or a check of the agent's own.
    if (refusal.code === 'SELFTEST') return this.#fail(refusal.detail);
    channel.auditRefusal(refusal, { kid: jws.kid, sid: message.envelope.sid, peer: message.envelope.issuer });
  }

  /** Takes rosters that are attached to a message nobody has vouched for yet. */
  #applyAttached(payload: JsonObject | null): boolean {
    const attached = payload?.['rosters'];
    if (!Array.isArray(attached) || attached.length > LIMITS.rostersPerMessageMax) return false;
    return this.applyRosters(attached.filter((item): item is string => typeof item === 'string')).applied > 0;
  }

  async #refused(octets: Uint8Array, refused: RefusedMessage, atMs: number): Promise<void> {
    const { channel } = this.#services;
    channel.traceMessage('received', octets, { peer: null, verification: refused.code, atMs });
    channel.auditRefusedMessage(refused);
    await this.#rosters.answerRefused(octets, refused);
  }

  async #dispatch(opened: OpenedMessage): Promise<Reject | null> {
    const { message, jws } = opened;
    await this.#rosters.noteEpoch(opened);
    switch (message.name) {
      case 'intent': {
        const refusal = await this.#destination.onIntent(opened, message);
        if (refusal?.code === 'EPOCH_STALE')
          await this.#rosters.send(message.envelope.issuer, message.envelope.epoch, jws.messageId);
        return refusal;
      }
      case 'offer':
        return this.#source.onOffer(opened, message);
      case 'transfer':
        return this.#destination.onTransfer(opened, message);
      case 'confirm':
        return this.#source.onConfirm(opened, message);
      case 'close':
        return this.#destination.onClose(message, (compact) => messageIdOf(compact.slice(0, compact.lastIndexOf('.'))));
      case 'abort':
        this.applyRosters(message.body.rosters);
        if (message.body.intent === null) return null;
        return message.envelope.role === 'D' ? this.#source.onAbort(message) : this.#destination.onAbort(message);
      case 'query':
        if (message.body.intent === null) return null;
        return message.envelope.role === 'S' ? this.#destination.onQuery(message) : null;
      case 'status':
        return null;
    }
  }

  /**
   * Takes rosters in order of epoch, from a peer or an operator.
   *
   * @returns how many were new, and the first refusal
   */
  applyRosters(compacts: readonly string[]): { readonly applied: number; readonly refusal: Reject | null } {
    let applied = 0;
    let refusal: Reject | null = null;
    const { book, clock } = this.#services;
    for (const compact of compacts) {
      const before = book.current;
      const result = book.apply(compact);
      if (isReject(result)) {
        refusal ??= result;
        this.#services.channel.auditRefusal(result);
        continue;
      }
      if (result === 'known') continue;
      applied += 1;
      const epoch = book.current?.epoch ?? 0n;
      const detail = `epoch ${epoch} at ${clock.nowMs()}`;
      this.#note('REPL_ROSTER', detail);
      this.#endSessionsOfRevokedKeys(before?.epoch ?? epoch, epoch);
    }
    if (applied > 0) {
      this.#source.onRosters();
      for (const octets of this.#rosters.takeHeld()) void this.#keep(this.receive(octets));
      this.wake();
    }
    return { applied, refusal };
  }

  #endSessionsOfRevokedKeys(before: bigint, epoch: bigint): void {
    const { book } = this.#services;
    for (const region of book.current?.regions ?? []) {
      const revoked = region.rsk.some(
        (key) => key.state === 'revoked' && key.sinceEpoch > before && key.sinceEpoch <= epoch,
      );
      if (!revoked) continue;
      this.#source.giveUpSessionsWith(region.region);
      void this.#keep(this.#destination.giveUpOffersOf(region.region));
    }
  }

  /** Looks at the timers: resends, expiries, waiting replications, and once an hour the sweep. */
  async tick(): Promise<void> {
    if (this.#state !== 'RUNNING') return;
    if (this.#ticking !== undefined) return this.#ticking;
    this.#ticking = this.#tick();
    try {
      await this.#ticking;
    } finally {
      this.#ticking = undefined;
    }
  }

  async #tick(): Promise<void> {
    const { clock, times, journal } = this.#services;
    if (this.#seed !== undefined) return this.#seed.tick();
    await this.#source.tick();
    await this.#destination.tick();
    if (clock.monotonicMs() >= this.#nextSweepMs) {
      this.#nextSweepMs = clock.monotonicMs() + times.sweepIntervalMs;
      journal.prune(clock.nowMs() - LIMITS.sessionRetentionMs);
      await this.#destination.recover();
    }
    this.wake();
  }

  /** Notes durably that a key is to be replicated; call inside the store's transaction, and {@link wake} after it. */
  begin(args: { readonly keyId: string; readonly destination: string }): void {
    this.#source.begin(args.keyId, args.destination);
  }

  /** Starts what is wanted, soon. */
  wake(): void {
    if (this.#starting) {
      this.#startAgain = true;
      return;
    }
    if (this.#state !== 'RUNNING') return;
    this.#starting = true;
    void this.#keep(this.#startWanted());
  }

  async #startWanted(): Promise<void> {
    try {
      do {
        this.#startAgain = false;
        await (this.#seed ?? this.#source).startWanted();
      } while (this.#startAgain && this.#state === 'RUNNING');
    } finally {
      this.#starting = false;
    }
  }

  /**
   * A new multi-Region key's identity.
   *
   * @throws {@link ReplicationError} `ERR_REPL_UNAVAILABLE`, `ERR_REPL_NO_ROSTER`, `ERR_REPL_NO_ACTIVE_RSK`; `HsmError`
   */
  async issueBirth(args: {
    readonly keySpec: string;
    readonly keyUsage: string;
    readonly origin: string;
  }): Promise<{ readonly keyId: string; readonly birthCertificate: string }> {
    if (this.#state === 'ERROR')
      throw new ReplicationError('ERR_REPL_UNAVAILABLE', `the replication agent has stopped: ${this.#error ?? ''}`);
    return bearKey(this.#services, args);
  }

  /** Why a chosen key id cannot be one of a key that is born here, for people; undefined where the authority says it is. */
  refusalOfBirth(chosen: ChosenBirth): Promise<string | undefined> {
    return refusalOfBirth(this.#services, chosen);
  }

  /** Regions that the roster lists. */
  regions(): readonly string[] {
    return this.#services.book.current?.regions.map((region) => region.region) ?? [];
  }

  /** Why a key cannot be replicated there, for people; undefined where it can. */
  refusal(destination: string): string | undefined {
    if (this.#state === 'ERROR') return `the replication agent of this region has stopped: ${this.#error ?? ''}`;
    return refusalOfDestination(this.#services.book.current, this.#services.region, destination);
  }

  /** Why a key's primary Region cannot be changed, for people; undefined where it can. */
  refusalOfHandover(keyId: string): string | undefined {
    return this.#seed === undefined ? refusalOfHandover(this.#services, keyId) : 'profile seed has no hand-overs';
  }

  /** The data suite that every region can do, the preferred first. */
  commonDataSuite(): DataSuite | undefined {
    return commonDataSuite(this.#services.book.current);
  }

  /** Shows every message, token step and change of a session to a listener, until the returned function is called. */
  observe(listener: (event: TraceEvent) => void): () => void {
    return this.#trace.listen(listener);
  }

  status(): ReplicationStatus {
    const { region, partition, book, journal } = this.#services;
    return {
      region,
      partition,
      profile: this.#parts.profile ?? 'full',
      state: this.#state,
      error: this.#error,
      epoch: book.current?.epoch.toString() ?? null,
      rosterHash: book.current?.hash ?? null,
      ...sessionsOf(journal, this.#services.handovers),
    };
  }
}
