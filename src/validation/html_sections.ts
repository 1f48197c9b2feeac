import { describeDialect, type ModuleDialect } from '../token/dialect.js';
import { mechanismFlagNames } from '../token/flag_names.js';
import type { TokenProfile } from '../token/profile.js';
import { describeProfile } from '../token/strategy_choice.js';
import { CHECK_GROUPS, SEVERITIES, type Measurement } from './check.js';
import { code, definitions, html, list, NOTHING, table, type Content, type Markup, type Row } from './html_element.js';
import { DIALECT_REACH, flowWords, jobTitle, severityWords, verdictWords } from './report_words.js';
import type { CheckResult, FlowVerdict, ValidationReport } from './result.js';

const groupWords = {
  CAP: 'What it can',
  COR: 'Whether it is right',
  POL: 'What it gives away',
  ROB: 'What it survives',
  PRF: 'How fast it is',
} as const;

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** Ids of checks, each a link to its finding. */
function links(ids: readonly string[]): Content {
  return ids.flatMap((id, at) => [at === 0 ? '' : ', ', html`<a href="#${id}">${id}</a>`]);
}

/** A heading inside a sentence. */
function inSentence(title: string): string {
  return `${title.slice(0, 1).toLowerCase()}${title.slice(1)}`;
}

/** The colour of a verdict. */
export function tone({ answer, reservations }: FlowVerdict): string {
  return { yes: reservations.length > 0 ? 'warn' : 'yes', no: 'no', unknown: 'warn' }[answer];
}

/** A verdict with its strategies, and what is missing. */
export function verdictSection(each: FlowVerdict): Markup {
  const rows = each.strategies.map(({ job, id, suite, description }): Row => ({
    cells: [jobTitle(job), id, suite, description],
  }));
  const columns = [
    { title: 'For' },
    { title: 'Strategy', kind: 'short' },
    { title: 'Suite', kind: 'short' },
    { title: 'How' },
  ] as const;
  return html`<h3>
      ${flowWords[each.flow]}: <span class="${tone(each)}">${verdictWords(each).word.toLowerCase()}</span>
    </h3>
    ${each.blockedBy.length > 0 ? html`<p>Blocked by the findings of ${links(each.blockedBy)}.</p>` : NOTHING}
    ${each.reservations.length > 0 ? html`<p class="warn">Not where others share the token: see the security findings of ${links(each.reservations)}.</p>` : NOTHING}
    ${
      each.consequences.length > 0
        ? html`<p>What the findings mean for it:</p>
            <ul>
              ${each.consequences.map(({ check, meaning }) => html`<li>${links([check])}: ${meaning}.</li>`)}
            </ul>`
        : NOTHING
    }
    ${rows.length > 0 ? table(columns, rows, { caption: 'Strategies that carry it', isStacked: true }) : NOTHING}
    ${
      each.missing.length > 0
        ? html`<p>${each.answer === 'yes' ? 'What would widen it:' : 'What is missing:'}</p>
            ${list(each.missing)}`
        : NOTHING
    }`;
}

/** Every strategy in the order in which a region prefers it, by what it is for. */
export function ladder(profile: TokenProfile): Markup {
  const described = describeProfile(profile);
  const jobs = [...new Set(described.map(({ job }) => job))];
  const rows = jobs.flatMap((job): readonly Row[] => [
    { heading: jobTitle(job) },
    ...described
      .filter((rung) => rung.job === job)
      .map(({ strategy, state, suite, description, reason }): Row => ({
        cells: [
          html`<span class="${state === 'missing' ? 'muted' : 'yes'}">${state}</span>`,
          strategy,
          suite,
          state === 'missing' ? `${description}. Missing: ${reason}` : description,
        ],
        tone: state === 'missing' ? 'missing' : undefined,
      })),
  ]);
  const columns = [
    { title: 'State', kind: 'short' },
    { title: 'Strategy', kind: 'short' },
    { title: 'Suite', kind: 'short' },
    { title: 'How, or why not' },
  ] as const;
  return table(columns, rows, {
    caption: 'The first that the token can do is chosen; what is below it is available to peers that need it.',
    isStacked: true,
  });
}

function observations(seen: CheckResult['observations'], caption: string): Markup {
  const rows = seen.map(({ what, call, mechanism, expected, seen: saw, isAsExpected }): Row => ({
    cells: [
      what,
      [
        ...(call === undefined ? [] : [html`<code>${call}</code>`]),
        ...(mechanism === undefined ? [] : [call === undefined ? '' : html`<br />`, html`<code>${mechanism}</code>`]),
      ],
      expected,
      saw,
    ],
    tone: isAsExpected ? undefined : 'wrong',
  }));
  return table([{ title: 'What' }, { title: 'Call', kind: 'short' }, { title: 'Expected' }, { title: 'Seen' }], rows, {
    caption,
    isStacked: true,
  });
}

function finding(check: CheckResult): Markup {
  const wrong = check.observations.filter(({ isAsExpected }) => !isAsExpected);
  const right = check.observations.filter(({ isAsExpected }) => isAsExpected);
  return html`<article
    class="finding ${wrong.length <= 8 ? 'short-finding' : ''}"
    id="${check.id}"
    aria-labelledby="${check.id}-title"
  >
    <h4 id="${check.id}-title">${check.id} ${check.title}</h4>
    <p class="muted">
      Concerns: ${check.flows.map((flow) => inSentence(flowWords[flow])).join('; ')}. Source: ${check.source}.
    </p>
    ${observations(wrong, 'What was not as expected')}
    ${
      right.length === 0
        ? NOTHING
        : html`<details>
            <summary>
              ${right.length} ${right.length === 1 ? 'observation' : 'observations'} of the same check as expected
            </summary>
            ${observations(right, 'As expected')}
          </details>`
    }
    ${check.attack === undefined ? NOTHING : html`<p><b>What an attacker could do:</b> ${check.attack}.</p>`}
    <p class="remedy"><b>What to do:</b> ${check.remedy}.</p>
  </article>`;
}

/** Findings, the gravest first, each with what to do. */
export function findingsSection(report: ValidationReport): Markup {
  const all = report.checks.filter(({ status }) => status === 'finding');
  if (all.length === 0) return html`<p>None.</p>`;
  return html`${SEVERITIES.map((severity) => {
    const ofSeverity = all.filter((check) => check.severity === severity);
    const { title, meaning } = severityWords[severity];
    return ofSeverity.length === 0
      ? NOTHING
      : html`<h3>${title} (${ofSeverity.length})</h3>
          <p class="muted">${meaning}</p>
          ${ofSeverity.map(finding)} `;
  })}`;
}

/** Figures by operation and number of sessions. */
export function performance(measured: readonly Measurement[]): Markup {
  const operations = [...new Set(measured.map(({ operation }) => operation))];
  const rows = operations.flatMap((operation): readonly Row[] => {
    const levels = measured.filter((each) => each.operation === operation);
    const best = Math.max(...levels.map(({ perSecond }) => perSecond), Number.MIN_VALUE);
    const alone = levels.find(({ sessions }) => sessions === 1)?.perSecond;
    return [
      { heading: operation },
      ...levels.map(({ sessions, perSecond, p50Us, p99Us }): Row => ({
        cells: [
          sessions,
          html`${number(perSecond)}<span class="bar" style="--share:${(perSecond / best).toFixed(3)}"></span>`,
          alone === undefined || alone === 0 ? '' : `× ${(perSecond / alone).toFixed(1)}`,
          number(p50Us),
          number(p99Us),
        ],
      })),
    ];
  });
  const columns = ['Sessions', 'Per second', 'To one session', 'p50, µs', 'p99, µs'];
  return table(
    columns.map((title) => ({ title, kind: 'number' as const })),
    rows,
    { caption: 'As a caller of the queue of jobs sees it, on the machine named below.' },
  );
}

/** Every check with its result. */
export function everyCheck({ checks }: ValidationReport): Markup {
  const rows = CHECK_GROUPS.flatMap((group): readonly Row[] => {
    const ofGroup = checks.filter((check) => check.group === group);
    if (ofGroup.length === 0) return [];
    return [
      { heading: groupWords[group] },
      ...ofGroup.map(({ id, title, status, reason, ms }): Row => ({
        cells: [
          status === 'finding' ? html`<a href="#${id}">${id}</a>` : id,
          title,
          html`<span class="${{ passed: 'yes', finding: 'no', 'not-applicable': 'muted', 'not-run': 'warn' }[status]}"
            >${status.replace('-', ' ')}</span
          >`,
          reason ?? '',
          (ms / 1000).toFixed(2),
        ],
      })),
    ];
  });
  const columns = [
    { title: 'Check', kind: 'short' },
    { title: 'Title' },
    { title: 'Result', kind: 'short' },
    { title: 'Why' },
    { title: 'Seconds', kind: 'number' },
  ] as const;
  return table(columns, rows, { caption: 'In the order in which they ran', isStacked: true });
}

/** What the token lists, with sizes and flags. */
export function mechanisms({ mechanisms: listed }: TokenProfile): Markup {
  const rows = listed.map(({ name, type, keySizeMin, keySizeMax, flags }): Row => ({
    cells: [
      code(name),
      `0x${type.toString(16).padStart(8, '0')}`,
      keySizeMax === 0 ? '' : keySizeMin === keySizeMax ? keySizeMax : `${keySizeMin} to ${keySizeMax}`,
      mechanismFlagNames(flags)
        .map((flag) => flag.replace('CKF_', ''))
        .join(', '),
    ],
  }));
  const columns = [
    { title: 'Mechanism' },
    { title: 'Number', kind: 'short' },
    { title: 'Key sizes', kind: 'short' },
    { title: 'For, as the token says (CKF_)' },
  ] as const;
  const caption = `${listed.length} mechanisms. Sizes are in the unit of the mechanism: bits for RSA and EC, octets for AES. A mechanism that is listed may still not work.`;
  return table(columns, rows, { caption, isStacked: true });
}

function sessionsText(most: number | null): string {
  if (most === null) return 'the token does not tell how many';
  return most === 0 ? 'no limit' : `at most ${most} of one process`;
}

/** How the module was spoken to, where that was not in the words of the standard. */
export function dialectSection(dialect: ModuleDialect): Markup {
  return html`<p>${DIALECT_REACH}</p>
    ${list(describeDialect(dialect))}`;
}

/** Module, token, machine and programs of the run. */
export function environment(report: ValidationReport): Markup {
  const { identity, environment: where, token } = report;
  const unknown = 'not recorded';
  return definitions([
    ['Module', code(identity.modulePath)],
    ['Library', `${identity.libraryDescription || identity.manufacturer}, version ${identity.libraryVersion}`],
    ['Cryptoki', identity.cryptokiVersion],
    ['Token', `${identity.manufacturer} ${identity.model}, labelled ${identity.label}, serial ${identity.serial}`],
    ['Hardware, firmware', `${identity.hardwareVersion}, ${identity.firmwareVersion}`],
    ['Slot', token?.slot ?? unknown],
    [
      'Token flags',
      token === undefined ? unknown : token.flags.flatMap((flag, at) => [at === 0 ? '' : ', ', code(flag)]),
    ],
    ['Sessions', token === undefined ? unknown : sessionsText(token.sessionCountMax)],
    ['Keyferry', where.keyferry ?? unknown],
    ['Operating system', [where.system ?? '', where.system === undefined ? '' : ', ', where.platform]],
    ['Node.js', where.node],
    ['Processor', `${where.processors} × ${where.processor}`],
    ['Started, ended', `${report.startedAt}, ${report.endedAt}`],
    ['Seed', [code(report.seed), ' gives the same random inputs again']],
  ]);
}
