import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KeyferryError } from '../errors.js';
import { parseProfile } from '../token/profile.js';
import type { ComparedModule } from './comparison.js';
import { ValidationError } from './errors.js';
import { FINDINGS_FILE, PROFILE_FILE } from './report_files.js';
import { parseReport } from './result.js';

/** Octets of a report; one of every check has some hundred thousand. */
const FILE_OCTETS_MAX = 64 * 1024 * 1024;

/**
 * Reads what an earlier run found: the folder of its report, its findings.json, or a profile alone.
 *
 * @param path - a folder with findings.json or module-profile.json, or either of these files under any name
 * @throws {@link ValidationError} `ERR_VALIDATION_REPORT`
 */
export function readModuleFile(path: string): ComparedModule {
  const file = fileIn(path);
  const text = readText(file);
  if (!holdsChecks(text, file)) {
    const profile = profileIn(text, file);
    return { name: path, identity: profile.identity, profile, report: null };
  }
  const report = parseReport(text, file);
  return { name: path, identity: report.identity, profile: report.profile, report };
}

/**
 * Reads a file of at most {@link FILE_OCTETS_MAX} octets.
 *
 * @throws {@link ValidationError} `ERR_VALIDATION_REPORT`
 */
export function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > FILE_OCTETS_MAX) throw new RangeError(`it has ${size} octets`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw new ValidationError('ERR_VALIDATION_REPORT', `${file} cannot be read${why}`, { cause });
  }
}

function fileIn(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return path;
  const found = [FINDINGS_FILE, PROFILE_FILE].map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new ValidationError('ERR_VALIDATION_REPORT', `${path} holds neither ${FINDINGS_FILE} nor ${PROFILE_FILE}`, {
    remedy: 'give the folder of keyferry validate --report',
  });
}

function holdsChecks(text: string, file: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'checks' in value;
  } catch (cause) {
    throw new ValidationError('ERR_VALIDATION_REPORT', `${file} is not JSON`, { cause });
  }
}

function profileIn(text: string, file: string): ReturnType<typeof parseProfile> {
  try {
    return parseProfile(text);
  } catch (cause) {
    if (!(cause instanceof KeyferryError)) throw cause;
    throw new ValidationError(
      'ERR_VALIDATION_REPORT',
      `${file} is neither a findings.json nor a profile of this version`,
      {
        cause,
        remedy: 'run keyferry validate --report again',
      },
    );
  }
}
