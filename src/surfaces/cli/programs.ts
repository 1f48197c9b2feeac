import type { ConsoleConfig } from '../../compose_console.js';
import type { FrontDoorConfig } from '../../compose_front_door.js';
import type { ProxyConfig } from '../../compose_proxy.js';
import type { OpenAuthoritySigner } from '../../lab/authority.js';
import type { RegionConfig, RunningRegion, TokenConfig } from '../../lab/region_config.js';
import type { HoldDatabases } from '../../lab/snapshot.js';
import type { TokenProfile } from '../../token/profile.js';
import type { TokenInfo } from '../../token/slot.js';

/** A program that runs until it is told to stop. */
export interface RunningProgram {
  readonly url: string;
  close(): Promise<void>;
}

/** What a region's token holds and can do after it was provisioned. */
export interface ProvisionedRegion {
  /** Enrolment request for the partition authority, compact JWS, signed by the region's newest RSK over the challenge. */
  readonly enrolment: string;
  /** That RSK. */
  readonly kid: string;
  /** Labels of the token objects that were made now. */
  readonly made: readonly string[];
}

/** One slot of a PKCS#11 module, and the token in it. */
export interface ListedSlot {
  readonly slotId: number;
  /** Null where there is none. */
  readonly token: TokenInfo | null;
}

/**
 * The programs behind the command line, each loaded only when it is needed: a command that touches no token loads no PKCS#11 module,
 * and a lab starts quickly.
 */
export interface Programs {
  readonly startRegion: (config: RegionConfig) => Promise<RunningRegion>;
  /** @param challenge - the partition authority's, base64url of 32 octets */
  readonly provisionRegion: (config: RegionConfig, challenge: string) => Promise<ProvisionedRegion>;
  readonly startProxy: (config: ProxyConfig) => Promise<RunningProgram>;
  readonly startFrontDoor: (config: FrontDoorConfig) => Promise<RunningProgram>;
  readonly startConsole: (config: ConsoleConfig) => Promise<RunningProgram>;
  readonly openAuthority: OpenAuthoritySigner;
  readonly listTokens: (module: string) => Promise<readonly ListedSlot[]>;
  readonly probeToken: (token: TokenConfig) => Promise<TokenProfile>;
  readonly holdDatabases: () => Promise<HoldDatabases>;
}
