import { setTimeout as sleep } from 'node:timers/promises';
import { hostileMode, honestMode } from '../../src/proxy/delivery_mode.js';
import type { Chance } from '../support/chance.js';
import type { SoakLab, SoakRegion } from './soak_lab.js';

/** One fault that was made. */
export interface MadeFault {
  readonly name: string;
  readonly region: string | null;
  /** Milliseconds since the start of the faults. */
  readonly atMs: number;
}

/** How a fault is made: returns when the lab is whole again. */
type Fault = (scene: { readonly lab: SoakLab; readonly region: SoakRegion; readonly chance: Chance }) => Promise<void>;

/** The kinds of faults, and how often each is made of all. */
export const FAULTS: Readonly<Record<string, { readonly weight: number; readonly make: Fault }>> = {
  'region killed': {
    weight: 4,
    make: async ({ region, chance }) => {
      region.program.kill();
      await region.program.ended;
      await sleep(chance.below(1_000));
      await region.program.start();
    },
  },
  'region stopped': {
    weight: 2,
    make: async ({ region, chance }) => {
      process.kill(region.program.pid, 'SIGSTOP');
      await sleep(500 + chance.below(3_500));
      process.kill(region.program.pid, 'SIGCONT');
    },
  },
  'proxy away': {
    weight: 3,
    make: async ({ lab, chance }) => {
      await lab.stopProxy();
      await sleep(chance.below(3_000));
      await lab.startProxy();
    },
  },
  'proxy hostile': {
    weight: 3,
    make: async ({ lab, chance }) => {
      const settings = { drop: 0.15, duplicate: 0.2, reorder: 0.2, replay: 0.1, tamper: 0.1, delayMsMax: 100 };
      lab.proxy?.relay.setMode(hostileMode({ seed: chance.below(2 ** 32), ...settings }), 'hostile');
      await sleep(1_000 + chance.below(4_000));
      lab.proxy?.relay.setMode(honestMode, 'honest');
    },
  },
  'sessions closed': {
    weight: 5,
    make: async ({ region, chance }) => {
      for (let times = 1 + chance.below(3); times > 0; times -= 1) {
        region.setTokenFaults('* 1 close-sessions');
        await sleep(100 + chance.below(400));
      }
      region.setTokenFaults();
    },
  },
  'token errors': {
    weight: 3,
    make: async ({ region, chance }) => {
      // CKR_DEVICE_ERROR, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_REMOVED
      const returned = chance.pick(['0x30', '0x5', '0x6', '0x32']) ?? '0x30';
      // Not C_UnwrapKey: what it answers to imported material is told in one word whatever it is, and that is final.
      const calls = ['C_EncryptInit', 'C_DecryptInit', 'C_Sign', 'C_DeriveKey', 'C_GenerateKey'];
      region.setTokenFaults(...calls.map((call) => `${call} ${1 + chance.below(3)} return ${returned}`));
      await sleep(300 + chance.below(700));
      region.setTokenFaults();
    },
  },
  'token slow': {
    weight: 1,
    make: async ({ region, chance }) => {
      region.setTokenFaults('C_Sign * delay 200', 'C_EncryptInit * delay 20');
      await sleep(500 + chance.below(2_000));
      region.setTokenFaults();
    },
  },
};

/**
 * Makes one fault after the other until it is told to stop; the lab is whole when it returns.
 *
 * @param options.mayKill - whether regions may be killed at this time
 */
export async function makeFaults(
  lab: SoakLab,
  chance: Chance,
  options: {
    readonly isOver: () => boolean;
    readonly mayKill: () => boolean;
    readonly pauseMs: number;
    readonly made: MadeFault[];
  },
): Promise<void> {
  const start = performance.now();
  while (!options.isOver()) {
    await sleep(options.pauseMs / 2 + chance.below(options.pauseMs));
    if (options.isOver()) return;
    const kinds = Object.entries(FAULTS).filter(([name]) => options.mayKill() || name !== 'region killed');
    let at = chance.next() * kinds.reduce((sum, [, { weight }]) => sum + weight, 0);
    const chosen = kinds.find(([, { weight }]) => (at -= weight) < 0);
    const region = chance.pick(lab.regions);
    if (chosen === undefined || region === undefined) return;
    const [name, { make }] = chosen;
    const isOfProxy = name.startsWith('proxy');
    options.made.push({ name, region: isOfProxy ? null : region.name, atMs: performance.now() - start });
    await make({ lab, region, chance });
  }
}
