import { accessTo } from '../../src/hsm/token_access.js';
import { capabilitiesOf, type HsmCapabilities } from '../../src/hsm/capability.js';
import type { ProvisionAccess } from '../../src/hsm/provision.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { Executor } from '../../src/token/executor.js';
import { openLoggedInSession } from '../../src/token/login.js';
import { probeToken } from '../../src/token/probe/probe.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { makeScratchToken, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

/** A scratch token with a region's keys in it, and the HSM on it. */
export interface RegionToken {
  readonly token: ScratchToken;
  readonly access: ProvisionAccess;
  readonly profile: TokenProfile;
  readonly capabilities: HsmCapabilities;
  readonly executor: Executor;
  readonly hsm: RegionHsm;
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

/** Makes a scratch token, probes and provisions it, and opens a region's HSM on it. */
export async function makeRegionToken(
  kind: SoftwareTokenKind,
  options: { readonly loadedKeysMax?: number } = {},
): Promise<RegionToken> {
  const token = await makeScratchToken(kind);
  const profile = await profileOf(token);
  const capabilities = capabilitiesOf(profile);
  const access = accessToScratch(token);
  await provisionRegion(access, capabilities);
  const { executor, close } = await openScratch(token);
  const hsm = await RegionHsm.open({ runner: executor, capabilities, ...options });
  return {
    token,
    access,
    profile,
    capabilities,
    executor,
    hsm,
    close: async () => {
      await hsm.close();
      await close();
      token.dispose();
    },
  };
}
