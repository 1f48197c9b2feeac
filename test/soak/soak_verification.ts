import { setTimeout as sleep } from 'node:timers/promises';
import { importMaterial } from './key_import.js';
import { regionsOf, type ModelKey } from './key_model.js';
import { describe, grantsOf, keyOfAlias, replicaRegionsOf, rotationsOf, tagsOf } from './key_reading.js';
import { checkProduct } from './key_use.js';
import { SoakStop, type Asker } from './soak_world.js';

/** How long a replica may take to be there after everything is whole again, milliseconds. */
const REPLICA_MS_MAX = 120_000;
/** Keys that are verified at the same time. */
const AT_ONCE = 16;

/** How much was found as it was acknowledged. */
export interface Verified {
  keys: number;
  replicas: number;
  products: number;
  tags: number;
  grants: number;
  aliases: number;
  /** Keys whose request had no answer. */
  unclaimed: number;
}

/** Reads everything that was ever acknowledged. The lab is whole and nobody else works in it. */
export async function verifyAll(asker: Asker): Promise<Verified> {
  const { world } = asker;
  const verified: Verified = { keys: 0, replicas: 0, products: 0, tags: 0, grants: 0, aliases: 0, unclaimed: 0 };
  await each(world.keys, async (key) => {
    try {
      await verifyKey(asker, key, verified);
    } catch (error) {
      if (!(error instanceof SoakStop)) throw error;
      asker.violate(error.message);
    }
  });
  await each([...world.aliases], async ([place, keyId]) => {
    const [region = '', alias = ''] = place.split(' ');
    const found = await keyOfAlias(asker, region, alias);
    if (found !== (keyId ?? 'none')) {
      asker.violate(`${alias} of ${region} names ${found} and was acknowledged to name ${keyId ?? 'none'}`);
    }
    verified.aliases += 1;
  });
  for (const region of world.regions) await verifyList(asker, region, verified);
  return verified;
}

async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  });
  await Promise.all(workers);
}

async function verifyKey(asker: Asker, key: ModelKey, verified: Verified): Promise<void> {
  const same = (what: string, found: string, acknowledged: string): void => {
    if (found !== acknowledged) {
      asker.violate(
        `${what} of ${key.keyId} (${key.kind}, ${key.region}) is ${found} and was acknowledged as ${acknowledged}`,
      );
    }
  };
  const description = await describe(asker, key.region, key.keyId);
  same('the state', description?.KeyState ?? 'absent', key.state);
  same('the description', description?.Description ?? 'absent', key.description);
  const text = (entries: ReadonlyMap<string, string>): string => [...entries].map(String).sort().join(' ');
  same('the tags', text(await tagsOf(asker, key)), text(key.tags));
  same('the grants', text(await grantsOf(asker, key)), text(key.grants));
  verified.tags += key.tags.size;
  verified.grants += key.grants.size;
  verified.keys += 1;
  await makeUsable(asker, key);
  for (const region of key.replicas.keys()) {
    await replicaArrives(asker, key, region);
    verified.replicas += 1;
  }
  await verifyPrimary(asker, key);
  if (key.kind === 'cipher') await verifyRotations(asker, key);
  for (const product of key.products) {
    const region = asker.chance.pick(regionsOf(key)) ?? key.region;
    while (!(await checkProduct(asker, key, { region, product, refusal: undefined }))) continue;
    verified.products += 1;
  }
}

async function replicaArrives(asker: Asker, key: ModelKey, region: string): Promise<void> {
  const deadline = performance.now() + REPLICA_MS_MAX;
  for (;;) {
    const state = (await describe(asker, region, key.keyId))?.KeyState ?? 'absent';
    if (state === 'Enabled') return void key.replicas.set(region, true);
    if (performance.now() > deadline)
      return asker.violate(`the replica of ${key.keyId} in ${region} is still ${state}`);
    // A replication that a failing token has made the primary give up is no replica of its any more.
    const isGivenUp = state === 'absent' && !(await replicaRegionsOf(asker, key)).includes(region);
    if (isGivenUp) await beginAgain(asker, key, region);
    await sleep(200);
  }
}

/** As callers do with a replication that was given up. */
async function beginAgain(asker: Asker, key: ModelKey, region: string): Promise<void> {
  await asker.read(key.primary, 'ReplicateKey', { KeyId: key.keyId, ReplicaRegion: region }, 'AlreadyExistsException');
}

/** Of the keys of a set one is the primary. */
async function verifyPrimary(asker: Asker, key: ModelKey): Promise<void> {
  if (!key.isMultiRegion) return;
  for (const region of [key.region, ...key.replicas.keys()]) {
    const type = (await describe(asker, region, key.keyId))?.MultiRegionConfiguration?.MultiRegionKeyType ?? 'absent';
    const expected = region === key.primary ? 'PRIMARY' : 'REPLICA';
    if (type !== expected) asker.violate(`${key.keyId} is ${type} in ${region} and was seen to be ${expected}`);
  }
}

/** A rotation of a replicated key is there when all replicas have the material. */
async function verifyRotations(asker: Asker, key: ModelKey): Promise<void> {
  const { least, most } = key.rotations;
  const deadline = performance.now() + REPLICA_MS_MAX;
  for (;;) {
    const found = await rotationsOf(asker, key);
    if (found >= least && found <= most) return;
    if (found > most || performance.now() > deadline) {
      return asker.violate(`${key.keyId} was rotated ${found} times; acknowledged: ${least} to ${most}`);
    }
    await sleep(200);
  }
}

/** Whatever a key's state is, there is a way to what it encrypted. */
async function makeUsable(asker: Asker, key: ModelKey): Promise<void> {
  if (key.state === 'PendingDeletion') {
    await asker.read(key.region, 'CancelKeyDeletion', { KeyId: key.keyId });
    key.state = 'Disabled';
  }
  if (key.state === 'Disabled') {
    await asker.read(key.region, 'EnableKey', { KeyId: key.keyId });
    key.state = 'Enabled';
  }
  while (key.state === 'PendingImport') await importMaterial(asker, key);
}

/** Every key of a region can be described; those that nobody was told of are whole too. */
async function verifyList(asker: Asker, region: string, verified: Verified): Promise<void> {
  const known = new Set(asker.world.keys.map(({ keyId }) => keyId));
  let marker: unknown;
  const listed: string[] = [];
  do {
    const page = await asker.read(region, 'ListKeys', { Limit: 1000, ...(marker !== undefined && { Marker: marker }) });
    listed.push(...((page?.['Keys'] ?? []) as readonly { readonly KeyId: string }[]).map(({ KeyId }) => KeyId));
    marker = page?.['NextMarker'];
  } while (marker !== undefined);
  for (const key of asker.world.keys.filter((each) => each.region === region || each.replicas.has(region))) {
    if (!listed.includes(key.keyId)) asker.violate(`${key.keyId} is not listed in ${region}`);
  }
  for (const keyId of listed.filter((id) => !known.has(id))) {
    if ((await describe(asker, region, keyId)) === null) asker.violate(`${keyId} of ${region} is listed and not there`);
    verified.unclaimed += 1;
  }
}
