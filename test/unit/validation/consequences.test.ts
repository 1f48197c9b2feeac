import { expect } from 'chai';
import { checks } from '../../../src/validation/catalogue.js';
import type { Flow, Severity } from '../../../src/validation/check.js';
import { parseReport, type CheckResult } from '../../../src/validation/result.js';
import { htmlReport } from '../../../src/validation/html_report.js';
import { verdictsOf } from '../../../src/validation/verdict.js';
import { report, result } from '../../support/validation_report.js';

function finding(id: string, severity: Severity, flows: readonly Flow[], more: Partial<CheckResult> = {}): CheckResult {
  return result(id, { status: 'finding', severity, flows: [...flows], remedy: `correct ${id}`, ...more });
}

function consequences(flow: Flow, ...found: readonly CheckResult[]): readonly string[] {
  const verdict = verdictsOf(null, found).find((each) => each.flow === flow);
  return (verdict?.consequences ?? []).map(({ check, meaning }) => `${check}: ${meaning}`);
}

describe('what findings mean for the flows of a verdict', () => {
  it('is what the check says of each flow', () => {
    const means = { replication: 'keys come out', operations: 'domain keys come out' };
    const found = finding('POL-90', 'security', ['replication', 'operations'], { means, attack: 'anybody reads keys' });
    expect(consequences('replication', found)).to.deep.equal(['POL-90: keys come out']);
    expect(consequences('operations', found)).to.deep.equal(['POL-90: domain keys come out']);
    expect(consequences('import', found)).to.deep.equal([]);
  });

  it('comes with the gravest first', () => {
    const severities = ['information', 'strategy', 'security', 'blocks'] as const;
    const found = severities.map((severity) => finding(severity, severity, ['signing']));
    const order = consequences('signing', ...found).map((text) => text.split(':')[0]);
    expect(order).to.deep.equal(['blocks', 'security', 'strategy', 'information']);
  });

  it('is that a region cannot do it, where the check took its process down, whatever the check would have said', () => {
    const found = finding('POL-91', 'blocks', ['import'], { means: { import: 'nothing grave' } });
    expect(consequences('import', found).join()).to.contain('cannot import key material').and.contain('correct POL-91');
  });

  it('is said of nothing that passed', () => {
    expect(consequences('signing', { ...finding('POL-92', 'security', ['signing']), status: 'passed' })).to.deep.equal(
      [],
    );
  });

  it('is said by every policy check for each of its flows', () => {
    const silent = checks
      .filter(({ group }) => group === 'POL')
      .flatMap(({ id, flows, means, attack }) => [
        ...flows.filter((flow) => means?.[flow] === undefined).map((flow) => `${id} ${flow}`),
        ...(attack === undefined ? [`${id} attack`] : []),
      ]);
    expect(silent).to.deep.equal([]);
  });

  it('stands in the report, with what an attacker could do', () => {
    const means = { replication: 'keys come out here' };
    const found = finding('POL-93', 'security', ['replication'], { means, attack: 'anybody reads <keys>' });
    const page = htmlReport(report(found));
    expect(page).to.contain('keys come out here').and.contain('anybody reads &lt;keys&gt;');
  });

  it('is missing from the report of an earlier version, which is read all the same', () => {
    const earlier = structuredClone(report(finding('POL-94', 'security', ['signing']))) as unknown as {
      verdicts: { consequences?: unknown }[];
    };
    for (const verdict of earlier.verdicts) delete verdict.consequences;
    const read = parseReport(JSON.stringify(earlier), 'earlier');
    expect(read.verdicts.map((verdict) => verdict.consequences)).to.deep.equal([[], [], [], []]);
  });
});
