import { signJws } from '../wire/jws.js';
import { thumbprint, type PublicJwk } from '../wire/p384.js';
import type { ReplicationSuite } from '../wire/suite.js';
import type { Enrolment } from './enrolment.js';
import { ReplicationError } from './errors.js';
import {
  encodeRoster,
  parseRoster,
  ROSTER_TYP,
  type Roster,
  type RosterContent,
  type RosterKey,
  type RosterRegion,
  type RskState,
} from './roster.js';
import { reachOf } from './token_reach.js';
import { isReject } from '../wire/refusal.js';

/** One change from a roster to the next. */
export type RosterChange =
  /** A region that is not listed yet; its first RSK is active at once. */
  | { readonly change: 'enrol'; readonly enrolment: Enrolment; readonly suiteFloor: ReplicationSuite }
  /** A further RSK of a listed region, pending; what its token can carry is brought up to date. */
  | { readonly change: 'add-rsk'; readonly enrolment: Enrolment }
  | {
      readonly change: 'activate-rsk' | 'retire-rsk' | 'remove-rsk' | 'revoke-rsk';
      readonly region: string;
      readonly kid: string;
    }
  | { readonly change: 'set-floor'; readonly region: string; readonly suiteFloor: ReplicationSuite }
  | { readonly change: 'remove-region'; readonly region: string };

/** States from which an RSK may come into another; a revoked one stays listed so that nobody forgets it. */
const TRANSITIONS = {
  'activate-rsk': { from: ['pending'], to: 'active' },
  'retire-rsk': { from: ['active'], to: 'retiring' },
  'revoke-rsk': { from: ['pending', 'active', 'retiring'], to: 'revoked' },
} as const satisfies Record<string, { readonly from: readonly RskState[]; readonly to: RskState }>;

function refuseChange(detail: string): never {
  throw new ReplicationError('ERR_REPL_ROSTER_CHANGE', detail);
}

function changeRegion(
  content: RosterContent,
  name: string,
  change: (region: RosterRegion) => RosterRegion,
): RosterContent {
  if (!content.regions.some((region) => region.region === name)) refuseChange(`the roster lists no region ${name}`);
  return { ...content, regions: content.regions.map((region) => (region.region === name ? change(region) : region)) };
}

function changeKey(region: RosterRegion, kid: string, change: (key: RosterKey) => RosterKey): RosterRegion {
  if (!region.rsk.some((key) => key.kid === kid)) refuseChange(`region ${region.region} has no RSK ${kid}`);
  return { ...region, rsk: region.rsk.map((key) => (key.kid === kid ? change(key) : key)) };
}

function newKey(enrolment: Enrolment, state: RskState, sinceEpoch: bigint): RosterKey {
  return { kid: thumbprint(enrolment.jwk), jwk: enrolment.jwk, state, sinceEpoch };
}

function applyChange(content: RosterContent, change: RosterChange): RosterContent {
  const { epoch } = content;
  switch (change.change) {
    case 'enrol': {
      const { enrolment } = change;
      if (content.regions.some((region) => region.region === enrolment.region)) {
        refuseChange(`region ${enrolment.region} is listed already; add a further RSK instead`);
      }
      const region: RosterRegion = {
        region: enrolment.region,
        rsk: [newKey(enrolment, 'active', epoch)],
        suiteFloor: change.suiteFloor,
        ...reachOf(enrolment),
      };
      return { ...content, regions: [...content.regions, region] };
    }
    case 'add-rsk': {
      const { enrolment } = change;
      return changeRegion(content, enrolment.region, (region) => ({
        ...region,
        rsk: [...region.rsk, newKey(enrolment, 'pending', epoch)],
        ...reachOf(enrolment),
      }));
    }
    case 'activate-rsk':
    case 'retire-rsk':
    case 'revoke-rsk': {
      const transition = TRANSITIONS[change.change];
      return changeRegion(content, change.region, (region) =>
        changeKey(region, change.kid, (key) => {
          if (!transition.from.some((state) => state === key.state)) {
            refuseChange(`RSK ${key.kid} is ${key.state} and cannot become ${transition.to}`);
          }
          return { ...key, state: transition.to, sinceEpoch: epoch };
        }),
      );
    }
    case 'remove-rsk':
      return changeRegion(content, change.region, (region) => {
        const key = region.rsk.find((entry) => entry.kid === change.kid);
        if (key === undefined || (key.state !== 'retiring' && key.state !== 'pending')) {
          return refuseChange(`only a retiring or pending RSK can be removed`);
        }
        return { ...region, rsk: region.rsk.filter((entry) => entry.kid !== change.kid) };
      });
    case 'set-floor':
      return changeRegion(content, change.region, (region) => ({ ...region, suiteFloor: change.suiteFloor }));
    case 'remove-region':
      changeRegion(content, change.region, (region) => region);
      return { ...content, regions: content.regions.filter((region) => region.region !== change.region) };
  }
}

/**
 * Makes and signs the next roster: epoch one more, the one before it named by its hash, the changes applied in order.
 *
 * @param previous - null for the first roster of a partition, which has epoch 1
 * @param sign - ES384 by the authority's key, which is in a token
 * @returns the roster, read back as every region will read it
 * @throws {@link ReplicationError} `ERR_REPL_ROSTER_CHANGE` for a change that cannot be made
 */
export async function issueRoster(args: {
  readonly previous: Roster | null;
  readonly partition: string;
  readonly authority: PublicJwk;
  readonly changes: readonly RosterChange[];
  readonly sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>;
}): Promise<Roster> {
  const { previous } = args;
  const start: RosterContent = {
    partition: args.partition,
    epoch: previous === null ? 1n : previous.epoch + 1n,
    prevRosterHash: previous?.hash ?? null,
    authority: args.authority,
    regions: previous?.regions ?? [],
  };
  const content = args.changes.reduce(applyChange, start);
  const kid = thumbprint(args.authority);
  const compact = await signJws({ kid, typ: ROSTER_TYP }, encodeRoster(content), args.sign);
  const roster = parseRoster({ compact, partition: args.partition, authorityKid: kid });
  if (isReject(roster))
    return refuseChange(`the roster would not be accepted: ${roster.code} ${roster.field ?? ''}: ${roster.detail}`);
  return roster;
}
