import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFrontDoor } from '../../src/compose_front_door.js';
import { startProxy, type RunningProxy } from '../../src/compose_proxy.js';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { readRegionConfig } from '../../src/lab/region_config.js';
import { formatListenAddress } from '../../src/listen.js';
import { findModule } from '../../src/token/module_path.js';
import {
  LabProgram,
  labOf,
  provisionTestLab,
  putShimInFront,
  type LabTokens,
  type ProvisionedLab,
} from '../support/lab_process.js';

/** One region of the lab that is soaked. */
export interface SoakRegion {
  readonly name: string;
  /** Of its own endpoint. */
  readonly url: string;
  /** Where its database and its trail are. */
  readonly directory: string;
  readonly log: string;
  readonly program: LabProgram;
  /** Faults in front of its token from now on, one rule a line. @source native/test/shim/rules.h */
  setTokenFaults(...rules: readonly string[]): void;
}

/** Regions as processes of their own behind faulty tokens; the proxy and the front door are in this process and can be cut. */
export class SoakLab {
  readonly regions: readonly SoakRegion[];
  readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly frontDoorUrl: string;
  readonly #provisioned: ProvisionedLab;
  #proxy: RunningProxy | undefined;
  #frontDoor: { close(): Promise<void> } | undefined;

  private constructor(provisioned: ProvisionedLab, tokens: LabTokens) {
    this.#provisioned = provisioned;
    const { directory, addresses } = provisioned;
    this.regions = Object.entries(tokens).map(([name, kind]) => soakRegion(provisioned, name, findModule(kind)));
    const [first] = this.regions;
    if (first === undefined) throw new Error('a lab has regions');
    const [credential] = readRegionConfig(directory.regionConfig(first.name)).credentials;
    if (credential === undefined) throw new Error('the lab has no access key');
    this.credential = credential;
    this.frontDoorUrl = `http://${formatListenAddress(addresses.endpoint)}`;
  }

  /** Provisions a lab in a directory of its own and starts everything in it. */
  static async start(tokens: LabTokens): Promise<SoakLab> {
    const provisioned = await provisionTestLab(labOf(tokens));
    let lab: SoakLab | undefined;
    try {
      lab = new SoakLab(provisioned, tokens);
      await lab.startProxy();
      await Promise.all([...lab.regions.map(({ program }) => program.start()), lab.startFrontDoor()]);
      return lab;
    } catch (error) {
      await (lab?.close() ?? provisioned.dispose());
      throw error;
    }
  }

  /** The lab's directory. */
  get root(): string {
    return this.#provisioned.directory.root;
  }

  get proxy(): RunningProxy | undefined {
    return this.#proxy;
  }

  async startProxy(): Promise<void> {
    const { directory, addresses } = this.#provisioned;
    this.#proxy = await startProxy({ listen: addresses.proxy, directory: directory.proxy });
  }

  async stopProxy(): Promise<void> {
    const proxy = this.#proxy;
    this.#proxy = undefined;
    await proxy?.close();
  }

  async startFrontDoor(): Promise<void> {
    this.#frontDoor = await startFrontDoor({
      listen: this.#provisioned.addresses.endpoint,
      regions: Object.fromEntries(this.regions.map(({ name, url }) => [name, url])),
    });
  }

  async stopFrontDoor(): Promise<void> {
    const door = this.#frontDoor;
    this.#frontDoor = undefined;
    await door?.close();
  }

  /** Stops everything. @param options.keep - leaves the directory where it is */
  async close(options: { readonly keep?: boolean } = {}): Promise<void> {
    await Promise.all(this.regions.map(({ program }) => program.stop()));
    await Promise.all([this.stopProxy(), this.stopFrontDoor()]);
    if (options.keep !== true) this.#provisioned.dispose();
  }
}

function soakRegion({ directory, addresses }: ProvisionedLab, name: string, module: string): SoakRegion {
  putShimInFront(directory, name);
  const own = directory.region(name);
  const address = addresses.regions[name];
  if (address === undefined) throw new Error(`${name} has no address`);
  const faults = join(own, 'faults');
  const log = directory.log(`region ${name}`);
  return {
    name,
    url: `http://${formatListenAddress(address)}`,
    directory: own,
    log,
    program: new LabProgram([process.execPath, KEYFERRY_BIN, 'region', '--config', directory.regionConfig(name)], {
      log,
      environment: { KEYFERRY_SHIM_MODULE: module, KEYFERRY_SHIM_RULES: faults },
    }),
    setTokenFaults: (...rules) => {
      writeFileSync(`${faults}.new`, `${rules.join('\n')}\n`, { mode: 0o600 });
      renameSync(`${faults}.new`, faults);
    },
  };
}

/** Ids of the requests that a region's trail knows. */
export function recordedRequests(region: SoakRegion): ReadonlySet<string> {
  const found = new Set<string>();
  for (const file of readdirSync(region.directory).filter((name) => /^trail\.jsonl(\.\d+)?$/u.test(name))) {
    for (const line of readFileSync(join(region.directory, file), 'utf8').split('\n')) {
      const id = /"requestID":"([^"]+)"/u.exec(line)?.[1];
      if (id !== undefined) found.add(id);
    }
  }
  return found;
}
