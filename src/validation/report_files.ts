import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeProfile } from '../token/profile.js';
import { htmlReport } from './html_report.js';
import { junitReport } from './junit_report.js';
import type { ValidationReport } from './result.js';

/** Everything that a run found. */
export const FINDINGS_FILE = 'findings.json';
/** What regions go by; also of use without the findings. */
export const PROFILE_FILE = 'module-profile.json';

/**
 * Writes the reports of a run: each file is whole or as it was before.
 *
 * @param directory - made where it is missing
 * @returns the paths
 */
export function writeReports(report: ValidationReport, directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const files: readonly (readonly [string, string])[] = [
    [FINDINGS_FILE, `${JSON.stringify(report, null, 2)}\n`],
    ...(report.profile === null ? [] : [[PROFILE_FILE, `${encodeProfile(report.profile)}\n`] as const]),
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
