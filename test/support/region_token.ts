import { accessTo } from '../../src/hsm/token_access.js';
import type { JobRunner } from '../../src/hsm/job_runner.js';
import { capabilitiesOf, type HsmCapabilities } from '../../src/hsm/capability.js';
import type { ProvisionAccess } from '../../src/hsm/provision.js';
import { KEY_STORAGES, type KeyStorageKind } from '../../src/hsm/material.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { Executor } from '../../src/token/executor.js';
import { openLoggedInSession } from '../../src/token/login.js';
import { probeToken } from '../../src/token/probe/probe.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { MemoryLedger } from './memory_ledger.js';
import { makeScratchToken, tokenKinds, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

/** A scratch token with a region's keys in it, and the HSM on it. */
export interface RegionToken {
  readonly token: ScratchToken;
  readonly access: ProvisionAccess;
  readonly profile: TokenProfile;
  readonly capabilities: HsmCapabilities;
  readonly executor: Executor;
  readonly hsm: RegionHsm;
  /** Which token objects the HSM has made for keys. */
  readonly ledger: MemoryLedger;
  /** Opens another HSM on the same token, whose keys rest where those of the first do. */
  openHsm(runner?: JobRunner): Promise<RegionHsm>;
  close(): Promise<void>;
}

/** What provisioning may do with a scratch token. */
export function accessToScratch(token: ScratchToken): ProvisionAccess {
  const slot = token.module.findToken({ slotId: token.slotId });
  return accessTo({
    module: token.module,
    slot,
    userPin: token.userPin,
    soPin: token.soPin.kind === 'empty' ? null : token.soPin,
  });
}

/** Logs in to a scratch token and runs an executor on it that logs in again when its sessions are lost. */
export async function openScratch(token: ScratchToken): Promise<{ executor: Executor; close(): Promise<void> }> {
  const slot = token.module.findToken({ slotId: token.slotId });
  const { serial, label } = slot.token();
  const login = (): Promise<bigint> =>
    openLoggedInSession(token.module, token.slotId, { modulePath: token.module.path, serial, label }, token.userPin);
  let session = await login();
  const executor = await Executor.open({
    module: token.module.native,
    slotId: token.slotId,
    recover: async () => {
      token.module.native.closeSession(session);
      session = await login();
    },
  });
  return {
    executor,
    close: async () => {
      await executor.close();
      token.module.native.closeSession(session);
    },
  };
}

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The profile of a scratch token, probed. */
export async function profileOf(token: ScratchToken): Promise<TokenProfile> {
  const { executor, close } = await openScratch(token);
  try {
    return await probeToken(
      { module: token.module, slot: token.module.findToken({ slotId: token.slotId }), executor },
      clock,
    );
  } finally {
    await close();
  }
}

/** Where keys of all tests rest, if `KEYFERRY_KEY_STORAGE` says so. */
function wantedKeyStorage(): KeyStorageKind | undefined {
  const wanted = process.env['KEYFERRY_KEY_STORAGE'];
  if (wanted === undefined || wanted === '') return undefined;
  const kind = KEY_STORAGES.find((candidate) => candidate === wanted);
  if (kind === undefined)
    throw new Error(`KEYFERRY_KEY_STORAGE is ${wanted}, which is none of ${KEY_STORAGES.join(', ')}`);
  return kind;
}

/** Where keys rest in tests that try both: in one way, if `KEYFERRY_KEY_STORAGE` says so. */
export function storages(): readonly KeyStorageKind[] {
  const wanted = wantedKeyStorage();
  return wanted === undefined ? KEY_STORAGES : [wanted];
}

/** A kind of token, and where keys rest there. */
export interface StorageCase {
  readonly kind: SoftwareTokenKind;
  readonly storage: KeyStorageKind;
  /** For titles. */
  readonly place: string;
}

/**
 * What a suite about keys runs on: tokens of every kind with wrapped keys, and some of them with keys in the token. `KEYFERRY_KEY_STORAGE`
 * makes it one storage, on every kind.
 *
 * @param inToken - the kinds on which the suite runs a second time; a suite that takes long runs so on one
 */
export function storageCases(inToken: readonly SoftwareTokenKind[] = tokenKinds()): readonly StorageCase[] {
  const isOne = wantedKeyStorage() !== undefined;
  return storages().flatMap((storage) =>
    tokenKinds()
      .filter((kind) => storage === 'wrapped' || isOne || inToken.includes(kind))
      .map((kind) => ({ kind, storage, place: `${kind}, keys ${storage === 'token' ? 'in the token' : 'wrapped'}` })),
  );
}

export interface RegionTokenOptions {
  readonly loadedKeysMax?: number;
  readonly keyStorage?: KeyStorageKind;
}

/** Probes and provisions a scratch token, and opens a region's HSM on it, which closes the token too. */
export async function openRegionToken(token: ScratchToken, options: RegionTokenOptions = {}): Promise<RegionToken> {
  const profile = await profileOf(token);
  const capabilities = capabilitiesOf(profile);
  const access = accessToScratch(token);
  await provisionRegion(access, capabilities);
  const { executor, close } = await openScratch(token);
  const ledger = new MemoryLedger();
  const storage = { kind: options.keyStorage ?? wantedKeyStorage() ?? 'wrapped', ledger };
  const loadedKeysMax = options.loadedKeysMax === undefined ? {} : { loadedKeysMax: options.loadedKeysMax };
  const openHsm = (runner: JobRunner = executor): Promise<RegionHsm> =>
    RegionHsm.open({ runner, capabilities, storage, ...loadedKeysMax });
  const hsm = await openHsm();
  return {
    token,
    access,
    profile,
    capabilities,
    executor,
    hsm,
    ledger,
    openHsm,
    close: async () => {
      await hsm.close();
      await close();
      token.dispose();
    },
  };
}

/** Makes a scratch token with a region's HSM on it. */
export async function makeRegionToken(kind: SoftwareTokenKind, options: RegionTokenOptions = {}): Promise<RegionToken> {
  return openRegionToken(await makeScratchToken(kind), options);
}

/** Two regions on each kind of token, by name: `softhsm2 A`. */
export async function makeRegionPairs(keyStorage: KeyStorageKind): Promise<Map<string, RegionToken>> {
  const regions = new Map<string, RegionToken>();
  for (const kind of tokenKinds()) {
    for (const name of ['A', 'B']) regions.set(`${kind} ${name}`, await makeRegionToken(kind, { keyStorage }));
  }
  return regions;
}
