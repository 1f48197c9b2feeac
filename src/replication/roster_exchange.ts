import { parseCounter } from '../wire/names.js';
import type { OpenedMessage, RefusedMessage } from './channel.js';
import { classifyHsmFailure } from './hsm_failure.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import type { Services } from './services.js';

/** Brings regions to the same roster: who is behind is sent what it lacks, who is ahead is asked. */
export class RosterExchange {
  readonly #services: Services;
  /** Monotonic time of the last exchange by kind and peer; bounded by the regions of the roster. */
  readonly #lastMs = new Map<string, number>();
  /** The last message of each peer whose epoch is not known here yet. */
  readonly #held = new Map<string, Uint8Array>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Whether an exchange of a kind with a peer is due; notes it where it is. */
  #isDue(kind: string, peer: string): boolean {
    const { book, clock, region } = this.#services;
    if (peer === region || book.region(peer) === undefined) return false;
    const name = `${kind} ${peer}`;
    const nowMs = clock.monotonicMs();
    const last = this.#lastMs.get(name);
    if (last !== undefined && nowMs - last < LIMITS.rosterExchangeMs) return false;
    this.#lastMs.set(name, nowMs);
    return true;
  }

  /** A verified message of an older epoch that asks for something: the peer is sent what it lacks. */
  async noteEpoch(opened: OpenedMessage): Promise<void> {
    const { envelope, name } = opened.message;
    const current = this.#services.book.current;
    if (
      name === 'query' &&
      current !== undefined &&
      envelope.epoch < current.epoch &&
      this.#isDue('send', envelope.issuer)
    ) {
      await this.send(envelope.issuer, envelope.epoch, null);
    }
  }

  /** What a refused message says about rosters. */
  async answerRefused(octets: Uint8Array, refused: RefusedMessage): Promise<void> {
    const current = this.#services.book.current;
    const peer = refused.payload?.['iss'];
    const claimed = refused.payload?.['epoch'];
    const epoch = typeof claimed === 'string' ? parseCounter(claimed) : null;
    if (typeof peer !== 'string' || epoch === null || current === undefined) return;
    const ahead = refused.code === 'EPOCH_AHEAD' || (refused.code === 'KID_STATE' && epoch > current.epoch);
    if (ahead && this.#services.book.region(peer) !== undefined) {
      this.#held.set(peer, octets);
      if (this.#isDue('ask', peer)) await this.#ask(peer);
    }
    // Only a peer that has proved who it is is sent anything.
    if (refused.code === 'EPOCH_STALE' && refused.authentic && this.#isDue('send', peer))
      await this.send(peer, epoch, null);
  }

  /** Messages that were ahead; each is looked at once more after a new roster. */
  takeHeld(): readonly Uint8Array[] {
    const held = [...this.#held.values()];
    this.#held.clear();
    return held;
  }

  async #ask(peer: string): Promise<void> {
    const { channel } = this.#services;
    try {
      const sealed = await channel.seal(
        'query',
        { destination: peer, role: 'D', sid: null, prev: null },
        { intent: null },
        this.#services.hsm(null),
      );
      channel.release(peer, sealed.compact);
    } catch (error) {
      classifyHsmFailure(error);
    }
  }

  /** MX with code `EPOCH_STALE` and the rosters after `epoch`; ends the session of `intent` where one is named. */
  async send(peer: string, epoch: bigint, intent: string | null): Promise<void> {
    const { channel, book } = this.#services;
    const rosters = book.since(epoch, {
      countMax: LIMITS.rostersPerMessageMax,
      octetsMax: LIMITS.rosterOctetsPerMessageMax,
    });
    if (rosters.length === 0) return;
    try {
      const sealed = await channel.seal(
        'abort',
        { destination: peer, role: 'D', sid: null, prev: intent },
        { intent, code: 'EPOCH_STALE', state: 'UNKNOWN', highWater: null, rosters },
        this.#services.hsm(null),
      );
      channel.release(peer, sealed.compact);
    } catch (error) {
      classifyHsmFailure(error);
    }
  }
}
