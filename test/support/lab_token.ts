import { capabilitiesOf, type HsmCapabilities } from '../../src/hsm/capability.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { CKA_TOKEN } from '../../src/token/cryptoki.js';
import type { Executor } from '../../src/token/executor.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { accessToScratch, openScratch, profileOf } from './region_token.js';
import { makeScratchToken, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

/** Regions of every lab: A and B are honest until a test says otherwise, C is the adversary's. */
export const REGIONS = { A: 'us-east-1', B: 'eu-west-1', C: 'ap-south-1' } as const;
export type RegionLetter = keyof typeof REGIONS;

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

/** The kinds of token of A, B and C: SoftHSM2, NSS softoken, SoftHSM2, or what `KEYFERRY_ADVERSARY_TOKENS` lists. */
export function labKinds(): Readonly<Record<RegionLetter, SoftwareTokenKind>> {
  const wanted = (process.env['KEYFERRY_ADVERSARY_TOKENS'] || 'softhsm2,nss,softhsm2').split(',');
  const [A, B, C = A] = wanted.map((kind): SoftwareTokenKind => {
    if (kind === 'softhsm2' || kind === 'nss') return kind;
    throw new Error(`KEYFERRY_ADVERSARY_TOKENS names ${kind}, which is no software token`);
  });
  if (A === undefined || B === undefined || C === undefined)
    throw new Error('KEYFERRY_ADVERSARY_TOKENS names fewer than two tokens');
  return { A, B, C };
}

/** Tokens of the usual kinds for these regions. */
export function labTokens(letters: readonly RegionLetter[]): Partial<Record<RegionLetter, () => Promise<LabToken>>> {
  return Object.fromEntries(letters.map((letter) => [letter, () => openLabToken(labKinds()[letter])]));
}
