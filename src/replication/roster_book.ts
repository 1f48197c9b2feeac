import type { KeyObject } from 'node:crypto';
import type { VerifySignature } from '../wire/jws.js';
import { publicKeyOf } from '../wire/p384.js';
import { accepted, isReject, refusing, reject, type Reject } from '../wire/refusal.js';
import type { Journal } from './journal.js';
import {
  parseRoster,
  refusalOfSuccession,
  type CertificateKeys,
  type Roster,
  type RosterKey,
  type RosterRegion,
} from './roster.js';

/** One RSK over all rosters that are known. */
interface KnownKey {
  readonly region: string;
  readonly key: KeyObject;
}

/** All rosters that a region has accepted, verified from the first on, kept in its journal. */
export class RosterBook implements CertificateKeys {
  readonly #journal: Journal;
  readonly #partition: string;
  readonly #authorityKid: string;
  readonly #verifySignature: VerifySignature | undefined;
  readonly #rosters = new Map<bigint, Roster>();
  readonly #keys = new Map<string, KnownKey>();
  readonly #revoked = new Set<string>();
  #current: Roster | undefined;

  private constructor(args: {
    journal: Journal;
    partition: string;
    authorityKid: string;
    verifySignature?: VerifySignature;
  }) {
    this.#journal = args.journal;
    this.#partition = args.partition;
    this.#authorityKid = args.authorityKid;
    this.#verifySignature = args.verifySignature;
  }

  /**
   * Opens the rosters of a journal and verifies them again.
   *
   * @param authorityKid - thumbprint of the partition authority's key (base64url of SHA-384), from outside
   * @returns the book, or the refusal of a roster in the journal, which means that the database was changed
   */
  static open(args: {
    readonly journal: Journal;
    readonly partition: string;
    readonly authorityKid: string;
    readonly verifySignature?: VerifySignature;
  }): RosterBook | Reject {
    return refusing(() => {
      const book = new RosterBook(args);
      for (const compact of args.journal.rosters()) book.#take(accepted(book.#parse(compact)));
      return book;
    });
  }

  #parse(compact: string): Roster | Reject {
    return parseRoster({
      compact,
      partition: this.#partition,
      authorityKid: this.#authorityKid,
      ...(this.#verifySignature === undefined ? {} : { verifySignature: this.#verifySignature }),
    });
  }

  #take(roster: Roster): void {
    const refusal = this.#current === undefined ? null : refusalOfSuccession(this.#current, roster);
    if (refusal !== null) accepted(refusal === 'known' ? reject('ROSTER_FORK', 'epoch', 'A roster twice.') : refusal);
    this.#rosters.set(roster.epoch, roster);
    this.#current = roster;
    for (const region of roster.regions) {
      for (const entry of region.rsk) {
        // A kid is the thumbprint of its key: one kid never stands for two keys.
        const key = this.#keys.has(entry.kid) ? null : publicKeyOf(entry.jwk);
        if (key !== null) this.#keys.set(entry.kid, { region: region.region, key });
        if (entry.state === 'revoked') this.#revoked.add(entry.kid);
      }
    }
  }

  /**
   * Takes the next roster. The first one of a region comes from its operator; every later one proves itself.
   *
   * @returns `applied`, `known`, or a refusal; a refused roster changes nothing
   */
  apply(compact: string): 'applied' | 'known' | Reject {
    return refusing(() => {
      const known = [...this.#rosters.values()].some((roster) => roster.compact === compact);
      if (known) return 'known';
      const roster = accepted(this.#parse(compact));
      const verdict = this.#current === undefined ? null : accepted(refusalOfSuccession(this.#current, roster));
      if (verdict === 'known') return 'known';
      this.#journal.transaction(() => this.#journal.putRoster(roster.epoch, compact));
      this.#take(roster);
      return 'applied';
    });
  }

  /** The newest roster, or undefined before the first. */
  get current(): Roster | undefined {
    return this.#current;
  }

  /** The roster of an epoch that this region has seen. */
  at(epoch: bigint): Roster | undefined {
    return this.#rosters.get(epoch);
  }

  /** Compact rosters after an epoch, in order, within bounds of number and octets. */
  since(epoch: bigint, bounds: { readonly countMax: number; readonly octetsMax: number }): readonly string[] {
    const rosters: string[] = [];
    let octets = 0;
    for (let next = epoch + 1n; rosters.length < bounds.countMax; next += 1n) {
      const roster = this.#rosters.get(next);
      if (roster === undefined) break;
      octets += roster.compact.length;
      if (octets > bounds.octetsMax && rosters.length > 0) break;
      rosters.push(roster.compact);
    }
    return rosters;
  }

  /** A region of the newest roster. */
  region(name: string, epoch?: bigint): RosterRegion | undefined {
    const roster = epoch === undefined ? this.#current : this.#rosters.get(epoch);
    return roster?.regions.find((region) => region.region === name);
  }

  /** The key of a kid in any known roster, for looking at the signature; its state is a question of its own. */
  key(kid: string): KnownKey | undefined {
    return this.#keys.get(kid);
  }

  #entry(kid: string, epoch: bigint): RosterKey | undefined {
    for (const region of this.#rosters.get(epoch)?.regions ?? []) {
      const entry = region.rsk.find((candidate) => candidate.kid === kid);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  isRevoked(kid: string): boolean {
    return this.#revoked.has(kid);
  }

  /** Whether a message of a session of that epoch may be signed with a kid. */
  isActive(kid: string, epoch: bigint): boolean {
    return !this.#revoked.has(kid) && this.#entry(kid, epoch)?.state === 'active';
  }

  /** Kids of a region that may sign in sessions of an epoch, as listed. */
  activeKids(region: string, epoch: bigint): readonly string[] {
    const keys = this.region(region, epoch)?.rsk ?? [];
    return keys.filter((key) => this.isActive(key.kid, epoch)).map((key) => key.kid);
  }

  authorityKey(kid: string): KeyObject | null {
    const authority = this.#current?.authority;
    return authority === undefined || kid !== this.#authorityKid ? null : publicKeyOf(authority);
  }

  certificateKey(kid: string, region: string, epoch: bigint, field: string): KeyObject | Reject {
    const known = this.#keys.get(kid);
    if (known === undefined || this.#revoked.has(kid))
      return reject('KID_STATE', field, 'The signing key is unknown or revoked.');
    if (known.region !== region) return reject('KID_REGION', field, 'The signing key is of another region.');
    const current = this.#current;
    if (this.#rosters.has(epoch)) {
      if (!this.isActive(kid, epoch)) return reject('KID_STATE', field, 'The signing key was not active then.');
    } else {
      const state = current === undefined ? undefined : this.#entry(kid, current.epoch)?.state;
      if (state !== 'active' && state !== 'retiring')
        return reject('KID_STATE', field, 'The signing key is not active.');
    }
    return known.key;
  }
}

/** Opens a book or throws; for start-up, where a refusal means that the region cannot run. */
export function openRosterBook(args: Parameters<typeof RosterBook.open>[0]): RosterBook {
  const book = RosterBook.open(args);
  if (isReject(book)) throw new Error(`the rosters of this region are not valid: ${book.code}: ${book.detail}`);
  return book;
}
