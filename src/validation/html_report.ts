import { SEVERITIES, type Severity } from './check.js';
import { escaped } from './markup.js';
import type { CheckResult, FlowVerdict, ValidationReport } from './result.js';
import { unenforced } from './verdict.js';

const severityWords: Readonly<Record<Severity, string>> = {
  blocks: 'Blocks a flow',
  security: 'Security',
  strategy: 'Needs another strategy',
  information: 'Information',
};

const flowWords: Readonly<Record<FlowVerdict['flow'], string>> = {
  replication: 'Replicate keys to another region',
  signing: 'Sign the messages of replication',
  import: 'Import key material',
  operations: 'Carry the operations of AWS KMS',
};

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2330; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ccd2dc; }
h3 { font-size: 1rem; margin-bottom: .2rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; } th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #e4e8ee; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.yes { color: #0b6b3a; font-weight: 600; } .no { color: #a3161d; font-weight: 600; } .unknown { color: #7a5b00; font-weight: 600; }
.wrong td { background: #fdf1f0; } .muted { color: #5b6678; } code { font-size: .92em; }
section.finding { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } thead { display: table-header-group; } tr { break-inside: avoid; } }
`;

function table(head: readonly string[], rows: readonly string[], numbersFrom = head.length): string {
  const cells = head.map((cell, at) => `<th${at >= numbersFrom ? ' class="number"' : ''}>${escaped(cell)}</th>`);
  return `<table><thead><tr>${cells.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function row(
  cells: readonly string[],
  options: { readonly numbersFrom?: number; readonly isWrong?: boolean } = {},
): string {
  const from = options.numbersFrom ?? cells.length;
  const inner = cells.map((cell, at) => `<td${at >= from ? ' class="number"' : ''}>${escaped(cell)}</td>`);
  return `<tr${options.isWrong === true ? ' class="wrong"' : ''}>${inner.join('')}</tr>`;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '' : `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>`;
}

function verdict(each: FlowVerdict): string {
  const strategies = each.strategies.map((strategy) =>
    row([strategy.job, strategy.id, strategy.suite || '-', strategy.description]),
  );
  return [
    `<h3>${escaped(flowWords[each.flow])}: <span class="${each.answer}">${each.answer}</span></h3>`,
    each.blockedBy.length > 0 ? `<p>Blocked by findings of ${escaped(each.blockedBy.join(', '))}.</p>` : '',
    each.reservations.length > 0
      ? `<p>Not where others share the token: security findings of ${escaped(each.reservations.join(', '))}.</p>`
      : '',
    strategies.length > 0 ? table(['For', 'Strategy', 'Suite', 'How'], strategies) : '',
    each.missing.length > 0 ? `<p>Missing:</p>${list(each.missing)}` : '',
  ].join('\n');
}

function observations(check: CheckResult): string {
  const rows = check.observations.map((seen) =>
    row(
      [
        seen.what,
        [seen.call, seen.mechanism].filter((part) => part !== undefined).join(', '),
        seen.expected,
        seen.seen,
      ],
      {
        isWrong: !seen.isAsExpected,
      },
    ),
  );
  return table(['What', 'Call', 'Expected', 'Seen'], rows);
}

function findings(report: ValidationReport): string {
  const all = report.checks.filter(({ status }) => status === 'finding');
  if (all.length === 0) return '<p>None.</p>';
  return SEVERITIES.flatMap((severity) =>
    all
      .filter((check) => check.severity === severity)
      .map(
        (check) => `<section class="finding"><h3>${escaped(`${check.id} ${check.title}`)}</h3>
<p class="muted">${escaped(`${severityWords[severity]}; for ${check.flows.join(', ')}; ${check.source}`)}</p>
${observations(check)}<p>What to do: ${escaped(check.remedy)}.</p></section>`,
      ),
  ).join('\n');
}

function measurements(report: ValidationReport): string {
  const rows = report.checks.flatMap((check) =>
    check.measurements.map((each) =>
      row(
        [
          each.operation,
          `${each.sessions}`,
          each.perSecond.toLocaleString('en-US'),
          ...[each.p50Us, each.p99Us].map((us) => us.toLocaleString('en-US')),
        ],
        { numbersFrom: 1 },
      ),
    ),
  );
  if (rows.length === 0) return '';
  const head = ['Operation', 'Sessions', 'Per second', 'p50, µs', 'p99, µs'];
  return `<h2>Performance</h2><p class="muted">As a caller of the queue of jobs sees it.</p>${table(head, rows, 1)}`;
}

/** A run as one HTML page: complete without scripts or other files, and readable in print. */
export function htmlReport(report: ValidationReport): string {
  const { identity, environment, profile } = report;
  const title = `${identity.manufacturer} ${identity.model}`.trim();
  const facts: readonly (readonly [string, string])[] = [
    [
      'Library',
      `${identity.libraryDescription}, version ${identity.libraryVersion}, Cryptoki ${identity.cryptokiVersion}`,
    ],
    [
      'Token',
      `${identity.label}, serial ${identity.serial}, hardware ${identity.hardwareVersion}, firmware ${identity.firmwareVersion}`,
    ],
    ['Module', identity.modulePath],
    [
      'Run',
      `${report.startedAt} to ${report.endedAt}${report.isQuick ? ', quick' : ''}${report.isComplete ? '' : ', interrupted'}; seed ${report.seed}`,
    ],
    [
      'Machine',
      `Node ${environment.node}, ${environment.platform}, ${environment.processors} × ${environment.processor}`,
    ],
  ];
  const everything = report.checks.map((check) =>
    row([check.id, check.title, check.status, check.reason ?? '', (check.ms / 1000).toFixed(2)], {
      numbersFrom: 4,
      isWrong: check.status === 'finding',
    }),
  );
  const mechanisms = (profile?.mechanisms ?? []).map((each) =>
    row([each.name, `${each.keySizeMin} to ${each.keySizeMax}`]),
  );
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(`Validation of ${title}`)}</title><style>${style}</style></head><body>
<h1>${escaped(title)}</h1><p class="muted">What its token can carry for a multi-Region key manager, and what was found</p>
<table><tbody>${facts.map((fact) => row(fact)).join('\n')}</tbody></table>
<h2>Verdict</h2>${report.verdicts.map(verdict).join('\n')}
${profile === null ? '' : `<h2>What the token does not enforce</h2>${list(unenforced(profile)) || '<p>Nothing that was tried.</p>'}`}
${report.incidents.length === 0 ? '' : `<h2>Incidents</h2>${list(report.incidents)}`}
<h2>Findings</h2>${findings(report)}
${measurements(report)}
<h2>Every check</h2>${table(['Check', 'Title', 'Result', 'Why', 'Seconds'], everything, 4)}
${mechanisms.length === 0 ? '' : `<h2>Mechanisms that the token lists</h2>${table(['Mechanism', 'Key sizes'], mechanisms)}`}
</body></html>
`;
}
