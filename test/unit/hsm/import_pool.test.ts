import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import type { ImportKeySpec, StoredImportKey } from '../../../src/hsm/import_key.js';
import { ImportKeyPool } from '../../../src/hsm/import_pool.js';

/** Pairs that cost nothing: only their names are looked at. */
class FakePairs {
  readonly made: string[] = [];
  atOnce = 0;
  atOnceMax = 0;
  failures = 0;

  readonly generate = async (keySpec: ImportKeySpec): Promise<StoredImportKey> => {
    this.atOnce += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.atOnce);
    await setImmediate();
    this.atOnce -= 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the token is away');
    }
    const id = `${keySpec} ${this.made.length}`;
    this.made.push(id);
    const none = new Uint8Array();
    return { id, keySpec, publicKey: none, exportedKeyToken: none, domainKeyId: '', recordMac: none };
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !condition(); turns += 1) await setImmediate();
  expect(condition()).to.equal(true);
}

describe('the pool of import keys', () => {
  it('makes pairs only when they are asked for, while it is cold', async () => {
    const pairs = new FakePairs();
    const pool = new ImportKeyPool(pairs.generate);
    expect((await pool.take('RSA_3072')).id).to.equal('RSA_3072 0');
    await setImmediate();
    expect(pairs.made).to.deep.equal(['RSA_3072 0']);
    await pool.close();
  });

  it('keeps one pair of each size ready, and more of a size that was asked for, made one at a time', async () => {
    const pairs = new FakePairs();
    const pool = new ImportKeyPool(pairs.generate);
    pool.warm();
    await pool.take('RSA_2048');
    await until(() => pool.readyCount('RSA_2048') === 4);
    await until(() => pool.readyCount('RSA_4096') === 1);
    await pool.close();
    expect(pool.readyCount('RSA_3072')).to.equal(1);
    expect(pairs.made).to.have.lengthOf(7);
    // The one that was waited for, and the one that was made ahead meanwhile.
    expect(pairs.atOnceMax).to.equal(2);
  });

  it('gives each pair out once, the oldest first', async () => {
    const pairs = new FakePairs();
    const pool = new ImportKeyPool(pairs.generate);
    pool.warm();
    await pool.take('RSA_2048');
    await until(() => pool.readyCount('RSA_2048') === 4);
    const taken = await Promise.all(Array.from({ length: 10 }, () => pool.take('RSA_2048')));
    await pool.close();
    expect(new Set(taken.map(({ id }) => id)).size).to.equal(10);
  });

  it('tells whoever asks why no pair can be made, and stops making them ahead for a while', async () => {
    const pairs = new FakePairs();
    const pool = new ImportKeyPool(pairs.generate);
    pairs.failures = 2;
    pool.warm();
    const error = await pool.take('RSA_2048').catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'the token is away');
    for (let turns = 0; turns < 50; turns += 1) await setImmediate();
    expect(pairs.made).to.deep.equal([]);
    expect((await pool.take('RSA_2048')).id).to.equal('RSA_2048 0');
    await pool.close();
  });

  it('makes nothing more once it is closed', async () => {
    const pairs = new FakePairs();
    const pool = new ImportKeyPool(pairs.generate);
    pool.warm();
    await pool.take('RSA_2048');
    await pool.close();
    const { length } = pairs.made;
    for (let turns = 0; turns < 50; turns += 1) await setImmediate();
    expect(pairs.made).to.have.lengthOf(length);
  });
});
