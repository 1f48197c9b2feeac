import { setTimeout as sleep } from 'node:timers/promises';
import {
  changeAlias,
  changeDeletion,
  changeDescription,
  changeGrant,
  changePrimary,
  changeTag,
  changeUse,
  createKey,
  describeAgain,
  replicate,
  rotate,
} from './key_change.js';
import { changeMaterial } from './key_import.js';
import type { KeyKind, ModelKey } from './key_model.js';
import { reEncrypt, useKey } from './key_use.js';
import type { Asker } from './soak_world.js';

/** Keys of one client; it makes no more. */
const OWN_KEYS_MAX = 8;

type Action = (asker: Asker, key: ModelKey) => Promise<void>;

/** What is done to a client's own keys, and how often of all. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [40, useKey],
  [4, describeAgain],
  [4, changeDescription],
  [6, changeTag],
  [6, changeAlias],
  [6, changeGrant],
  [8, changeUse],
  [6, changeDeletion],
  [3, rotate],
  [8, replicate],
  [8, changeMaterial],
  [3, changePrimary],
];
const WEIGHTS = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);
const KINDS: readonly KeyKind[] = ['cipher', 'cipher', 'cipher', 'signature', 'mac', 'imported'];

/** One client: does one thing after the other until it is told to stop. Only it changes its own keys and aliases. */
export async function work(asker: Asker, isOver: () => boolean, own: ModelKey[]): Promise<void> {
  const { chance, world } = asker;
  while (!isOver()) {
    if (own.length < OWN_KEYS_MAX && chance.next() < (own.length < 2 ? 0.5 : 0.03)) {
      const made = await createKey(asker, {
        region: chance.pick(world.regions) ?? '',
        kind: chance.pick(KINDS) ?? 'cipher',
        isMultiRegion: chance.next() < 0.4,
        isShared: false,
      });
      if (made !== null) own.push(made);
      continue;
    }
    const key = chance.pick(own);
    const shared = chance.pick(world.shared);
    if (key === undefined || chance.next() < 0.35) {
      if (shared !== undefined) await useKey(asker, shared);
      continue;
    }
    if (chance.next() < 0.04) {
      const other = chance.pick(own.filter(({ kind }) => kind === 'cipher'));
      if (other !== undefined) await reEncrypt(asker, key, other);
      continue;
    }
    await drawAction(asker)(asker, key);
  }
}

function drawAction(asker: Asker): Action {
  let at = asker.chance.next() * WEIGHTS;
  for (const [weight, action] of ACTIONS) {
    at -= weight;
    if (at < 0) return action;
  }
  return useKey;
}

/** Makes the keys that all clients use, in every region: one of each kind, and a cipher key with a replica in each other region. */
export async function makeSharedKeys(asker: Asker): Promise<void> {
  const { world } = asker;
  const until = async <Value>(attempt: () => Promise<Value | null>): Promise<Value> => {
    for (;;) {
      const value = await attempt();
      if (value !== null) return value;
      await sleep(50);
    }
  };
  for (const region of world.regions) {
    for (const kind of ['cipher', 'signature', 'mac'] as const) {
      for (const isMultiRegion of kind === 'cipher' ? [false, true] : [false]) {
        const key = await until(() => createKey(asker, { region, kind, isMultiRegion, isShared: true }));
        for (let asked = 1; isMultiRegion && asked < world.regions.length; asked += 1) {
          await until(async () => {
            await replicate(asker, key);
            return [...key.replicas.values()].filter(Boolean).length === asked ? true : null;
          });
        }
        world.shared.push(key);
      }
    }
  }
}
