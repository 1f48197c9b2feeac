import { expect } from 'chai';
import fc from 'fast-check';
import { RememberedKeys } from '../../../src/adapters/remembered_keys.js';
import type { KeyId } from '../../../src/kms/key_id.js';
import type { KeyRecord } from '../../../src/kms/key_record.js';

const idOf = (number: number): KeyId => `00000000-0000-0000-0000-${String(number).padStart(12, '0')}` as KeyId;
const recordOf = (number: number): KeyRecord => ({ keyId: idOf(number) }) as KeyRecord;

describe('remembered keys', () => {
  it('forget the least recently used, and never hold more than they may', () => {
    const remembered = new RememberedKeys(3);
    for (const number of [1, 2, 3]) remembered.putRecord(recordOf(number));
    remembered.record(idOf(1));
    remembered.putRecord(recordOf(4));
    expect(remembered.count).to.equal(3);
    expect(remembered.record(idOf(2))).to.equal(undefined);
    expect(remembered.record(idOf(1))).to.deep.equal(recordOf(1));
  });

  it('forget every material of a key that changed, and none of another, whatever came before', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key: fc.nat(5), material: fc.nat(12) }),
      fc.record({ kind: fc.constant('forget' as const), key: fc.nat(5), material: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const remembered = new RememberedKeys(1000);
        const expected = new Map<string, KeyId>();
        for (const { kind, key, material } of steps) {
          // A material belongs to one key for good.
          const owner = idOf(kind === 'put' ? material % 6 : key);
          if (kind === 'put') {
            remembered.putMaterial(`m${material}`, { keyId: owner, material: null });
            expected.set(`m${material}`, owner);
          } else {
            remembered.forget(owner);
            for (const [id, keyId] of expected) if (keyId === owner) expected.delete(id);
          }
        }
        for (let material = 0; material <= 12; material += 1) {
          expect(remembered.material(`m${material}`)?.keyId).to.equal(expected.get(`m${material}`));
        }
      }),
    );
  });
});
