import { utf8 } from '../bytes.js';
import type { Clock } from '../clock.js';
import {
  checkSignature,
  encodeSigningInput,
  messageIdOf,
  parseJws,
  parsePayload,
  signSigningInput,
  type SignatureCheck,
  type UnverifiedJws,
} from '../wire/jws.js';
import { accepted, isReject, refuse, refusingLater, reject, type Reject } from '../wire/refusal.js';
import type { JsonObject } from '../wire/strict_json.js';
import { ReplicationError } from './errors.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { MESSAGES, messageOfTyp, typOf, type Bodies, type Message, type MessageName } from './message.js';
import { decodeMessage, encodeMessage } from './message_codec.js';
import type { ReplicationAudit, Transport } from './ports.js';
import type { ReplicationHsm } from './replication_hsm.js';
import type { RosterBook } from './roster_book.js';
import type { Trace } from './trace.js';

/** A message that came from who it says and is for this region. */
export interface OpenedMessage {
  readonly kind: 'opened';
  readonly jws: UnverifiedJws;
  readonly message: Message;
}

/** A message that was refused, with what could be learned of it without believing it. */
export interface RefusedMessage extends Reject {
  readonly jws: UnverifiedJws | null;
  /** Payload as it is written, which nobody has vouched for unless `authentic`. */
  readonly payload: JsonObject | null;
  /** Whether the signature was good: then `payload` is what a listed region said. */
  readonly authentic: boolean;
}

/** A message of our own before it is signed. */
export interface UnsignedMessage {
  readonly kid: string;
  readonly signingInput: string;
  readonly messageId: string;
}

/** A message of our own, signed. */
export interface SealedMessage extends UnsignedMessage {
  readonly compact: string;
}

/** Where a message goes, and what it belongs to. */
export interface Address {
  readonly destination: string;
  readonly role: 'S' | 'D';
  readonly sid: string | null;
  readonly prev: string | null;
  /** The newest roster's where it is left out. */
  readonly epoch?: bigint;
}

function textMember(payload: JsonObject | null, name: string): string | null {
  const value = payload?.[name];
  return typeof value === 'string' && value.length <= 64 ? value : null;
}

/** What a channel is made of. */
export interface ChannelParts {
  readonly region: string;
  readonly partition: string;
  readonly book: RosterBook;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly audit: ReplicationAudit;
  readonly trace: Trace;
  readonly verifySignature: SignatureCheck;
}

/** Signs what leaves and verifies what comes; knows who may speak, and nothing of sessions. */
export class Channel {
  readonly #args: ChannelParts;
  /** Messages that the network has not taken over yet, so that a resend does not pile up behind them. */
  readonly #leaving = new Set<string>();

  constructor(args: ChannelParts) {
    this.#args = args;
  }

  /**
   * Signs a message with the region's newest RSK that is active at the session's epoch.
   *
   * @throws {@link ReplicationError} `ERR_REPL_NO_ROSTER`, `ERR_REPL_NO_ACTIVE_RSK`; `HsmError` of the token
   */
  async seal<Name extends MessageName>(
    name: Name,
    envelope: Address,
    body: Bodies[Name],
    hsm: ReplicationHsm,
  ): Promise<SealedMessage> {
    return this.sign(this.compose(name, envelope, body), hsm);
  }

  /** Signs what {@link compose} has made. */
  async sign(message: UnsignedMessage, hsm: ReplicationHsm): Promise<SealedMessage> {
    const compact = await signSigningInput(message.kid, message.signingInput, (kid, octets) => hsm.sign(kid, octets));
    return { ...message, compact };
  }

  /**
   * Makes the octets of a message that the region's newest RSK at the session's epoch is to sign.
   *
   * @throws {@link ReplicationError} `ERR_REPL_NO_ROSTER`, `ERR_REPL_NO_ACTIVE_RSK`
   */
  compose<Name extends MessageName>(name: Name, envelope: Address, body: Bodies[Name]): UnsignedMessage {
    const { book, region, partition, clock } = this.#args;
    const epoch = envelope.epoch ?? book.current?.epoch;
    const roster = epoch === undefined ? undefined : book.at(epoch);
    if (roster === undefined)
      throw new ReplicationError('ERR_REPL_NO_ROSTER', `region ${region} has no roster of that epoch`);
    const kid = this.signingKid(roster.epoch);
    const nowMs = clock.nowMs();
    const message = {
      name,
      envelope: {
        partition,
        sid: envelope.sid,
        issuer: region,
        destination: envelope.destination,
        role: envelope.role,
        epoch: roster.epoch,
        rosterHash: roster.hash,
        prev: envelope.prev,
        issuedAtMs: nowMs,
        expiresAtMs: nowMs + LIMITS.advisoryLifetimeMs,
      },
      body,
    } as Message;
    const signingInput = encodeSigningInput({ kid, typ: typOf(name) }, encodeMessage(message));
    return { kid, signingInput, messageId: messageIdOf(signingInput) };
  }

  /** The RSK of this region that signs in sessions of an epoch: the one that became active last. */
  signingKid(epoch: bigint): string {
    const { book, region } = this.#args;
    const active = new Set(book.activeKids(region, epoch));
    const keys = (book.region(region, epoch)?.rsk ?? []).filter((key) => active.has(key.kid));
    const newest = keys.reduce(
      (best, key) => (best === undefined || key.sinceEpoch >= best.sinceEpoch ? key : best),
      keys[0],
    );
    if (newest === undefined) {
      throw new ReplicationError(
        'ERR_REPL_NO_ACTIVE_RSK',
        `the roster of epoch ${epoch} lists no active RSK of region ${region}`,
      );
    }
    return newest.kid;
  }

  /** Reads a message as far as it can be trusted; every check that needs no session. */
  async open(octets: Uint8Array): Promise<OpenedMessage | RefusedMessage> {
    let jws: UnverifiedJws | null = null;
    let payload: JsonObject | null = null;
    let authentic = false;
    const opened = await refusingLater(async (): Promise<OpenedMessage> => {
      jws = accepted(parseJws(octets));
      const name = messageOfTyp(jws.typ) ?? refuse('TYP', 'typ', 'Not a message of this protocol.');
      const { book, verifySignature } = this.#args;
      const known = book.key(jws.kid);
      if (known === undefined) {
        // Nobody vouches for it; it is looked at only because it may carry rosters, which vouch for themselves.
        const unverified = parsePayload(jws);
        payload = isReject(unverified) ? null : unverified;
        return refuse('KID_STATE', 'kid', 'The signing key is unknown.');
      }
      const refusal = await checkSignature(jws, known.key, verifySignature);
      if (refusal !== null) refuse(refusal.code, refusal.field, refusal.detail);
      payload = accepted(parsePayload(jws));
      authentic = true;
      const message = accepted(decodeMessage(name, payload));
      // After the signature, because rosters may have come while it was verified.
      this.#checkParties(message, jws.kid, known.region);
      return { kind: 'opened', jws, message };
    });
    return isReject(opened) ? { ...opened, jws, payload, authentic } : opened;
  }

  #checkParties(message: Message, kid: string, kidRegion: string): void {
    const { book, partition, region } = this.#args;
    const { envelope } = message;
    if (envelope.partition !== partition) refuse('PARTITION', 'part', 'A message of another partition.');
    if (envelope.issuer !== kidRegion) refuse('KID_REGION', 'iss', 'Signed with the key of another region.');
    if (envelope.issuer === region) {
      if (envelope.destination === region) refuse('SELF', 'iss', 'A message of this region to itself.');
      refuse('TYP', 'iss', 'A message of this region came back to it.');
    }
    if (envelope.destination !== region) refuse('DST', 'dst', 'A message to another region.');
    if (book.isRevoked(kid)) refuse('KID_STATE', 'kid', 'The signing key is revoked.');
    const roster = book.at(envelope.epoch);
    if (roster === undefined) {
      const ahead = book.current === undefined || envelope.epoch > book.current.epoch;
      refuse(ahead ? 'EPOCH_AHEAD' : 'EPOCH_STALE', 'epoch', `No roster of epoch ${envelope.epoch} here.`);
    }
    if (roster.hash !== envelope.rosterHash) refuse('ROSTER_FORK', 'rosterHash', 'Another roster of the same epoch.');
    if (!book.isActive(kid, envelope.epoch)) refuse('KID_STATE', 'kid', 'The signing key is not active at that epoch.');
  }

  /** Hands a message to the network; a failure is not reported, because everything that matters is sent again. */
  release(destination: string, compact: string): void {
    const { transport, trace } = this.#args;
    if (this.#leaving.has(compact) || this.#leaving.size >= LIMITS.outboundMessagesMax) return;
    this.#leaving.add(compact);
    if (trace.isWatched) this.traceMessage('sent', utf8(compact), { peer: destination, verification: 'ok' });
    transport.send(destination, utf8(compact)).then(
      () => this.#leaving.delete(compact),
      () => this.#leaving.delete(compact),
    );
  }

  /**
   * Shows a message to the observers.
   *
   * @param seen.atMs - when it came, which is before the token did anything about it; now where it is absent
   */
  traceMessage(
    kind: 'sent' | 'received',
    octets: Uint8Array,
    seen: { readonly peer: string | null; readonly verification: string; readonly atMs?: number },
  ): void {
    const { trace, clock } = this.#args;
    if (!trace.isWatched) return;
    const parsed = parseJws(octets);
    const jws = isReject(parsed) ? null : parsed;
    const parsedPayload = jws === null ? null : parsePayload(jws);
    const payload = parsedPayload === null || isReject(parsedPayload) ? null : parsedPayload;
    const name = jws === null ? undefined : messageOfTyp(jws.typ);
    const keys = payload?.['keys'];
    trace.emit({
      kind,
      atMs: seen.atMs ?? clock.nowMs(),
      label: name === undefined ? (jws?.typ.slice(0, 64) ?? 'unreadable') : MESSAGES[name].label,
      peer: seen.peer ?? textMember(payload, 'iss'),
      sid: textMember(payload, 'sid'),
      keyIds: Array.isArray(keys) ? keys.flatMap((key) => textMember(key as JsonObject, 'keyId') ?? []) : [],
      kid: jws?.kid ?? null,
      octets: octets.length,
      messageId: jws?.messageId ?? null,
      payload,
      verification: seen.verification,
    });
  }

  /** Writes one refusal into the audit. */
  auditRefusal(
    refusal: Reject,
    about: {
      readonly kid?: string | null;
      readonly sid?: string | null;
      readonly peer?: string | null;
      readonly keyId?: string | null;
    } = {},
  ): void {
    this.#args.audit.record({
      code: refusal.code,
      sid: about.sid ?? null,
      kid: about.kid ?? null,
      peer: about.peer ?? null,
      keyId: about.keyId ?? null,
      field: refusal.field,
      detail: refusal.detail,
      strategy: null,
    });
  }

  /** Writes the refusal of a message into the audit, with what the message says of itself. */
  auditRefusedMessage(refused: RefusedMessage): void {
    this.auditRefusal(reject(refused.code, refused.field, refused.detail), {
      kid: refused.jws?.kid ?? null,
      sid: textMember(refused.payload, 'sid'),
      peer: textMember(refused.payload, 'iss'),
    });
  }
}
