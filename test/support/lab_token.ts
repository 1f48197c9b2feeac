import { capabilitiesOf, type HsmCapabilities } from '../../src/hsm/capability.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { CKA_TOKEN } from '../../src/token/cryptoki.js';
import type { Executor } from '../../src/token/executor.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { accessToScratch, openScratch, profileOf } from './region_token.js';
import { makeScratchToken, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

/** A provisioned scratch token with the HSM on it. */
export interface LabToken {
  readonly kind: SoftwareTokenKind;
  readonly executor: Executor;
  readonly capabilities: HsmCapabilities;
  readonly hsm: RegionHsm;
  close(): Promise<void>;
}

/** Tokens of one kind and library have one profile: each kind is probed once in a process. */
const probed = new Map<SoftwareTokenKind, HsmCapabilities>();

/** Makes and provisions a scratch token of a kind, or takes one that a test has made, and opens the HSM on it. */
export async function openLabToken(kindOrToken: SoftwareTokenKind | ScratchToken): Promise<LabToken> {
  const token = typeof kindOrToken === 'string' ? await makeScratchToken(kindOrToken) : kindOrToken;
  const { kind } = token;
  const capabilities = probed.get(kind) ?? capabilitiesOf(await profileOf(token));
  probed.set(kind, capabilities);
  await provisionRegion(accessToScratch(token), capabilities);
  const { executor, close } = await openScratch(token);
  const hsm = await RegionHsm.open({ runner: executor, capabilities });
  return {
    kind,
    executor,
    capabilities,
    hsm,
    close: async () => {
      await hsm.close();
      await close();
      token.dispose();
    },
  };
}

/** Objects in a token: those on it, and those of sessions. */
export async function countObjects(token: LabToken): Promise<{ readonly token: number; readonly session: number }> {
  const count = async (onToken: boolean): Promise<number> => {
    const job = new Job('count objects', 'test');
    const found = job.findObjects(template([CKA_TOKEN, onToken]), 4096);
    return (await token.executor.run(job)).handles(found).length;
  };
  return { token: await count(true), session: await count(false) };
}
