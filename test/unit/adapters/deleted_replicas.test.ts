import { expect } from 'chai';
import { Database } from '../../../src/adapters/database.js';
import { SqliteKeyStore } from '../../../src/adapters/key_store_sqlite.js';
import { SqliteMaterialStore } from '../../../src/adapters/material_store_sqlite.js';
import type { KeyId } from '../../../src/kms/key_id.js';

const [one, other] = [`mrk-${'1'.repeat(32)}`, `mrk-${'2'.repeat(32)}`] as const;

describe('What a region remembers of deleted replicas', () => {
  let database: Database;
  const open = (): SqliteMaterialStore => {
    const home = { partition: 'aws', region: 'eu-west-1', account: '111122223333' };
    return new SqliteMaterialStore(database, new SqliteKeyStore(database, home));
  };
  const rows = () => JSON.stringify(database.prepare('SELECT * FROM deleted_replicas').all());

  beforeEach(() => {
    database = Database.open(':memory:');
  });
  afterEach(() => database.close());

  it('does not tell the key id, is found by it, and ends where the replica is made anew', () => {
    const store = open();
    store.putDeletedReplica(one as KeyId);
    store.putDeletedReplica(one as KeyId);
    expect([one, other].map((keyId) => store.wasReplicaDeleted(keyId))).to.deep.equal([true, false]);
    expect(rows()).to.not.include('1'.repeat(32));
    store.removeDeletedReplica(one);
    expect(store.wasReplicaDeleted(one)).to.equal(false);
  });

  it('loses the key ids that an earlier version wrote down, at the next start', () => {
    open();
    database.prepare('INSERT INTO deleted_replicas (key_name) VALUES (?)').run(one);
    expect(rows()).to.include(one);
    expect(open().wasReplicaDeleted(one)).to.equal(true);
    expect(rows()).to.not.include('1'.repeat(32));
  });
});
