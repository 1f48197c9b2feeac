import { SEVERITIES } from './check.js';
import { html, list, Markup } from './html_element.js';
import {
  dialectSection,
  environment,
  everyCheck,
  findingsSection,
  ladder,
  mechanisms,
  performance,
  tone,
  verdictSection,
} from './html_sections.js';
import { REPORT_STYLE } from './html_style.js';
import { flowWords, severityWords, verdictWords } from './report_words.js';
import type { CheckResult, FlowVerdict, ValidationReport } from './result.js';
import { unenforced } from './verdict.js';

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

function card(verdict: FlowVerdict): Markup {
  const { word, line } = verdictWords(verdict);
  return html`<li class="card ${tone(verdict)}">
    <span>${flowWords[verdict.flow]}</span><strong class="${tone(verdict)}">${word}</strong>
    <p>${line}</p>
  </li>`;
}

function counts({ checks }: ValidationReport): Markup {
  const findings = checks.filter(({ status }) => status === 'finding');
  const of = (status: CheckResult['status']): number => checks.filter((check) => check.status === status).length;
  const parts: readonly (readonly [number, string])[] = [
    [checks.length, 'checks'],
    [of('passed'), 'passed'],
    ...SEVERITIES.map((severity): readonly [number, string] => {
      const count = findings.filter((check) => check.severity === severity).length;
      return [count, `${severityWords[severity].kind} ${count === 1 ? 'finding' : 'findings'}`];
    }),
    [of('not-applicable'), 'not applicable'],
    [of('not-run'), 'not run'],
  ];
  return html`<ul class="counts">
    ${parts.map(([count, what]) => html`<li><b>${count}</b> ${what}</li>`)}
  </ul>`;
}

function notices(report: ValidationReport): Markup {
  const texts = [
    ...(report.isComplete ? [] : ['The run was interrupted: what did not run is listed as not run.']),
    ...(report.isQuick ? ['This was a quick run: fewer repetitions, and figures of performance that vary more.'] : []),
    ...(report.profile === null ? ['The token could not be probed to the end: verdicts are not known.'] : []),
  ];
  return html`${texts.map((text) => html`<p class="notice">${text}</p>`)}`;
}

function sections(report: ValidationReport): readonly Section[] {
  const { profile, incidents, dialect } = report;
  const measured = report.checks.flatMap(({ measurements }) => measurements);
  const loose = profile === null ? [] : unenforced(profile);
  return [
    { id: 'verdicts', title: 'Verdicts', body: html`${report.verdicts.map(verdictSection)}` },
    ...(profile === null ? [] : [{ id: 'strategies', title: 'Strategy ladder', body: ladder(profile) }]),
    ...(dialect === undefined
      ? []
      : [{ id: 'dialect', title: 'The dialect of the module', body: dialectSection(dialect) }]),
    ...(incidents.length === 0 ? [] : [{ id: 'incidents', title: 'Incidents', body: list(incidents) }]),
    { id: 'findings', title: 'Findings', body: findingsSection(report) },
    ...(profile === null
      ? []
      : [
          {
            id: 'enforcement',
            title: 'What the token does not enforce',
            body:
              loose.length === 0
                ? html`<p>It refused all that was tried.</p>`
                : html`<p>A region keeps to these rules by itself; the token would not stop another user of it.</p>
                    ${list(loose)}`,
          },
        ]),
    ...(measured.length === 0 ? [] : [{ id: 'performance', title: 'Performance', body: performance(measured) }]),
    { id: 'checks', title: 'Every check', body: everyCheck(report) },
    ...(profile === null || profile.mechanisms.length === 0
      ? []
      : [{ id: 'mechanisms', title: 'Mechanisms', body: mechanisms(profile) }]),
    { id: 'environment', title: 'Environment', body: environment(report) },
  ];
}

/** A run as one HTML page: complete without scripts or other files, readable on a telephone and in print. */
export function htmlReport(report: ValidationReport): string {
  const { identity } = report;
  const title = `${identity.manufacturer} ${identity.model}`.trim();
  const parts = sections(report);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Validation of ${title}</title>
        <style>
          ${new Markup(REPORT_STYLE)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          <p class="muted">
            PKCS#11 library ${identity.libraryVersion}, firmware ${identity.firmwareVersion}. What its token can carry
            for a multi-Region key manager, and what was found on ${report.startedAt.slice(0, 10)}.
          </p>
          <nav aria-label="Contents">
            <ul>
              ${parts.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}
            </ul>
          </nav>
        </header>
        <main>
          <ul class="cards" aria-label="Verdicts in a word">
            ${report.verdicts.map(card)}
          </ul>
          ${counts(report)}${notices(report)}
          ${parts.map(
            ({ id, title: name, body }) =>
              html`<section aria-labelledby="${id}">
                <h2 id="${id}">${name}</h2>
                ${body}
              </section> `,
          )}
        </main>
      </body>
    </html> `;
  return page.text;
}
