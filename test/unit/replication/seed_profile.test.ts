import { expect } from 'chai';
import { utf8 } from '../../../src/bytes.js';
import { signerOf, resign } from '../../support/forge.js';
import { TestPartition } from '../../support/replication_partition.js';

async function open(profile: 'seed' | 'full') {
  const partition = await TestPartition.create({
    regions: ['us-east-1', 'eu-west-1', 'ap-south-1'],
    ports: { profile },
  });
  await partition.start();
  return {
    partition,
    a: partition.region('us-east-1'),
    b: partition.region('eu-west-1'),
    c: partition.region('ap-south-1'),
  };
}

const parts = (octets: Uint8Array | undefined): string[] =>
  Buffer.from(octets ?? [])
    .toString()
    .split(' ');
const joined = (fields: readonly string[]): Uint8Array => utf8(fields.join(' '));

describe('profile seed', () => {
  it('replicates a key in the five steps, and says that it is in use', async () => {
    const { partition, a, b } = await open('seed');
    const keyId = await partition.createKey(a, 2);
    partition.replicate(a, keyId, b.name);
    await partition.run();
    expect(b.keys.replicas.get(keyId)?.materials.map((material) => b.hsm.reveal(material))).to.deep.equal(
      a.keys.primaries.get(keyId)?.materials.map((material) => a.hsm.reveal(material)),
    );
    expect(b.audit.records.map((record) => record.code)).to.include('REPL_PROFILE_SEED');
    expect(b.agent.status().profile).to.equal('seed');
    expect([a.hsm.heldObjects, b.hsm.heldObjects]).to.deep.equal([0, 0]);
    await partition.stop();
  });

  it('lets a third region take another one’s offer for its own, so that a key goes where it was not sent', async () => {
    const { partition, a, b, c } = await open('seed');
    const keyId = await partition.createKey(a);
    // The key is meant for C. The proxy shows B an order, and C signs B's offer as its own.
    partition.replicate(a, keyId, c.name);
    await a.agent.settled();
    const order = partition.network.waiting.shift();
    await partition.network.deliver(b.name, order?.octets ?? new Uint8Array());
    const offer = parts(partition.network.waiting.shift()?.octets);
    offer[4] = Buffer.from(await resign(offer[4] ?? '', signerOf(c), () => undefined)).toString();
    await partition.network.deliver(a.name, joined(offer));
    const transfer = partition.network.waiting.shift();
    expect(transfer?.to).to.equal(c.name);
    await partition.network.deliver(b.name, transfer?.octets ?? new Uint8Array());
    expect(b.keys.replicas.get(keyId)?.state).to.equal('Enabled');
    expect(b.audit.refusals()).to.deep.equal([]);
    await partition.stop();
  });

  it('lets an offer be replayed: each one costs the source an agreement key', async () => {
    const { partition, a, b } = await open('seed');
    const keyId = await partition.createKey(a);
    partition.replicate(a, keyId, b.name);
    await partition.run();
    const offer = partition.network.seen.find((message) => parts(message.octets)[1] === 'offer');
    const before = a.hsm.calls.get('generateAgreementKey') ?? 0;
    for (let count = 0; count < 3; count += 1)
      await partition.network.deliver(a.name, offer?.octets ?? new Uint8Array());
    expect(a.hsm.calls.get('generateAgreementKey')).to.equal(before + 3);
    await partition.stop();
  });

  it('is what the full profile refuses to speak', async () => {
    const seed = await open('seed');
    const keyId = await seed.partition.createKey(seed.a);
    seed.partition.replicate(seed.a, keyId, seed.b.name);
    await seed.partition.run();
    const full = await open('full');
    for (const { octets } of seed.partition.network.seen) await full.partition.network.deliver(full.b.name, octets);
    expect(full.b.audit.refusals()).to.deep.equal(['ENCODING', 'ENCODING', 'ENCODING']);
    await seed.partition.stop();
    await full.partition.stop();
  });
});
