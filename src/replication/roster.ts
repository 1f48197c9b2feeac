import type { KeyObject } from 'node:crypto';
import { parsePayload, parseJws, refusalOfSignature, type JsonInput, type VerifySignature } from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { isPublicKey, publicKeyOf, thumbprint, type PublicJwk } from '../wire/p384.js';
import { accepted, refuse, refusing, type Reject } from '../wire/refusal.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../wire/suite.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { REACH_MEMBERS, reachOf, readReach, type TokenReach } from './token_reach.js';

/** Type of a roster. */
export const ROSTER_TYP = 'mrkr1-roster+jws';

/** Life of an RSK in the roster; a removed one is no longer listed. */
export type RskState = 'pending' | 'active' | 'retiring' | 'revoked';
const RSK_STATES: readonly RskState[] = ['pending', 'active', 'retiring', 'revoked'];

/** Public half of one RSK. */
export interface RosterKey {
  readonly kid: string;
  readonly jwk: PublicJwk;
  readonly state: RskState;
  /** Epoch at which the key came into this state. */
  readonly sinceEpoch: bigint;
}

/** One region of the partition, as the authority enrolled it. */
export interface RosterRegion extends TokenReach {
  readonly region: string;
  readonly rsk: readonly RosterKey[];
  /** Weakest suite that this region may use. */
  readonly suiteFloor: ReplicationSuite;
}

/** What a roster says. */
export interface RosterContent {
  readonly partition: string;
  readonly epoch: bigint;
  /** Hash of the roster before this one; null for the first. */
  readonly prevRosterHash: string | null;
  readonly authority: PublicJwk;
  readonly regions: readonly RosterRegion[];
}

/** A roster that the partition authority has signed. */
export interface Roster extends RosterContent {
  /** base64url of SHA-384 of its signing input. */
  readonly hash: string;
  readonly compact: string;
}

/** Where the signing keys of certificates are looked up. */
export interface CertificateKeys {
  /**
   * The key of a certificate that `region` made at `epoch`: active then (or, where that roster is not known, active or retiring now),
   * and never revoked. Otherwise a refusal `KID_STATE` or `KID_REGION`.
   */
  certificateKey(kid: string, region: string, epoch: bigint, field: string): KeyObject | Reject;
  /** The partition authority's key where a kid is its thumbprint; null for every other kid. */
  authorityKey(kid: string): KeyObject | null;
}

const HASH_OCTETS = 48;

function readRegion(members: Members): RosterRegion {
  const rsk = members.list('rsk', { min: 1, max: LIMITS.rsksPerRegionMax }, (item, path) => {
    const key = new Members(item, ['kid', 'jwk', 'state', 'sinceEpoch'], path);
    const jwk = key.jwk('jwk');
    const kid = key.literal('kid', thumbprint(jwk));
    if (!isPublicKey(jwk)) refuse('POINT', path, 'The key is not a point of P-384.');
    return { kid, jwk, state: key.oneOf('state', RSK_STATES), sinceEpoch: key.counter('sinceEpoch') };
  });
  return {
    region: members.name('region'),
    rsk,
    suiteFloor: members.oneOf('suiteFloor', REPLICATION_SUITES),
    ...readReach(members),
  };
}

/**
 * Reads and verifies one roster by itself; {@link refusalOfSuccession} checks its place in the chain.
 *
 * @param authorityKid - thumbprint of the partition authority's key, configured out of band
 * @returns the roster, or a refusal `TYP`, `ROSTER_SIG`, `PARTITION` or one of form
 */
export function parseRoster(args: {
  readonly compact: string;
  readonly partition: string;
  readonly authorityKid: string;
  readonly verifySignature?: VerifySignature;
}): Roster | Reject {
  return refusing(() => {
    if (args.compact.length > LIMITS.rosterOctetsMax)
      refuse('LIMIT', 'roster', `A roster of more than ${LIMITS.rosterOctetsMax} octets.`);
    const jws = accepted(parseJws(args.compact));
    if (jws.typ !== ROSTER_TYP) refuse('TYP', 'roster', 'Not a roster.');
    if (jws.kid !== args.authorityKid)
      refuse('ROSTER_SIG', 'kid', 'Signed by a key that is not the partition authority.');
    const names = ['v', 't', 'part', 'epoch', 'prevRosterHash', 'authority', 'regions'];
    const members = new Members(accepted(parsePayload(jws)), names);
    const authority = members.jwk('authority');
    const key = thumbprint(authority) === args.authorityKid ? publicKeyOf(authority) : null;
    if (key === null) refuse('ROSTER_SIG', 'authority', 'Not the key of the partition authority.');
    if (refusalOfSignature(jws, key, args.verifySignature) !== null)
      refuse('ROSTER_SIG', 'signature', 'The signature does not verify.');
    members.literal('v', 1);
    members.literal('t', ROSTER_TYP, 'TYP');
    if (members.name('part') !== args.partition) refuse('PARTITION', 'part', 'A roster of another partition.');
    const regionNames = ['region', 'rsk', 'suiteFloor', ...REACH_MEMBERS];
    const regions = members.list('regions', { min: 1, max: LIMITS.regionsMax }, (item, path) =>
      readRegion(new Members(item, regionNames, path)),
    );
    const kids = regions.flatMap((region) => region.rsk.map((entry) => entry.kid));
    if (new Set(kids).size !== kids.length) refuse('SYNTAX', 'regions', 'One signing key is listed twice.');
    if (new Set(regions.map((region) => region.region)).size !== regions.length)
      refuse('SYNTAX', 'regions', 'A region is listed twice.');
    return {
      partition: args.partition,
      epoch: members.counter('epoch'),
      prevRosterHash: members.nullable('prevRosterHash', () => members.encoded('prevRosterHash', HASH_OCTETS)),
      authority,
      regions,
      hash: jws.messageId,
      compact: args.compact,
    };
  });
}

/**
 * Whether a roster may follow the current one.
 *
 * @returns null where it may; `known` where it is the current one; or a refusal `ROSTER_ROLLBACK`, `ROSTER_FORK` or `ROSTER_CHAIN`
 */
export function refusalOfSuccession(current: Roster, next: Roster): Reject | 'known' | null {
  return refusing(() => {
    if (next.hash === current.hash) return 'known' as const;
    if (next.epoch < current.epoch)
      refuse('ROSTER_ROLLBACK', 'epoch', `Epoch ${next.epoch} comes before ${current.epoch}.`);
    if (next.epoch === current.epoch) refuse('ROSTER_FORK', 'epoch', `Two rosters of epoch ${next.epoch}.`);
    if (next.epoch !== current.epoch + 1n)
      refuse('ROSTER_CHAIN', 'epoch', `Epoch ${next.epoch} does not follow ${current.epoch}.`);
    if (next.prevRosterHash !== current.hash)
      refuse('ROSTER_CHAIN', 'prevRosterHash', 'The roster does not name the one before it.');
    return null;
  });
}

/** The payload of a roster, ready to be signed with {@link ROSTER_TYP} in the header. */
export function encodeRoster(content: RosterContent): { readonly [member: string]: JsonInput } {
  return {
    v: 1,
    t: ROSTER_TYP,
    part: content.partition,
    epoch: content.epoch.toString(),
    prevRosterHash: content.prevRosterHash,
    authority: { ...content.authority },
    regions: content.regions.map((region) => ({
      region: region.region,
      rsk: region.rsk.map((key) => ({
        kid: key.kid,
        jwk: { ...key.jwk },
        state: key.state,
        sinceEpoch: key.sinceEpoch.toString(),
      })),
      suiteFloor: region.suiteFloor,
      ...reachOf(region),
    })),
  };
}
