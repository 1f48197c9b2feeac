import { reject } from '../wire/refusal.js';
import { classifyHsmFailure } from './hsm_failure.js';
import type { OpenOffer } from './import_checks.js';
import type { DestinationSession } from './journal.js';
import type { AgreementKey } from './replication_hsm.js';
import type { Services } from './services.js';

/** Offers whose agreement key this process holds, by sid; all of it is lost with the process. */
export class OpenOffers {
  readonly #services: Services;
  readonly #offers = new Map<string, OpenOffer>();
  /** Offers that are being made, by source: they count before they are committed. */
  readonly #reserved = new Map<string, number>();

  constructor(services: Services) {
    this.#services = services;
  }

  get(sid: string): OpenOffer | undefined {
    return this.#offers.get(sid);
  }

  has(sid: string): boolean {
    return this.#offers.has(sid);
  }

  set(sid: string, offer: OpenOffer): void {
    this.#offers.set(sid, offer);
  }

  /** Gives the agreement key over to who asks; it is theirs to destroy. */
  take(sid: string): void {
    this.#offers.delete(sid);
  }

  entries(): readonly (readonly [string, OpenOffer])[] {
    return [...this.#offers];
  }

  /** Offers of a source that are open or being made. */
  countOf(source: string): number {
    const open = [...this.#offers.values()].filter((offer) => offer.intent.envelope.issuer === source).length;
    return open + (this.#reserved.get(source) ?? 0);
  }

  /** Counts an offer while it is being made. */
  async reserve<Result>(source: string, make: () => Promise<Result>): Promise<Result> {
    this.#reserved.set(source, (this.#reserved.get(source) ?? 0) + 1);
    try {
      return await make();
    } finally {
      const left = (this.#reserved.get(source) ?? 1) - 1;
      if (left === 0) this.#reserved.delete(source);
      else this.#reserved.set(source, left);
    }
  }

  /** Sessions of older generations of the same keys. */
  olderThan(row: DestinationSession): readonly DestinationSession[] {
    const ids = new Set(row.keys.map((key) => key.keyId));
    return [...this.#offers.keys()].flatMap((sid) => {
      const old = this.#services.journal.destinationSession(sid);
      const same = old?.source === row.source && old.keys.some((key) => ids.has(key.keyId));
      return old !== undefined && old.state === 'OFFERED' && same ? [old] : [];
    });
  }

  /** Forgets an offer and destroys its agreement key. */
  async drop(sid: string): Promise<void> {
    const offer = this.#offers.get(sid);
    this.#offers.delete(sid);
    if (offer !== undefined) await this.destroy(offer.rakb);
  }

  /** Destroys an agreement key; where it stays in the token, the audit says so. */
  async destroy(key: AgreementKey): Promise<void> {
    try {
      await this.#services.hsm(null).release(key);
    } catch (error) {
      const failure = classifyHsmFailure(error);
      this.#services.channel.auditRefusal(reject(failure.code, null, failure.detail), {});
    }
  }
}
