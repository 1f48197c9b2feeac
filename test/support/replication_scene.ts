import { expect } from 'chai';
import { TestPartition, type TestRegion } from './replication_partition.js';

/** Two honest regions and a third, C, whose RSK the attacker has. */
export class Scene {
  readonly partition: TestPartition;
  readonly a: TestRegion;
  readonly b: TestRegion;
  readonly c: TestRegion;
  keyId = '';

  constructor(partition: TestPartition) {
    this.partition = partition;
    this.a = partition.region('us-east-1');
    this.b = partition.region('eu-west-1');
    this.c = partition.region('ap-south-1');
  }

  static async open(args: Partial<Parameters<typeof TestPartition.create>[0]> = {}): Promise<Scene> {
    const partition = await TestPartition.create({ regions: ['us-east-1', 'eu-west-1', 'ap-south-1'], ...args });
    const scene = new Scene(partition);
    await partition.start();
    scene.keyId = await partition.createKey(scene.a);
    partition.replicate(scene.a, scene.keyId, scene.b.name);
    await scene.a.agent.settled();
    return scene;
  }

  /** Takes the next waiting message away from the network. */
  take(): Uint8Array {
    const message = this.partition.network.waiting.shift();
    if (message === undefined) throw new Error('no message waits');
    return message.octets;
  }

  /** Runs the exchange up to a message and takes that one: M0 is 0. */
  async upTo(number: 0 | 1 | 2 | 3 | 4): Promise<Uint8Array> {
    for (let message = 0; message < number; message += 1) {
      await this.partition.network.deliver(message % 2 === 0 ? this.b.name : this.a.name, this.take());
    }
    return this.take();
  }

  /** Gives octets to a region and says which refusals that made. */
  async give(region: TestRegion, octets: Uint8Array): Promise<readonly string[]> {
    const before = region.audit.refusals().length;
    await this.partition.network.deliver(region.name, octets);
    await region.agent.settled();
    return region.audit.refusals().slice(before);
  }

  /** The rest of the exchange is delivered, and the replica must be there: what came before has changed nothing. */
  async finish(octets: Uint8Array, region: TestRegion): Promise<void> {
    await this.partition.network.deliver(region.name, octets);
    await this.partition.run();
    await this.partition.advance(5_000);
    expect(this.b.keys.replicas.get(this.keyId)?.state).to.equal('Enabled');
    expect(this.a.keys.confirmations.get(`${this.keyId} ${this.b.name}`)).to.not.equal(undefined);
    await this.close();
  }

  async close(): Promise<void> {
    await this.partition.stop();
    for (const region of [this.a, this.b, this.c]) expect(region.hsm.heldObjects).to.equal(0);
  }
}

/** Who receives M0, M1, … */
export const receivers = ['b', 'a', 'b', 'a', 'b'] as const;
