import { expect } from 'chai';
import { SystemClock } from '../../../src/adapters/clock_system.js';

const DAY_MS = 86_400_000;

describe('The system clock', () => {
  it('says the machine’s time', () => {
    expect(new SystemClock().nowMs()).to.be.closeTo(Date.now(), 1000);
  });

  it('moves calendar time forward, and neither signatures’ time nor that of resends', () => {
    const clock = new SystemClock(DAY_MS);
    const before = clock.monotonicMs();
    clock.advance(29 * DAY_MS);
    expect(clock.offsetMs).to.equal(30 * DAY_MS);
    expect(clock.nowMs()).to.be.closeTo(Date.now() + 30 * DAY_MS, 1000);
    expect(clock.unshiftedMs()).to.be.closeTo(Date.now(), 1000);
    expect(clock.monotonicMs() - before).to.be.within(0, 1000);
  });

  it('never moves back', () => {
    const clock = new SystemClock();
    for (const step of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => clock.advance(step)).to.throw(RangeError);
      expect(() => new SystemClock(step)).to.throw(RangeError);
    }
  });
});
