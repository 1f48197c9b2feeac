import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeProfile } from '../token/profile.js';
import { htmlReport } from './html_report.js';
import { junitReport } from './junit_report.js';
import type { ValidationReport } from './result.js';

/**
 * Writes the reports of a run: each file is whole or as it was before.
 *
 * @param directory - made where it is missing
 * @returns the paths
 */
export function writeReports(report: ValidationReport, directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const files: readonly (readonly [string, string])[] = [
    ['findings.json', `${JSON.stringify(report, null, 2)}\n`],
    ...(report.profile === null ? [] : [['module-profile.json', `${encodeProfile(report.profile)}\n`] as const]),
    ['junit.xml', junitReport(report)],
    ['report.html', htmlReport(report)],
  ];
  return files.map(([name, text]) => {
    const path = join(directory, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return path;
  });
}
