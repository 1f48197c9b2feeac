import { escaped } from './markup.js';
import type { CheckResult, ValidationReport } from './result.js';

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function body(check: CheckResult): string {
  if (check.status === 'finding') {
    const wrong = check.observations.filter(({ isAsExpected }) => !isAsExpected);
    const text = wrong.map(
      ({ what, call, mechanism, expected, seen }) =>
        `${[call, mechanism, what].filter((part) => part !== undefined).join(', ')}: expected ${expected}; seen ${seen}`,
    );
    return `<failure type="${check.severity}" message="${escaped(check.title)}">${escaped(text.join('\n'))}</failure>`;
  }
  if (check.status === 'passed') return '';
  return `<skipped message="${escaped(`${check.status}: ${check.reason ?? ''}`)}"/>`;
}

/** A run as JUnit's XML, as continuous integration reads it: a finding is a failure, and what did not apply is skipped. */
export function junitReport(report: ValidationReport): string {
  const groups = [...new Set(report.checks.map(({ group }) => group))];
  const suites = groups.map((group) => {
    const ofGroup = report.checks.filter((check) => check.group === group);
    const failures = ofGroup.filter(({ status }) => status === 'finding').length;
    const skipped = ofGroup.filter(({ status }) => status !== 'finding' && status !== 'passed').length;
    const ms = ofGroup.reduce((sum, check) => sum + check.ms, 0);
    const cases = ofGroup.map(
      (check) =>
        `    <testcase classname="keyferry.validate.${group}" name="${escaped(`${check.id} ${check.title}`)}" time="${seconds(check.ms)}">${body(check)}</testcase>`,
    );
    return [
      `  <testsuite name="${group}" tests="${ofGroup.length}" failures="${failures}" skipped="${skipped}" time="${seconds(ms)}">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join('\n');
}
