import { expect } from 'chai';
import fc from 'fast-check';
import { gaugeBy, single, writeExposition } from '../../../src/metrics/exposition.js';
import { RequestMetrics } from '../../../src/metrics/request_metrics.js';
import { LIMITS } from '../../../src/limits.js';
import { parseScrape } from '../../support/exposition_parser.js';

describe('Metrics as text', () => {
  it('keep every label and value, whatever is in them', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true })), {
          selector: ([label]) => label,
          minLength: 1,
        }),
        fc.string(),
        (values, help) => {
          const text = writeExposition([gaugeBy('label', { name: 'a_gauge', help }, values)]);
          const { samples } = parseScrape(text);
          expect(samples.map(({ labels, value }) => [labels['label'], value + 0])).to.deep.equal(
            values.map(([label, value]) => [label, value + 0]),
          );
        },
      ),
    );
  });

  it('are written as Prometheus documents them', () => {
    const text = writeExposition([
      single('process_cpu_seconds_total', 'counter', 'A "help" with \\ and\nmore.', 1.5),
      gaugeBy('none', { name: 'empty', help: 'Left out.' }, []),
      gaugeBy('key', { name: 'some', help: 'Gauge.' }, [['a"b\\c\nd', Infinity]]),
    ]);
    expect(text).to.equal(
      [
        '# HELP process_cpu_seconds_total A "help" with \\\\ and\\nmore.',
        '# TYPE process_cpu_seconds_total counter',
        'process_cpu_seconds_total 1.5',
        '# HELP some Gauge.',
        '# TYPE some gauge',
        'some{key="a\\"b\\\\c\\nd"} +Inf',
        '',
      ].join('\n'),
    );
  });
});

describe('Metrics of requests', () => {
  const request = { service: 'kms', operation: 'Encrypt', exception: null, elapsedMs: 1 };

  it('count by service, operation and outcome, and sum up the time in cumulative buckets', () => {
    const metrics = new RequestMetrics();
    for (const elapsedMs of [0.4, 0.5, 0.6, 30, 60_000]) metrics.observe({ ...request, elapsedMs });
    metrics.observe({ ...request, exception: 'NotFoundException' });
    metrics.observe({ ...request, service: 'monitoring', operation: 'TagResource' });
    metrics.observe({ service: null, operation: null, exception: 'InvalidSignatureException', elapsedMs: 2 });
    const scrape = parseScrape(writeExposition(metrics.families()));
    const encrypt = { service: 'kms', operation: 'Encrypt' };
    expect(scrape.value('keyferry_requests_total', { ...encrypt, outcome: 'success' })).to.equal(5);
    expect(scrape.value('keyferry_requests_total', { ...encrypt, outcome: 'NotFoundException' })).to.equal(1);
    expect(scrape.value('keyferry_requests_total', { service: 'unknown', operation: 'unknown' })).to.equal(1);
    const within = (le: string): number => scrape.value('keyferry_request_seconds_bucket', { ...encrypt, le });
    expect(['0.0005', '0.001', '0.025', '0.05', '10', '+Inf'].map(within)).to.deep.equal([2, 4, 4, 5, 5, 6]);
    expect(scrape.value('keyferry_request_seconds_sum', encrypt)).to.be.closeTo(60.0325, 1e-9);
    expect(scrape.value('keyferry_request_seconds_count', encrypt)).to.equal(6);
  });

  it('grow no further than a table of operations, whatever is called', () => {
    const metrics = new RequestMetrics();
    for (let index = 0; index < 2 * LIMITS.metricsOperationsMax; index += 1) {
      metrics.observe({ ...request, operation: `Operation${index}` });
    }
    const { samples, value } = parseScrape(writeExposition(metrics.families()));
    const counts = samples.filter(({ name }) => name === 'keyferry_requests_total');
    expect(counts).to.have.length(LIMITS.metricsOperationsMax + 1);
    expect(value('keyferry_requests_total', { operation: 'unknown' })).to.equal(LIMITS.metricsOperationsMax);
  });
});
