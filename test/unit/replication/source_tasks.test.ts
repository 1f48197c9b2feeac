import { expect } from 'chai';
import { openPair } from '../../support/replication_pair.js';

describe('What a source wants done', () => {
  it('is begun anew with what is so now, where it changed while the token worked for the announcement', async () => {
    const pair = await openPair();
    const { partition, a, b, keyId } = pair;
    const before = a.keys.primaries.get(keyId) ?? expect.fail('no key');
    const [first] = before.materials;
    if (first === undefined) throw new Error('the key has no material');
    const { materialId: _, ...binding } = first.binding;
    const second = a.hsm.createMaterial(binding);
    a.hsm.faults.push({
      call: 'random',
      change: (nonce) => {
        // As a rotation does: the new version and the wish to tell of it, in one transaction.
        const added = { materialId: second.binding.materialId, index: 1, state: 'NON_CURRENT' as const, createdMs: 0 };
        a.keys.primaries.set(keyId, {
          ...before,
          materials: [first, second],
          context: { ...before.context, materials: [...before.context.materials, added] },
        });
        a.agent.begin({ keyId, destination: b.name });
        a.agent.wake();
        return nonce;
      },
    });
    partition.replicate(a, keyId, b.name);
    await partition.run();
    const held = b.keys.replicas.get(keyId)?.materials.map((material) => material.binding.materialId);
    expect(held).to.deep.equal([first.binding.materialId, second.binding.materialId]);
    // What was read before it changed was never announced.
    expect(a.journal.allSourceSessions()).to.have.lengthOf(1);
    await partition.stop();
  });
});
