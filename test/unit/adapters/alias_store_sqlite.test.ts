import { expect } from 'chai';
import fc from 'fast-check';
import { SqliteAliasStore } from '../../../src/adapters/alias_store_sqlite.js';
import type { KeyId } from '../../../src/kms/key_id.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { makeSoftwareRegion } from '../../support/software_region.js';

const NAMES = ['alias/a', 'alias/b', 'alias/c'];

/** What happens to aliases and to the keys that they name, by their numbers. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), name: fc.constantFrom(...NAMES), key: fc.nat(2) }),
  fc.record({ kind: fc.constant('remove' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ kind: fc.constant('rollback' as const), name: fc.constantFrom(...NAMES), key: fc.nat(2) }),
  fc.record({ kind: fc.constant('deleteKey' as const), key: fc.nat(2) }),
);

describe('The aliases of a region in its database', () => {
  it('are the same from memory, from the database, and in a list, whatever happened before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 25 }), async (happenings) => {
        const { region, database, call, close } = makeSoftwareRegion();
        const { store, aliases } = region;
        const keys: KeyId[] = [];
        for (let count = 0; count < 3; count += 1) {
          keys.push((await createKey(call, {})).KeyMetadata.KeyId as KeyId);
        }
        const expected = new Map<string, KeyId>();
        const put = (name: string, keyId: KeyId): void => aliases.putAlias({ name, keyId, createdMs: 1, updatedMs: 2 });
        for (const [index, it] of happenings.entries()) {
          const keyId = 'key' in it ? keys[it.key] : undefined;
          if (it.kind === 'remove') {
            aliases.removeAlias(it.name);
            expected.delete(it.name);
          } else if (keyId !== undefined && store.key(keyId) !== undefined) {
            if (it.kind === 'put') {
              put(it.name, keyId);
              expected.set(it.name, keyId);
            } else if (it.kind === 'rollback') {
              const fails = (): never => {
                put(it.name, keyId);
                // What is read in between is remembered, and must be forgotten again.
                aliases.alias(it.name);
                aliases.aliasesOf(keyId);
                throw new Error('rolled back');
              };
              expect(() => store.transaction(fails)).to.throw('rolled back');
            } else {
              store.deleteKey(keyId);
              for (const [name, target] of expected) if (target === keyId) expected.delete(name);
            }
          }
          const inOrder = [...expected].toSorted(([a], [b]) => (a < b ? -1 : 1));
          const fresh = new SqliteAliasStore(database, store);
          for (const source of index % 2 === 0 ? [aliases, fresh] : [aliases]) {
            const listed = source.aliases({ after: '', limit: 10 });
            expect(listed.map(({ name, keyId: target }) => [name, target])).to.deep.equal(inOrder);
            for (const name of NAMES) expect(source.alias(name)?.keyId).to.equal(expected.get(name));
            for (const key of keys) {
              const names = inOrder.filter(([, target]) => target === key).map(([name]) => name);
              expect(source.aliasesOf(key).map(({ name }) => name)).to.deep.equal(names);
            }
          }
        }
        close();
      }),
      { numRuns: 60 },
    );
  });
});
