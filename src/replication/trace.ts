import type { JsonObject } from '../wire/strict_json.js';

/** What an observer of a region sees: every message, every step in the token, every change of a session. */
export type TraceEvent =
  | {
      readonly kind: 'sent' | 'received';
      readonly atMs: number;
      /** `M0` … `MX`, or the type of what was no message of this protocol. */
      readonly label: string;
      readonly peer: string | null;
      readonly sid: string | null;
      readonly keyIds: readonly string[];
      readonly kid: string | null;
      /** Octets of the compact form. */
      readonly octets: number;
      /** Identity: base64url of SHA-384 of the signing input. */
      readonly messageId: string | null;
      /** Decoded payload; null where it could not be read. */
      readonly payload: JsonObject | null;
      /** `ok`, or the code of the refusal. */
      readonly verification: string;
    }
  | {
      readonly kind: 'token';
      readonly atMs: number;
      readonly step: TokenStep;
      readonly sid: string | null;
      readonly strategy: string | null;
      readonly mechanism: string | null;
      readonly microseconds: number;
      /** `ok`, or the error's code. */
      readonly outcome: string;
    }
  | {
      readonly kind: 'session';
      readonly atMs: number;
      readonly role: 'source' | 'destination';
      readonly sid: string | null;
      readonly intent: string;
      readonly peer: string;
      readonly keyIds: readonly string[];
      readonly state: string;
      readonly code: string | null;
    };

/** Token steps by the method of `ReplicationHsm`. */
export type TokenStep =
  'random' | 'sign' | 'generateAgreementKey' | 'agree' | 'wrap' | 'unwrap' | 'confirm' | 'release';

/** Sends trace events to whoever listens; a listener that throws is let go. */
export class Trace {
  readonly #listeners = new Set<(event: TraceEvent) => void>();

  /** @returns a function that ends the listening */
  listen(listener: (event: TraceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  emit(event: TraceEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // An observer must not be able to stop a replication.
        this.#listeners.delete(listener);
      }
    }
  }
}
