import { accessTo } from '../../src/hsm/token_access.js';
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
import { makeScratchToken, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

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

/** Where keys of tests rest that do not say it: `KEYFERRY_KEY_STORAGE`, or wrapped in the database. */
function defaultKeyStorage(): KeyStorageKind {
  const wanted = process.env['KEYFERRY_KEY_STORAGE'] ?? 'wrapped';
  const kind = KEY_STORAGES.find((candidate) => candidate === wanted);
  if (kind === undefined)
    throw new Error(`KEYFERRY_KEY_STORAGE is ${wanted}, which is none of ${KEY_STORAGES.join(', ')}`);
  return kind;
}

/** Makes a scratch token, probes and provisions it, and opens a region's HSM on it. */
export async function makeRegionToken(
  kind: SoftwareTokenKind,
  options: { readonly loadedKeysMax?: number; readonly keyStorage?: KeyStorageKind } = {},
): Promise<RegionToken> {
  const token = await makeScratchToken(kind);
  const profile = await profileOf(token);
  const capabilities = capabilitiesOf(profile);
  const access = accessToScratch(token);
  await provisionRegion(access, capabilities);
  const { executor, close } = await openScratch(token);
  const ledger = new MemoryLedger();
  const storage = { kind: options.keyStorage ?? defaultKeyStorage(), ledger };
  const loadedKeysMax = options.loadedKeysMax === undefined ? {} : { loadedKeysMax: options.loadedKeysMax };
  const hsm = await RegionHsm.open({ runner: executor, capabilities, storage, ...loadedKeysMax });
  return {
    token,
    access,
    profile,
    capabilities,
    executor,
    hsm,
    ledger,
    close: async () => {
      await hsm.close();
      await close();
      token.dispose();
    },
  };
}
