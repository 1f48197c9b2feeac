/**
 * The session state machine of both roles: a row and an event in, the next row and what to do out. Pure; the caller commits the row
 * (with the effects marked so) in one transaction and only then releases messages.
 *
 * @source docs/PROTOCOL.md section 6
 */
import type { RefusalCode } from '../wire/refusal.js';
import type { DestinationSession, SourceSession } from './journal.js';

/** Why a session ended without a replica. */
export type AbortCode =
  | RefusalCode
  | 'RECOVERED' // the process ended in the middle; its agreement key is gone
  | 'EXPIRED' // the offer was not used in time
  | 'SUPERSEDED' // a newer generation of the same key
  | 'UNKNOWN_SESSION' // the destination does not know the session, and never will
  | 'UNDONE' // a hand-over that the destination has not answered
  | 'PEER'; // the other side ended it

/** Ends that say nothing against a new session for the same key. */
const RESTARTABLE: ReadonlySet<string> = new Set<AbortCode>([
  'RECOVERED',
  'EXPIRED',
  'SUPERSEDED',
  'UNKNOWN_SESSION',
  'SESSION_LOST',
  'EPOCH_STALE',
  'EPOCH',
  'TOKEN',
]);

/** Whether the source begins anew after an end with this code. */
export function isRestartable(code: string): boolean {
  return RESTARTABLE.has(code);
}

/** What follows from an event, in this order: the row, what is committed with it, then messages. */
export interface SourceStep {
  /** Row to commit; undefined where nothing changes. */
  readonly row?: SourceSession;
  /** Committed with the row: the keys are confirmed, have failed for good, or are to be sent again in a new session. */
  readonly commit?: 'confirmed' | 'failed' | 'again';
  /** The destination itself has ended a session in which it was sent something: it will not install that. */
  readonly isRefusedTransfer?: boolean;
  /** Sent after the commit: these octets, persisted in the row. */
  readonly send?: string;
  /** Token work to do now. */
  readonly work?: 'export';
  readonly refusal?: { readonly code: RefusalCode; readonly field: string; readonly detail: string };
}

/** What can happen to a session at the source. */
export type SourceEvent =
  | { readonly kind: 'offer'; readonly messageId: string }
  | {
      readonly kind: 'exported';
      readonly sid: string;
      readonly offer: string;
      readonly transfer: string;
      readonly confirmationHash: string;
      readonly message: string;
    }
  /** The export cannot be done; `message` is the MX for the destination. */
  | { readonly kind: 'export-failed'; readonly code: AbortCode; readonly message: string | null }
  | {
      readonly kind: 'confirm';
      readonly sid: string;
      readonly prev: string;
      readonly confirmationHash: string;
      readonly message: string;
    }
  | { readonly kind: 'abort'; readonly sid: string | null; readonly code: string }
  /** A peer's signing key was revoked, or the operator gives the session up. */
  | { readonly kind: 'give-up'; readonly code: AbortCode }
  | { readonly kind: 'resend' };

function refusal(code: RefusalCode, field: string, detail: string): SourceStep & DestinationStep {
  return { refusal: { code, field, detail } };
}

function endSource(row: SourceSession, code: string, message: string | null): SourceStep {
  return {
    row: { ...row, state: 'ABORTED', code, message },
    commit: isRestartable(code) ? 'again' : 'failed',
    ...(message === null ? {} : { send: message }),
  };
}

function stepOffer(row: SourceSession, event: SourceEvent & { kind: 'offer' }): SourceStep {
  switch (row.state) {
    case 'INTENT':
      return { work: 'export' };
    case 'SENT':
      if (row.offer !== event.messageId) return refusal('DUPLICATE', 'prev', 'Another offer has been acted on.');
      return row.message === null ? {} : { send: row.message };
    case 'DONE':
    case 'ABORTED':
      return refusal('PREV', 'prev', 'The session that this offer answers has ended.');
  }
}

function stepConfirm(row: SourceSession, event: SourceEvent & { kind: 'confirm' }): SourceStep {
  if (row.state === 'INTENT' || row.sid !== event.sid)
    return refusal('SID', 'sid', 'No transfer was sent in that session.');
  if (row.transfer !== event.prev) return refusal('PREV', 'prev', 'Not an answer to the transfer that was sent.');
  if (row.confirmationHash !== event.confirmationHash)
    return refusal('KC', 'kcD', 'The destination has not derived the same keys.');
  switch (row.state) {
    case 'SENT':
      return { row: { ...row, state: 'DONE', message: event.message }, commit: 'confirmed', send: event.message };
    case 'DONE':
      return row.message === null ? {} : { send: row.message };
    case 'ABORTED':
      return refusal('SID', 'sid', 'The session was given up.');
  }
}

/** One step at the source. */
export function stepSource(row: SourceSession, event: SourceEvent): SourceStep {
  switch (event.kind) {
    case 'offer':
      return stepOffer(row, event);
    case 'exported':
      if (row.state !== 'INTENT') return {};
      return {
        row: {
          ...row,
          state: 'SENT',
          sid: event.sid,
          offer: event.offer,
          transfer: event.transfer,
          confirmationHash: event.confirmationHash,
          message: event.message,
        },
        send: event.message,
      };
    case 'export-failed':
      return row.state === 'INTENT' ? endSource(row, event.code, event.message) : {};
    case 'confirm':
      return stepConfirm(row, event);
    case 'abort':
      // A session in doubt ends by the destination's word about that very session, and by nothing else.
      if (row.state === 'SENT' && row.sid !== event.sid)
        return refusal('SID', 'sid', 'The abort is about another session.');
      return row.state === 'INTENT' || row.state === 'SENT'
        ? { ...endSource(row, event.code, null), isRefusedTransfer: row.state === 'SENT' }
        : {};
    case 'give-up':
      return row.state === 'INTENT' || row.state === 'SENT' ? endSource(row, event.code, null) : {};
    case 'resend':
      return (row.state === 'INTENT' || row.state === 'SENT') && row.message !== null ? { send: row.message } : {};
  }
}

/** What follows from an event at the destination. */
export interface DestinationStep {
  readonly row?: DestinationSession;
  /**
   * The row need not wait for the disk: nothing is sent for it, and what a restart does is the same with the row before it. True for
   * `UNWRAPPING` (as `OFFERED`, it ends in `RECOVERED`) and for the note that the source knows (M3 is sent once more, and M4 answers it).
   */
  readonly isOrderedOnly?: boolean;
  /** Committed with the row: replicas are announced, installed, or withdrawn where they never got material. */
  readonly commit?: 'announce' | 'install' | 'withdraw';
  readonly send?: string;
  readonly work?: 'unwrap';
  readonly refusal?: { readonly code: RefusalCode; readonly field: string; readonly detail: string };
}

/** What can happen to a session at the destination. */
export type DestinationEvent =
  | { readonly kind: 'offered' }
  | { readonly kind: 'intent-again' }
  | { readonly kind: 'transfer'; readonly messageId: string; readonly prev: string }
  | { readonly kind: 'unwrapped'; readonly message: string }
  | { readonly kind: 'abort'; readonly code: AbortCode; readonly message: string | null }
  | { readonly kind: 'peer-abort' }
  | { readonly kind: 'close'; readonly prev: string; readonly confirm: string }
  | { readonly kind: 'query' };

function stepTransfer(row: DestinationSession, event: DestinationEvent & { kind: 'transfer' }): DestinationStep {
  switch (row.state) {
    case 'OFFERED':
      if (row.offer !== event.prev) return refusal('PREV', 'prev', 'Not an answer to the offer of this session.');
      return { row: { ...row, state: 'UNWRAPPING', transfer: event.messageId }, isOrderedOnly: true, work: 'unwrap' };
    case 'UNWRAPPING':
    case 'INSTALLED':
      if (row.transfer !== event.messageId)
        return refusal('FORK', 'sid', 'A second, different transfer in one session.');
      return row.state === 'INSTALLED' && row.message !== null ? { send: row.message } : {};
    case 'ABORTED':
      return row.message === null ? refusal('SID', 'sid', 'The session has ended.') : { send: row.message };
  }
}

/** One step at the destination. */
export function stepDestination(row: DestinationSession, event: DestinationEvent): DestinationStep {
  switch (event.kind) {
    case 'offered':
      return { row, commit: 'announce', ...(row.message === null ? {} : { send: row.message }) };
    case 'intent-again':
    case 'query':
      return row.state === 'UNWRAPPING' || row.message === null ? {} : { send: row.message };
    case 'transfer':
      return stepTransfer(row, event);
    case 'unwrapped':
      if (row.state !== 'UNWRAPPING') return {};
      return { row: { ...row, state: 'INSTALLED', message: event.message }, commit: 'install', send: event.message };
    case 'abort':
      // The session ended while nothing could be signed: now the source can be told.
      if (row.state === 'ABORTED' && row.message === null && event.message !== null) {
        return { row: { ...row, message: event.message }, send: event.message };
      }
      // INSTALLED is never left: the source may have been told.
      if (row.state !== 'OFFERED' && row.state !== 'UNWRAPPING') return {};
      return {
        row: { ...row, state: 'ABORTED', code: event.code, message: event.message },
        commit: 'withdraw',
        ...(event.message === null ? {} : { send: event.message }),
      };
    case 'peer-abort':
      if (row.state !== 'OFFERED') return {};
      return { row: { ...row, state: 'ABORTED', code: 'PEER', message: null }, commit: 'withdraw' };
    case 'close':
      if (row.state !== 'INSTALLED') return refusal('SID', 'sid', 'Nothing was installed in that session.');
      if (event.prev !== event.confirm)
        return refusal('PREV', 'prev', 'Not an answer to the confirmation that was sent.');
      return row.closed ? {} : { row: { ...row, closed: true }, isOrderedOnly: true };
  }
}
