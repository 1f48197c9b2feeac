import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { TrailFile } from '../../../src/adapters/trail_file.js';

/** The adapter looks into no event: any document will do. */
function event(members: object): string {
  return JSON.stringify(members);
}

describe('The file of an audit trail', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-trail-'));
    path = join(directory, 'trail.jsonl');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const linesOf = async (file: string) => (await readFile(file, 'utf8')).split('\n').slice(0, -1);

  it('holds a line when its promise has resolved, and all lines in the order in which they came', async () => {
    const trail = await TrailFile.open(path);
    await trail.append(event({ n: 0 }));
    expect(await linesOf(path)).to.deep.equal(['{"n":0}']);
    const many = Array.from({ length: 200 }, (_, index) => index + 1);
    await Promise.all(many.map((n) => trail.append(event({ n }))));
    await trail.close();
    expect((await linesOf(path)).map((line) => JSON.parse(line).n)).to.deep.equal([0, ...many]);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  it('goes on behind what was there, and waits for its lines when it is closed', async () => {
    for (const n of [1, 2]) {
      const trail = await TrailFile.open(path);
      const appended = trail.append(event({ n }));
      await trail.close();
      await appended;
    }
    expect(await linesOf(path)).to.deep.equal(['{"n":1}', '{"n":2}']);
  });

  it('ends a line that a crash has cut, so that it spoils no other', async () => {
    await writeFile(path, '{"n":1}\n{"n":2,"te');
    const trail = await TrailFile.open(path);
    await trail.append(event({ n: 3 }));
    await trail.append(event({ n: 4 }));
    await trail.close();
    expect(await linesOf(path)).to.deep.equal(['{"n":1}', '{"n":2,"te', '{"n":3}', '{"n":4}']);
  });

  it('sets full files aside and loses none of their lines', async () => {
    const trail = await TrailFile.open(path, { fileBytesMax: 100 });
    for (let n = 0; n < 30; n += 1) await trail.append(event({ n, filler: 'x'.repeat(20) }));
    await trail.close();
    const files = (await readdir(directory)).toSorted();
    expect(files.length).to.be.greaterThan(10);
    const numbers: number[] = [];
    for (const file of files) {
      expect((await stat(join(directory, file))).size).to.be.at.most(100);
      for (const line of await linesOf(join(directory, file))) numbers.push(JSON.parse(line).n);
    }
    expect(numbers.toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 30 }, (_, n) => n));
    expect(JSON.parse((await linesOf(path)).at(-1) ?? '').n).to.equal(29);
  });

  it('keeps sixteen full files and lets the oldest go', async () => {
    const trail = await TrailFile.open(path, { fileBytesMax: 10 });
    for (let n = 0; n < 30; n += 1) await trail.append(event({ n }));
    await trail.close();
    expect(await readdir(directory)).to.have.length(17);
    expect(await linesOf(`${path}.16`)).to.deep.equal(['{"n":13}']);
  });

  it('fails where the file cannot be written, so that nobody takes the line for recorded', async () => {
    const full = await TrailFile.open('/dev/full').catch(() => undefined);
    if (full === undefined) throw new Error('this machine has no /dev/full');
    let failure: unknown;
    await full.append(event({ n: 1 })).catch((error: unknown) => (failure = error));
    expect(failure).to.include({ code: 'ENOSPC' });
    await full.close();
  });
});
