import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { toBase64Url } from '../bytes.js';
import { ConfigError } from '../errors.js';
import { issueRoster, type RosterChange } from '../replication/authority.js';
import { CHALLENGE_OCTETS, verifyEnrolment, type Enrolment } from '../replication/enrolment.js';
import { issueChosenBirthCertificate } from '../replication/key_certificate.js';
import { parseRoster, type Roster } from '../replication/roster.js';
import { BIRTH_NONCE_OCTETS, isMultiRegionKeyId, isName } from '../wire/names.js';
import type { PublicJwk } from '../wire/p384.js';
import { isReject } from '../wire/refusal.js';
import { pairsWithoutSuite } from '../replication/compatibility.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../wire/suite.js';
import { parseJsonFile, tokenConfigForm, type TokenConfig } from './region_config.js';
import { ROSTERS_FILE } from './region_plan.js';
import { makePrivateDirectory, writePrivateFile } from './private_files.js';

/** The partition authority's key, open in a token of its own. */
export interface AuthoritySigner {
  readonly key: { readonly kid: string; readonly jwk: PublicJwk };
  /** ES384 over the octets, made in the token. */
  sign(octets: Uint8Array): Promise<Uint8Array>;
  /** Octets of the token's random generator. */
  random(octets: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens the token of an authority; `profileFile` is where the token's profile is kept. */
export type OpenAuthoritySigner = (token: TokenConfig, profileFile: string) => Promise<AuthoritySigner>;

/** A key id that somebody has chosen for a multi-Region key, and what the key is to be. */
export interface ChosenKeyIdentity {
  /** Region where it is made. */
  readonly region: string;
  /** `mrk-` and 32 hex digits. */
  readonly keyId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly origin: string;
}

const settingsForm = z.strictObject({ partition: z.string(), kid: z.string(), token: tokenConfigForm });

/**
 * The partition authority on its disk: `authority.json`, the token, `rosters.jws` with every roster it ever signed, and the challenges
 * that are out. It needs no network, and nobody needs it to be running.
 */
export class PartitionAuthority {
  readonly partition: string;
  readonly #directory: string;
  readonly #signer: AuthoritySigner;
  readonly #rosters: Roster[];

  private constructor(directory: string, partition: string, signer: AuthoritySigner) {
    this.#directory = directory;
    this.partition = partition;
    this.#signer = signer;
    this.#rosters = readRosters(directory, { partition, kid: signer.key.kid });
  }

  /**
   * Makes the authority's token and key where they are missing.
   *
   * @returns the authority, open; the thumbprint of its key is what every region is given out of band
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` where the directory holds the authority of another partition
   */
  static async init(
    init: { readonly directory: string; readonly partition: string; readonly token: TokenConfig },
    open: OpenAuthoritySigner,
  ): Promise<PartitionAuthority> {
    makePrivateDirectory(init.directory);
    const file = join(init.directory, 'authority.json');
    if (existsSync(file)) {
      const { partition } = parseJsonFile(file, settingsForm);
      if (partition !== init.partition) {
        throw new ConfigError(
          'ERR_CONFIG_STATE',
          `${init.directory} holds the authority of partition ${partition}, not ${init.partition}`,
        );
      }
      return PartitionAuthority.open(init.directory, open);
    }
    const signer = await open(init.token, join(init.directory, 'profile.json'));
    const settings = { partition: init.partition, kid: signer.key.kid, token: init.token };
    writePrivateFile(file, `${JSON.stringify(settings, undefined, 2)}\n`);
    return new PartitionAuthority(init.directory, init.partition, signer);
  }

  /**
   * Opens the authority.
   *
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` where there is none, its key is another than it was, or a roster is not its own
   */
  static async open(directory: string, open: OpenAuthoritySigner): Promise<PartitionAuthority> {
    const file = join(directory, 'authority.json');
    if (!existsSync(file)) {
      throw new ConfigError(
        'ERR_CONFIG_STATE',
        `${directory} holds no partition authority; make one with: keyferry authority init`,
      );
    }
    const { partition, kid, token } = parseJsonFile(file, settingsForm);
    const signer = await open(token, join(directory, 'profile.json'));
    if (signer.key.kid !== kid) {
      await signer.close();
      throw new ConfigError(
        'ERR_CONFIG_STATE',
        `The token holds the authority key ${signer.key.kid}, and ${file} names ${kid}`,
      );
    }
    return new PartitionAuthority(directory, partition, signer);
  }

  /** Thumbprint of the authority's key. */
  get kid(): string {
    return this.#signer.key.kid;
  }

  /** The newest roster; undefined before the first region was enrolled. */
  get roster(): Roster | undefined {
    return this.#rosters.at(-1);
  }

  /** Every roster as compact JWS, oldest first. */
  get rosters(): readonly string[] {
    return this.#rosters.map(({ compact }) => compact);
  }

  /**
   * Gives out a fresh challenge for a region; an earlier one is void.
   *
   * @returns base64url of 32 octets of the token's random generator
   */
  async challenge(region: string): Promise<string> {
    const challenge = toBase64Url(await this.#signer.random(CHALLENGE_OCTETS));
    const file = this.#challengeFile(region);
    makePrivateDirectory(join(this.#directory, 'challenges'));
    writePrivateFile(file, challenge);
    return challenge;
  }

  /**
   * Lists the RSKs of enrolment requests in one new roster: the first RSK of a region is active at once, a further one pending.
   *
   * @param requests - compact JWS by region; each answers the challenge that was given out for that region, which is then used up
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` for a request that is refused, with the reason; nothing is changed then
   */
  async enrol(
    requests: Readonly<Record<string, string>>,
    options: { readonly suiteFloor?: ReplicationSuite } = {},
  ): Promise<Roster> {
    const suiteFloor = options.suiteFloor ?? REPLICATION_SUITES.at(-1) ?? 'CBCDERIVE-A256KWP';
    const changes = Object.entries(requests).map(([region, compact]): RosterChange => {
      const enrolment = this.#verify(region, compact);
      const isListed = this.roster?.regions.some((listed) => listed.region === region) === true;
      return isListed ? { change: 'add-rsk', enrolment } : { change: 'enrol', enrolment, suiteFloor };
    });
    const roster = await this.issue(changes);
    for (const region of Object.keys(requests)) rmSync(this.#challengeFile(region), { force: true });
    return roster;
  }

  /**
   * Signs the next roster and keeps it.
   *
   * @throws {@link ReplicationError} `ERR_REPL_ROSTER_CHANGE` for a change that cannot be made
   */
  async issue(changes: readonly RosterChange[]): Promise<Roster> {
    const roster = await issueRoster({
      previous: this.roster ?? null,
      partition: this.partition,
      authority: this.#signer.key.jwk,
      changes,
      sign: (_kid, octets) => this.#signer.sign(octets),
    });
    writePrivateFile(join(this.#directory, ROSTERS_FILE), [...this.rosters, roster.compact, ''].join('\n'));
    this.#rosters.push(roster);
    return roster;
  }

  /**
   * Certifies that a multi-Region key id which somebody has chosen is that of a key of one region.
   *
   * @returns the birth certificate, compact JWS; the region takes it with the request for the key
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` for a region that is not enrolled, or no such id
   */
  async certifyKey(key: ChosenKeyIdentity): Promise<string> {
    const { roster } = this;
    if (roster === undefined || !roster.regions.some(({ region }) => region === key.region)) {
      throw new ConfigError('ERR_CONFIG_STATE', `Region ${key.region} is not enrolled: nobody can be born there`);
    }
    if (!isMultiRegionKeyId(key.keyId)) {
      throw new ConfigError('ERR_CONFIG_STATE', `${key.keyId} is no id of a multi-Region key`);
    }
    const { region: originRegion, ...rest } = key;
    const birth = {
      ...rest,
      partition: this.partition,
      originRegion,
      birthNonce: await this.#signer.random(BIRTH_NONCE_OCTETS),
      createdEpoch: roster.epoch,
    };
    return issueChosenBirthCertificate(birth, this.#signer.key.kid, (_kid, octets) => this.#signer.sign(octets));
  }

  close(): Promise<void> {
    return this.#signer.close();
  }

  #verify(region: string, compact: string): Enrolment {
    const file = this.#challengeFile(region);
    if (!existsSync(file)) {
      throw new ConfigError(
        'ERR_CONFIG_STATE',
        `No challenge is out for ${region}; give one with: keyferry authority challenge ${region}`,
      );
    }
    const challenge = Buffer.from(readFileSync(file, 'utf8'), 'base64url');
    const enrolment = verifyEnrolment({ compact: compact.trim(), partition: this.partition, challenge });
    if (isReject(enrolment)) {
      throw new ConfigError(
        'ERR_CONFIG_STATE',
        `The enrolment request of ${region} is refused: ${enrolment.code}: ${enrolment.detail}`,
        {
          details: { region, code: enrolment.code },
        },
      );
    }
    if (enrolment.region !== region) {
      throw new ConfigError('ERR_CONFIG_STATE', `The enrolment request is of ${enrolment.region}, not of ${region}`);
    }
    return enrolment;
  }

  #challengeFile(region: string): string {
    if (!isName(region)) throw new ConfigError('ERR_CONFIG_STATE', `${JSON.stringify(region)} is no name of a region`);
    return join(this.#directory, 'challenges', region);
  }
}

/**
 * The rosters in an authority's directory, oldest first; none where it has signed none. Needs no token.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` for one that is not the authority's
 */
export function readRosters(
  directory: string,
  authority: { readonly partition: string; readonly kid: string },
): Roster[] {
  const file = join(directory, ROSTERS_FILE);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((compact, index) => {
    const roster = parseRoster({ compact, partition: authority.partition, authorityKid: authority.kid });
    if (isReject(roster)) {
      throw new ConfigError('ERR_CONFIG_STATE', `${file}:${index + 1}: ${roster.code}: ${roster.detail}`, {
        details: { file, line: index + 1 },
      });
    }
    return roster;
  });
}

/** The partition and key of the authority in a directory, without opening its token; undefined where there is none. */
export function readAuthority(directory: string): { readonly partition: string; readonly kid: string } | undefined {
  const file = join(directory, 'authority.json');
  if (!existsSync(file)) return undefined;
  const { partition, kid } = parseJsonFile(file, settingsForm);
  return { partition, kid };
}

/** For each two regions of the newest roster whose tokens share no replication suite: why, with the mechanisms that are missing. */
export function suiteGaps(directory: string): readonly string[] {
  const authority = readAuthority(directory);
  const newest = authority === undefined ? undefined : readRosters(directory, authority).at(-1);
  return newest === undefined ? [] : pairsWithoutSuite(newest);
}
