import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { isKeyId } from '../../src/kms/key_id.js';
import { makeSoftwareRegion } from '../support/software_region.js';

const CREATOR = fileURLToPath(new URL('../support/create_keys_until_killed.js', import.meta.url));

describe('The key store of a process that is killed', function () {
  this.timeout(30_000);
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-crash-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Creates keys in another process, kills it after some of them, and returns the ids that it acknowledged. */
  function createUntilKilled(database: string, keys: number): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [CREATOR, database], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.split('\n').length > keys) child.kill('SIGKILL');
      });
      child.on('error', reject);
      child.on('close', (_code, signal) => {
        if (signal !== 'SIGKILL') reject(new Error('the process ended by itself'));
        // A line that was cut off was not acknowledged.
        else resolve(text.split('\n').slice(0, -1));
      });
    });
  }

  it('holds every acknowledged key whole, and no half of another, every time', async () => {
    const database = join(directory, 'region.db');
    const acknowledged: string[] = [];
    for (const keys of [1, 7, 30]) {
      acknowledged.push(...(await createUntilKilled(database, keys)));
      const fixture = makeSoftwareRegion({ database });
      const { store } = fixture.region;
      const found = store.keyIds({ after: '', limit: 10_000 });
      expect(found).to.include.members(acknowledged);
      expect(found.length - acknowledged.length).to.be.within(0, 3);
      for (const keyId of found) {
        if (!isKeyId(keyId)) throw new Error(`malformed key id ${keyId}`);
        expect(store.key(keyId)?.currentMaterial).to.not.equal(null);
        expect(store.tags(keyId)).to.have.length(1);
        expect(store.materials(keyId)).to.have.length(1);
      }
      fixture.close();
    }
    expect(acknowledged.length).to.be.at.least(38);
  });
});
