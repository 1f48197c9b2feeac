import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LabClock } from '../../../src/adapters/clock_lab.js';
import { ConfigError } from '../../../src/errors.js';

const DAY_MS = 86_400_000;

describe('The clock of a lab', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-clock-'));
    file = join(directory, 'clock.json');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('keeps its offset over restarts, and goes back to the machine’s time when it is reset', async () => {
    const first = await new LabClock(file, { isLab: true }).advance(30 * DAY_MS);
    expect(first.offsetMs).to.equal(30 * DAY_MS);
    expect(Date.parse(first.now)).to.be.closeTo(Date.now() + 30 * DAY_MS, 2000);
    const second = new LabClock(file, { isLab: true });
    expect(second.read().offsetMs).to.equal(30 * DAY_MS);
    expect((await second.reset()).offsetMs).to.equal(0);
    expect(new LabClock(file, { isLab: true }).read().offsetMs).to.equal(0);
  });

  it('answers a move when everybody who waits for time has done what fell due', async () => {
    const time = new LabClock(file, { isLab: true });
    const seen: number[] = [];
    time.onMoved(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(time.clock.offsetMs);
    });
    await time.advance(DAY_MS);
    expect(seen).to.deep.equal([DAY_MS]);
    await time.reset();
    expect(seen).to.deep.equal([DAY_MS, 0]);
  });

  it('cannot be moved outside a lab, and ignores an offset that was left there', async () => {
    writeFileSync(file, String(DAY_MS));
    const time = new LabClock(file, { isLab: false });
    expect(time.read().offsetMs).to.equal(0);
    for (const move of [time.advance(1), time.reset()]) {
      const error: unknown = await move.catch((failure: unknown) => failure);
      expect(error).to.be.instanceOf(ConfigError).and.to.have.property('code', 'ERR_CONFIG_STATE');
    }
  });

  it('does not begin with an offset that is no number, nor go beyond the year 9999', async () => {
    writeFileSync(file, '-5');
    expect(() => new LabClock(file, { isLab: true })).to.throw(ConfigError, 'holds no clock offset');
    writeFileSync(file, '0');
    const time = new LabClock(file, { isLab: true });
    const error: unknown = await time.advance(9000 * 365 * DAY_MS).catch((failure: unknown) => failure);
    expect(error).to.be.instanceOf(ConfigError);
    expect(time.read().offsetMs).to.equal(0);
  });
});
