import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Database } from '../../../src/adapters/database.js';

const TABLE = 'CREATE TABLE notes (name TEXT PRIMARY KEY, octets BLOB, number INTEGER) STRICT';

describe('A region’s database', () => {
  let directory: string;
  let database: Database;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-database-'));
    database = Database.open(join(directory, 'region.db'));
    database.migrate('notes', [TABLE]);
  });
  afterEach(async () => {
    database.close();
    await rm(directory, { recursive: true });
  });

  const insert = (name: string) => database.prepare('INSERT INTO notes VALUES (?, ?, ?)').run(name, Buffer.of(1, 2), 7);
  const names = () =>
    database
      .prepare('SELECT name FROM notes ORDER BY name')
      .all()
      .map((row) => row['name']);

  it('waits for the disk before a transaction has succeeded', () => {
    expect(database.prepare('PRAGMA journal_mode').get()?.['journal_mode']).to.equal('wal');
    expect(database.prepare('PRAGMA synchronous').get()?.['synchronous']).to.equal(2);
    expect(database.prepare('PRAGMA foreign_keys').get()?.['foreign_keys']).to.equal(1);
  });

  it('reads octets alike from one row and from many', () => {
    insert('a');
    const one = database.prepare('SELECT octets FROM notes').get()?.['octets'];
    const many = database.prepare('SELECT octets FROM notes').all()[0]?.['octets'];
    expect(one).to.be.instanceOf(Uint8Array);
    expect(many).to.deep.equal(one);
  });

  it('takes octets as the only value of a statement', () => {
    insert('a');
    expect(database.prepare('SELECT name FROM notes WHERE octets = ?').get(Buffer.of(1, 2))?.['name']).to.equal('a');
  });

  it('commits what a transaction did, with what was nested in it', () => {
    const result = database.transaction(() => {
      insert('outer');
      return database.transaction(() => {
        insert('inner');
        return 'done';
      });
    });
    expect(result).to.equal('done');
    const again = Database.open(join(directory, 'region.db'));
    expect(again.prepare('SELECT count(*) AS n FROM notes').get()?.['n']).to.equal(2);
    again.close();
  });

  it('waits for the disk again after a transaction that need not wait, whether it succeeded or not', () => {
    const synchronous = () => database.prepare('PRAGMA synchronous').get()?.['synchronous'];
    const during = database.transaction(() => {
      insert('ordered');
      return synchronous();
    }, 'ordered');
    expect([during, synchronous()]).to.deep.equal([1, 2]);
    expect(() =>
      database.transaction(() => {
        throw new Error('late');
      }, 'ordered'),
    ).to.throw('late');
    expect(synchronous()).to.equal(2);
    const nested = database.transaction(() => database.transaction(synchronous, 'ordered'));
    expect(nested, 'a part of a durable transaction').to.equal(2);
    expect(names()).to.deep.equal(['ordered']);
  });

  it('rolls everything back where anything fails, and tells those who remember rows', () => {
    let told = 0;
    database.onRollback(() => {
      told += 1;
    });
    expect(() =>
      database.transaction(() => {
        insert('outer');
        database.transaction(() => insert('inner'));
        throw new Error('late');
      }),
    ).to.throw('late');
    expect(names()).to.deep.equal([]);
    expect(told).to.equal(1);
    database.transaction(() => insert('afterwards'));
    expect(names()).to.deep.equal(['afterwards']);
  });

  it('tells those who remember rows nothing where a refusal has only looked around', () => {
    insert('there');
    let told = 0;
    database.onRollback(() => {
      told += 1;
    });
    const refuse = (): never => {
      throw new Error(`refused after ${names().join()}`);
    };
    expect(() => database.transaction(refuse)).to.throw('refused after there');
    expect(told).to.equal(0);
  });

  it('commits nothing where a nested failure is caught inside', () => {
    expect(() =>
      database.transaction(() => {
        insert('outer');
        try {
          database.transaction(() => {
            insert('inner');
            throw new Error('early');
          });
        } catch {
          insert('as if nothing had happened');
        }
      }),
    ).to.throw('nothing is committed');
    expect(names()).to.deep.equal([]);
  });

  it('runs each step of a migration once, and later steps on top', () => {
    database.migrate('notes', [TABLE]);
    insert('kept');
    database.migrate('notes', [TABLE, 'ALTER TABLE notes ADD COLUMN colour TEXT']);
    expect(database.prepare('SELECT name, colour FROM notes').get()).to.include({ name: 'kept', colour: null });
  });

  it('leaves the tables as they were where a step of a migration fails', () => {
    const steps = [TABLE, 'ALTER TABLE notes ADD COLUMN colour TEXT', 'ALTER TABLE nothing ADD COLUMN x TEXT'];
    expect(() => database.migrate('notes', steps)).to.throw();
    expect(() => database.prepare('SELECT colour FROM notes')).to.throw();
  });
});
