import { expect } from 'chai';
import { soak, type SoakResult } from '../soak/soak.js';

/** Whatever it is, a failure names it. */
const SEED = Math.floor(Math.random() * 1_000_000);

describe('A lab in which many clients work while it fails', function () {
  this.timeout(240_000);
  let result: SoakResult;

  before(async function () {
    result = await soak({
      seed: SEED,
      seconds: 10,
      clients: 12,
      tokens: { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' },
      pauseMs: 500,
    });
  });

  it('keeps everything that it acknowledged, and answers nothing wrong', function () {
    expect(result.violations).to.deep.equal([]);
    expect(result.verified.keys).to.be.above(12);
    expect(result.verified.products).to.be.above(0);
    expect(result.faults.length).to.be.above(2);
    const { length: requests } = result.log.latencies;
    const note = `seed ${SEED}: ${requests} requests, ${result.faults.map(({ name }) => name).join(', ')}`;
    if (this.test !== undefined) (this.test as { note?: string }).note = note;
  });

  it('has each acknowledged call in its trails', () => {
    expect(result.trail.acknowledged).to.be.above(100);
    expect(result.trail.recorded).to.equal(result.trail.acknowledged);
  });
});
