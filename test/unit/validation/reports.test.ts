import { expect } from 'chai';
import { newSince } from '../../../src/validation/baseline.js';
import { checks } from '../../../src/validation/catalogue.js';
import { isAtLeast } from '../../../src/validation/check.js';
import { ValidationError } from '../../../src/validation/errors.js';
import { htmlReport } from '../../../src/validation/html_report.js';
import { junitReport } from '../../../src/validation/junit_report.js';
import { parseReport } from '../../../src/validation/result.js';
import { verdictsOf } from '../../../src/validation/verdict.js';
import { thrown } from '../../support/failure.js';
import { finding, report, result } from '../../support/validation_report.js';

describe('the reports of a validation', () => {
  it('keeps what a module says about itself from being markup', () => {
    const html = htmlReport(report(finding('POL-01', '<b>what</b>')));
    expect(html).not.to.contain('<script>');
    expect(html).not.to.contain('<b>what');
    expect(html).to.contain('&lt;script&gt;alert(1)&lt;/script&gt; a &amp; b');
  });

  it('is one page without references to anything outside', () => {
    expect(htmlReport(report(finding('POL-01', 'what')))).not.to.match(/\bsrc=|\bhref="(?!#)|url\(|@import|<script/u);
  });

  it('is a failure of JUnit for a finding, and skipped where it does not apply', () => {
    const xml = junitReport(
      report(
        finding('POL-01', 'a "what"\u0000'),
        result('POL-02'),
        result('COR-01', { group: 'COR', status: 'not-applicable', reason: 'no ECDH' }),
      ),
    );
    expect(xml).to.contain('<testsuite name="POL" tests="2" failures="1" skipped="0"');
    expect(xml).to.contain('<testsuite name="COR" tests="1" failures="0" skipped="1"');
    expect(xml).to.contain('a &quot;what&quot;\ufffd: expected one; seen another');
    expect(xml).to.contain('<skipped message="not-applicable: no ECDH"/>');
  });

  it('finds what is new since a baseline: other checks, and other observations of the same', () => {
    const before = report(finding('POL-01', 'old'), result('POL-02'));
    const after = report(finding('POL-01', 'old', 'new'), finding('POL-02', 'broken'), finding('POL-03', 'added'));
    expect(newSince(before, after)).to.deep.equal(['POL-01: new', 'POL-02: broken', 'POL-03: added']);
    expect(newSince(after, before)).to.deep.equal([]);
  });

  it('refuses a file that is no report', () => {
    for (const text of [
      '{',
      '{}',
      JSON.stringify({ ...report(), version: 2 }),
      JSON.stringify({ ...report(), more: 1 }),
    ]) {
      expect(thrown(ValidationError, () => parseReport(text, 'f.json')).code).to.equal('ERR_VALIDATION_REPORT');
    }
  });

  it('does not answer for a token that could not be probed, and says no where a check blocks', () => {
    expect(verdictsOf(null, []).map(({ answer }) => answer)).to.deep.equal([
      'unknown',
      'unknown',
      'unknown',
      'unknown',
    ]);
    const [replication] = verdictsOf(null, [{ ...finding('COR-01', 'wrong'), severity: 'blocks' }]);
    expect(replication).to.deep.include({ flow: 'replication', answer: 'no', blockedBy: ['COR-01'] });
  });

  it('orders severities', () => {
    expect(isAtLeast('blocks', 'security')).to.equal(true);
    expect(isAtLeast('strategy', 'security')).to.equal(false);
  });

  it('has a source and a remedy for each check, and no id twice', () => {
    expect(new Set(checks.map(({ id }) => id)).size).to.equal(checks.length);
    for (const { id, group, source, remedy, flows } of checks) {
      expect(id).to.match(new RegExp(`^${group}-\\d\\d$`, 'u'));
      expect([source, remedy, ...flows].every((text) => text.length > 0) && flows.length > 0, id).to.equal(true);
    }
  });
});
