import { expect } from 'chai';
import { EndpointFuzz } from '../../support/endpoint_fuzz.js';

const CASES = 5000;
/** What compiled code and caches of a run of this length take; a leak of a request each would be ten times that. */
const HEAP_GROWTH_MAX = 8 * 1024 * 1024;

describe('The AWS endpoint and requests that nobody would write', function () {
  this.timeout(60_000);

  it(`answers ${CASES} of them in the words of AWS, and grows by none`, async () => {
    const fuzz = await EndpointFuzz.open(Number(process.env['KEYFERRY_SEED'] ?? 20_261_121));
    try {
      const { findings, statuses, exceptions, heapGrowthBytes } = await fuzz.run(CASES);
      expect(findings).to.deep.equal([]);
      expect(heapGrowthBytes).to.be.below(HEAP_GROWTH_MAX);
      // The cases have to reach what they are for.
      expect(statuses.get(200)).to.be.greaterThan(CASES / 50);
      for (const exception of ['ValidationException', 'SerializationException', 'InvalidSignatureException']) {
        expect(exceptions.get(exception), exception).to.be.greaterThan(CASES / 200);
      }
    } finally {
      await fuzz.close();
    }
  });
});
