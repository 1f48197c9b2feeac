import { expect } from 'chai';
import { TestPartition } from '../../support/replication_partition.js';

describe('replication between two regions', () => {
  it('brings every material of a key to the destination and tells the source', async () => {
    const partition = await TestPartition.create({ regions: ['us-east-1', 'eu-west-1'] });
    const source = partition.region('us-east-1');
    const destination = partition.region('eu-west-1');
    await partition.start();
    const keyId = await partition.createKey(source, 3);
    partition.replicate(source, keyId, destination.name);
    await partition.run();

    expect(partition.network.seen.map((message) => `${message.from}>${message.to}`)).to.deep.equal([
      'us-east-1>eu-west-1',
      'eu-west-1>us-east-1',
      'us-east-1>eu-west-1',
      'eu-west-1>us-east-1',
      'us-east-1>eu-west-1',
    ]);
    const replica = destination.keys.replicas.get(keyId);
    expect(replica?.state).to.equal('Enabled');
    const sent = source.keys.primaries.get(keyId)?.materials.map((material) => source.hsm.reveal(material));
    expect(replica?.materials.map((material) => destination.hsm.reveal(material))).to.deep.equal(sent);
    expect(source.keys.confirmations.get(`${keyId} eu-west-1`)).to.equal(1n);
    expect(source.audit.refusals()).to.deep.equal([]);
    expect(destination.audit.refusals()).to.deep.equal([]);
    expect(await source.hsm.ephemeralCount()).to.equal(0);
    expect(await destination.hsm.ephemeralCount()).to.equal(0);
    await partition.stop();
  });
});
