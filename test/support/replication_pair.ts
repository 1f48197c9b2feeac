import { takeApart } from './forge.js';
import { TestPartition, type TestRegion } from './replication_partition.js';

/** Two regions and a key. */
export interface Pair {
  readonly partition: TestPartition;
  readonly a: TestRegion;
  readonly b: TestRegion;
  readonly keyId: string;
}

/** Two started regions and a multi-Region key in the first. */
export async function openPair(args: Partial<Parameters<typeof TestPartition.create>[0]> = {}): Promise<Pair> {
  const partition = await TestPartition.create({ regions: ['us-east-1', 'eu-west-1'], ...args });
  await partition.start();
  const a = partition.region('us-east-1');
  return { partition, a, b: partition.region('eu-west-1'), keyId: await partition.createKey(a) };
}

/** Begins the replication; M0 waits in the network. */
export async function begin({ partition, a, b, keyId }: Pair): Promise<void> {
  partition.replicate(a, keyId, b.name);
  await a.agent.settled();
}

/** Delivers the next messages. */
export async function pass({ partition }: Pair, count: number): Promise<void> {
  for (let message = 0; message < count; message += 1) {
    const next = partition.network.waiting.shift();
    if (next === undefined) throw new Error('no message waits');
    await partition.network.deliver(next.to, next.octets);
  }
}

/** Gives octets to a region and says which refusals that made. */
export async function give(
  region: TestRegion,
  partition: TestPartition,
  octets: Uint8Array,
): Promise<readonly string[]> {
  const before = region.audit.refusals().length;
  await partition.network.deliver(region.name, octets);
  await region.agent.settled();
  return region.audit.refusals().slice(before);
}

/** Octets of the first message of a type that was ever sent. */
export function seen({ partition }: Pair, typ: string): Uint8Array {
  const found = partition.network.seen.find((message) => takeApart(message.octets).jws.typ === typ);
  if (found === undefined) throw new Error(`no ${typ} was sent`);
  return found.octets;
}

/** Whether the replica is there and the source knows. */
export function isReplicated({ a, b, keyId }: Pair): boolean {
  return b.keys.replicas.get(keyId)?.state === 'Enabled' && a.keys.confirmations.has(`${keyId} ${b.name}`);
}
