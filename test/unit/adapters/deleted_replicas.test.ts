import { expect } from 'chai';
import { Database } from '../../../src/adapters/database.js';
import { SqliteKeyStore } from '../../../src/adapters/key_store_sqlite.js';
import { SqliteMaterialStore } from '../../../src/adapters/material_store_sqlite.js';
import type { KeyId } from '../../../src/kms/key_id.js';
import { LIMITS } from '../../../src/limits.js';

const [one, other] = [`mrk-${'1'.repeat(32)}`, `mrk-${'2'.repeat(32)}`] as const;
const SOURCE = 'us-east-1';

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

  it('does not tell the key id, and is found by it', () => {
    const store = open();
    store.putDeletedReplica(one as KeyId, SOURCE);
    expect(store.deletedReplica(one, SOURCE)).to.equal(null);
    store.tellDeletedReplica(one, SOURCE, 7n, 0);
    expect(store.deletedReplica(one, SOURCE)).to.equal(7n);
    expect(store.deletedReplica(one, 'us-west-2')).to.equal(undefined);
    expect(store.deletedReplica(other, SOURCE)).to.equal(undefined);
    expect(rows()).to.not.include('1'.repeat(32));
    store.removeDeletedReplica(one);
    expect(store.deletedReplica(one, SOURCE)).to.equal(undefined);
  });

  it('loses the key ids that an earlier version wrote down, at the next start', () => {
    open();
    database
      .prepare('INSERT INTO deleted_replicas (key_name, source, told_generation) VALUES (?, ?, ?)')
      .run(one, SOURCE, '3');
    expect(rows()).to.include(one);
    expect(open().deletedReplica(one, SOURCE)).to.equal(3n);
    expect(rows()).to.not.include('1'.repeat(32));
  });

  it('is forgotten thirty days after the source was told, and not before it was', () => {
    const store = open();
    store.putDeletedReplica(one as KeyId, SOURCE);
    store.putDeletedReplica(other as KeyId, SOURCE);
    store.tellDeletedReplica(one, SOURCE, 1n, 0);
    store.tellDeletedReplica(`mrk-${'3'.repeat(32)}`, SOURCE, 1n, LIMITS.kmsDeletedReplicaToldMs);
    expect(store.deletedReplica(one, SOURCE)).to.equal(1n);
    store.tellDeletedReplica(`mrk-${'3'.repeat(32)}`, SOURCE, 2n, LIMITS.kmsDeletedReplicaToldMs + 1);
    expect(store.deletedReplica(one, SOURCE)).to.equal(undefined);
    expect(store.deletedReplica(other, SOURCE)).to.equal(null);
  });
});
