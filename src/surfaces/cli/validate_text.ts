import { describeDialect } from '../../token/dialect.js';
import { isAtLeast, SEVERITIES } from '../../validation/check.js';
import type { CheckResult, FlowVerdict, ValidationReport } from '../../validation/result.js';
import { DIALECT_REACH } from '../../validation/report_words.js';
import type { ValidationEvent } from '../../validation/runner.js';
import { table, type Output } from './output.js';

type Colours = Output['colours'];

/** A line about what is going on; undefined where there is nothing to say. */
export function progressText(event: ValidationEvent): string | undefined {
  switch (event.kind) {
    case 'opened':
      return `${event.identity.manufacturer} ${event.identity.model}, token ${event.identity.label}: probing`;
    case 'probed':
      return `probed in ${(event.profile.probeMs / 1000).toFixed(1)} s`;
    case 'incident':
      return `! ${event.text}`;
    case 'started':
      return `[${event.at}/${event.of}] ${event.check.id} ${event.check.title}`;
    case 'finished':
      return event.result.status === 'passed' ? undefined : `        ${event.result.status}`;
  }
}

function findingLines(check: CheckResult, colours: Colours): readonly string[] {
  const wrong = check.observations.filter(({ isAsExpected }) => !isAsExpected);
  return [
    `${colours.bold(check.id)} ${check.title}`,
    ...wrong.map(({ what, call, mechanism, expected, seen }) => {
      const where = [call, mechanism].filter((part) => part !== undefined).join(', ');
      return `    ${what}${where === '' ? '' : ` (${where})`}: ${colours.yellow(seen)}; expected ${expected}`;
    }),
    ...(check.attack === undefined ? [] : [`    ${colours.dim('What an attacker could do:')} ${check.attack}`]),
    `    ${colours.dim('What to do:')} ${check.remedy}`,
  ];
}

function verdictLines(verdict: FlowVerdict, colours: Colours): readonly string[] {
  const paint = { yes: colours.green, no: colours.red, unknown: colours.yellow }[verdict.answer];
  const suites = [...new Set(verdict.strategies.map(({ suite }) => suite).filter((suite) => suite !== ''))];
  const names = suites.length > 0 ? suites : verdict.strategies.map(({ id }) => id);
  return [
    `${verdict.flow.padEnd(12)} ${paint(verdict.answer)}${verdict.answer === 'yes' ? `, by ${names.join(', ')}` : ''}`,
    ...(verdict.blockedBy.length > 0 ? [`    blocked by findings of ${verdict.blockedBy.join(', ')}`] : []),
    ...(verdict.reservations.length > 0
      ? [`    not where others share the token: ${verdict.reservations.join(', ')}`]
      : []),
    ...verdict.consequences
      .filter(({ severity }) => isAtLeast(severity, 'security'))
      .map(({ check, meaning }) => `    ${colours.dim(`${check}:`)} ${meaning}`),
    ...verdict.missing.map((text) => `    ${colours.dim('missing:')} ${text}`),
  ];
}

function measurementLines(report: ValidationReport): readonly string[] {
  const rows = report.checks.flatMap(({ measurements }) =>
    measurements.map(({ operation, sessions, perSecond, p50Us, p99Us }) => [
      operation,
      String(sessions),
      String(perSecond),
      String(p50Us),
      String(p99Us),
    ]),
  );
  return rows.length === 0 ? [] : ['', table([['OPERATION', 'SESSIONS', 'PER SECOND', 'P50 US', 'P99 US'], ...rows])];
}

function dialectLines({ dialect }: ValidationReport, colours: Colours): readonly string[] {
  if (dialect === undefined) return [];
  return [`${colours.bold('DIALECT')} ${DIALECT_REACH}`, ...describeDialect(dialect).map((line) => `    ${line}`)];
}

/** A run as a person reads it: findings, the gravest first, measurements, and at the end what the token can carry. */
export function reportText(report: ValidationReport, files: readonly string[], colours: Colours): string {
  const findings = report.checks.filter(({ status }) => status === 'finding');
  const count = (status: CheckResult['status']): number =>
    report.checks.filter((check) => check.status === status).length;
  const bySeverity = SEVERITIES.flatMap((severity) => {
    const ofSeverity = findings.filter((check) => check.severity === severity);
    if (ofSeverity.length === 0) return [];
    return ['', colours.bold(severity.toUpperCase()), ...ofSeverity.flatMap((check) => findingLines(check, colours))];
  });
  return [
    `${report.checks.length} checks: ${count('passed')} passed, ${findings.length} findings, ${count('not-applicable')} not applicable, ${count('not-run')} not run; seed ${report.seed}`,
    ...dialectLines(report, colours),
    ...report.incidents.map((text) => colours.red(text)),
    ...bySeverity,
    ...measurementLines(report),
    '',
    colours.bold('WHAT THE TOKEN CAN CARRY'),
    ...report.verdicts.flatMap((verdict) => verdictLines(verdict, colours)),
    ...(files.length === 0 ? [] : ['', ...files]),
  ].join('\n');
}
