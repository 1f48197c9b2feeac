import { expect } from 'chai';
import { quantile, spreadOf, summarize } from '../../../bench/statistics.js';
import { number, percent, textTable } from '../../../bench/text_table.js';

describe('statistics of a measurement', () => {
  it('takes the middle of an odd number of runs and interpolates an even one', () => {
    expect(summarize([9, 1, 5]).median).to.equal(5);
    expect(summarize([1, 2, 3, 10]).median).to.equal(2.5);
  });

  it('hardly moves its median and spread for one disturbed run', () => {
    const quiet = summarize([100, 101, 99, 100, 100]);
    const disturbed = summarize([100, 101, 99, 100, 3]);
    expect(disturbed.median).to.equal(quiet.median);
    expect(spreadOf(disturbed)).to.be.lessThan(0.01);
  });

  it('takes quantiles between the smallest and the largest value', () => {
    expect(quantile([1, 2, 3], 0)).to.equal(1);
    expect(quantile([1, 2, 3], 1)).to.equal(3);
    expect(quantile([0, 10], 0.99)).to.be.closeTo(9.9, 1e-9);
  });

  it('refuses to summarize nothing', () => {
    expect(() => summarize([])).to.throw(RangeError);
  });
});

describe('table of a measurement', () => {
  it('makes columns as wide as their widest cell and lets numbers end in one line', () => {
    const table = textTable(
      [
        { heading: 'job', align: 'left' },
        { heading: '/s', align: 'right' },
      ],
      [
        ['sign', '1,234'],
        ['derive', '5'],
      ],
    );
    expect(table.split('\n')).to.deep.equal(['job        /s', '------  -----', 'sign    1,234', 'derive      5']);
  });

  it('writes numbers with the digits that mean something', () => {
    expect([0.5, 4.4, 71.6, 874.4, 237_930].map(number)).to.deep.equal(['0.50', '4.40', '71.6', '874', '237,930']);
    expect([0.052, 0.93, 1.96].map(percent)).to.deep.equal(['5.2 %', '93 %', '196 %']);
  });
});
