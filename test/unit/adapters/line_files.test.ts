import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { LIMITS } from '../../../src/limits.js';
import { LineFiles, type FoundLine } from '../../../src/line_files.js';

const EARLIER_MAX = 4;

describe('The lines of a row of files', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-lines-'));
    path = join(directory, 'lines');
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Writes the files, the oldest first, as they would have been set aside. */
  async function write(...files: readonly string[]): Promise<void> {
    for (const [index, text] of files.toReversed().entries()) {
      await writeFile(index === 0 ? path : `${path}.${index}`, text);
    }
  }

  async function setAside(): Promise<void> {
    for (let number = EARLIER_MAX - 1; number >= 1; number -= 1) {
      await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(() => undefined);
    }
    await rename(path, `${path}.1`);
  }

  async function all(batches: AsyncIterable<readonly FoundLine[]>): Promise<FoundLine[]> {
    const lines: FoundLine[] = [];
    for await (const batch of batches) lines.push(...batch);
    return lines;
  }

  const textsOf = (lines: readonly FoundLine[]) => lines.map(({ octets }) => octets.toString('utf8'));

  it('are the same forwards and backwards, from every place, however they lie over files and pieces', async function () {
    this.timeout(20_000);
    const line = fc.string({ minLength: 0, maxLength: 20 }).map((text) => text.replaceAll('\n', 'ü'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(line, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (contents, pieceBytes, isTorn) => {
          // Each file begins with a line of its own, as files of events do.
          const expected = contents.map((lines, index) => [`file ${index}`, ...lines]);
          const texts = expected.map((lines) => lines.map((text) => `${text}\n`).join(''));
          await rm(directory, { recursive: true });
          await mkdir(directory);
          await write(...texts.slice(0, -1), `${texts.at(-1)}${isTorn ? 'half a li' : ''}`);
          const files = new LineFiles(path, EARLIER_MAX, { pieceBytes });
          const wanted = expected.flat().filter((text) => text !== '');
          const forwards = await all(files.forwards(null));
          expect(textsOf(forwards)).to.deep.equal(wanted);
          expect(textsOf(await all(files.backwards()))).to.deep.equal(wanted.toReversed());
          for (const [index, { place, next }] of forwards.entries()) {
            expect(await files.has(place)).to.equal(true);
            expect(textsOf(await all(files.backwards(place)))).to.deep.equal(wanted.slice(0, index).toReversed());
            expect(textsOf(await all(files.forwards(next)))).to.deep.equal(wanted.slice(index + 1));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('are none where there is no file, or no line that has ended', async () => {
    const files = new LineFiles(path, EARLIER_MAX);
    expect(await all(files.forwards(null))).to.deep.equal([]);
    expect(await files.end()).to.equal(null);
    await write('half a line');
    expect(await all(files.backwards())).to.deep.equal([]);
    expect(await files.end()).to.equal(null);
  });

  it('go on from a place after the file was appended to and set aside, and none is seen twice', async () => {
    await write('1\n2\n');
    const files = new LineFiles(path, EARLIER_MAX);
    const end = await files.end();
    await appendFile(path, '3\n');
    await setAside();
    await write('4\n5\n');
    expect(textsOf(await all(files.forwards(end)))).to.deep.equal(['3', '4', '5']);
    if (end === null) throw new Error('no end');
    expect(textsOf(await all(files.backwards(end)))).to.deep.equal(['2', '1']);
  });

  it('are none twice where a file is set aside while they are read', async () => {
    await write('0\n', '1\n2\n');
    for (const direction of ['backwards', 'forwards'] as const) {
      const files = new LineFiles(path, EARLIER_MAX, { pieceBytes: 2 });
      const seen: string[] = [];
      for await (const batch of direction === 'backwards' ? files.backwards() : files.forwards(null)) {
        if (seen.length === 0) {
          await setAside();
          await write('new\n');
          await rename(`${path}.1`, `${path}.3`).catch(() => undefined);
        }
        seen.push(...textsOf(batch));
      }
      expect(new Set(seen).size).to.equal(seen.length);
      expect(seen).to.include.members(['1', '2']);
      await rm(directory, { recursive: true });
      await mkdir(directory);
      await write('0\n', '1\n2\n');
    }
  });

  it('begin anew where the file of the place is gone, and are none backwards from it', async () => {
    await write('1\n2\n');
    const files = new LineFiles(path, EARLIER_MAX);
    const place = { file: 'x'.repeat(22), offset: 2 };
    expect(textsOf(await all(files.forwards(place)))).to.deep.equal(['1', '2']);
    expect(await all(files.backwards(place))).to.deep.equal([]);
    expect(await files.has(place)).to.equal(false);
  });

  it('do not begin in the middle of a line, or behind the file', async () => {
    await write('first\nsecond\n');
    const files = new LineFiles(path, EARLIER_MAX);
    const { file } = (await files.end()) ?? { file: '' };
    const offsets = Array.from({ length: 16 }, (_, offset) => offset);
    const good = await Promise.all(offsets.map((offset) => files.has({ file, offset })));
    expect(offsets.filter((_, index) => good[index])).to.deep.equal([0, 6, 13]);
  });

  it('are passed over where they are longer than any event, and those around them are not', async () => {
    const long = 'x'.repeat(LIMITS.linesLineBytesMax + 1);
    await write(`1\n${long}\n2\n${long}\n3\n`);
    const files = new LineFiles(path, EARLIER_MAX);
    expect(textsOf(await all(files.forwards(null)))).to.deep.equal(['1', '2', '3']);
    expect(textsOf(await all(files.backwards()))).to.deep.equal(['3', '2', '1']);
  });
});
