// A mocha reporter that writes what happened as JSON; scripts/test.mjs prints it.
// A test skips itself with a reason: `this.test.skipReason = '…'; this.skip()`. A test leaves a line for the reader
// (a seed, a measurement) with `this.test.note = '…'`.
const { writeFileSync } = require('node:fs');
const { inspect } = require('node:util');

module.exports = class JsonFileReporter {
  constructor(runner, options) {
    const output = options.reporterOptions.output;
    const outcome = { passed: [], failed: [], skipped: [], notes: [] };
    const note = (test) => {
      if (test.note !== undefined) outcome.notes.push(`${test.title}: ${test.note}`);
    };
    runner.on('pass', (test) => {
      note(test);
      outcome.passed.push({ title: test.fullTitle(), ms: test.duration });
    });
    runner.on('fail', (test, error) => {
      note(test);
      outcome.failed.push({ title: test.fullTitle(), error: inspect(error, { depth: 4 }) });
    });
    runner.on('pending', (test) => {
      const inherited = [];
      for (let suite = test.parent; suite !== undefined; suite = suite.parent) if (suite.skipReason) inherited.push(suite.skipReason);
      outcome.skipped.push({ title: test.fullTitle(), reason: test.skipReason ?? inherited[0] ?? 'no reason given' });
    });
    runner.once('end', () => writeFileSync(output, JSON.stringify(outcome)));
  }
};
