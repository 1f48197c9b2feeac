import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { SoftHsmFiles } from '../../../src/adapters/token_files.js';

/** Counts what is synced: by the file's number, which the system gives. */
async function watchSyncs(directory: string): Promise<{ readonly synced: number[]; restore(): void }> {
  const probe = await open(directory, 'r');
  const prototype = Object.getPrototypeOf(probe) as Pick<FileHandle, 'sync'>;
  await probe.close();
  const { sync } = prototype;
  const synced: number[] = [];
  prototype.sync = async function (this: FileHandle) {
    synced.push((await this.stat()).ino);
    return sync.call(this);
  };
  return { synced, restore: () => (prototype.sync = sync) };
}

describe('the files of SoftHSM2', () => {
  let tokens: string;
  let own: string;
  let watch: Awaited<ReturnType<typeof watchSyncs>>;

  const put = (name: string): string => {
    const path = join(own, name);
    writeFileSync(path, name);
    return path;
  };
  const inode = async (path: string): Promise<number> => {
    const file = await open(path, 'r');
    const { ino } = await file.stat();
    await file.close();
    return ino;
  };

  beforeEach(async () => {
    tokens = mkdtempSync(join(tmpdir(), 'keyferry-files-'));
    own = join(tokens, 'one');
    mkdirSync(own);
    put('old.object');
    put('generation');
    watch = await watchSyncs(tokens);
  });
  afterEach(() => {
    watch.restore();
    rmSync(tokens, { recursive: true, force: true });
  });

  it('are synced when they are new, with their directory, and those that were there before are left alone', async () => {
    const files = new SoftHsmFiles(tokens);
    const fresh = put('new.object');
    put('new.lock');
    await files.sync();
    const expected = await Promise.all([fresh, join(own, 'generation'), own].map(inode));
    expect(new Set(watch.synced)).to.deep.equal(new Set(expected));
    expect(watch.synced.at(-1), 'the directory last').to.equal(expected[2]);
  });

  it('are synced again while they are new: the token writes an object more than once', async () => {
    const files = new SoftHsmFiles(tokens);
    const fresh = put('new.object');
    await files.sync();
    watch.synced.length = 0;
    put(basename(fresh));
    await files.sync();
    expect(watch.synced).to.include(await inode(fresh));
  });

  it('are synced once for all who wait, and never by a sync that had begun before', async () => {
    const files = new SoftHsmFiles(tokens);
    const first = files.sync();
    await Promise.resolve();
    const fresh = put('new.object');
    const waiting = [files.sync(), files.sync(), files.sync()];
    expect(new Set(waiting).size).to.equal(1);
    await Promise.all([first, ...waiting]);
    const syncs = watch.synced.filter((ino) => ino !== 0);
    expect(syncs.filter((each) => each === syncs.at(-1)).length, 'of the directory').to.be.at.most(2);
    expect(syncs).to.include(await inode(fresh));
  });

  it('may be gone by then', async () => {
    const files = new SoftHsmFiles(tokens);
    const fresh = put('new.object');
    await files.sync();
    unlinkSync(fresh);
    await files.sync();
    expect(watch.synced.at(-1)).to.equal(await inode(own));
  });

  it('that cannot be read are an error', async () => {
    const files = new SoftHsmFiles(tokens);
    rmSync(tokens, { recursive: true, force: true });
    const error = await files.sync().catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'ENOENT');
    mkdirSync(own, { recursive: true });
    await files.sync();
  });
});
