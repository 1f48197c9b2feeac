import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { StateDirectory } from './state_directory.js';
import type { ValidationSummary } from './validation_form.js';

/** Octets of a report that is read: the largest of a real module has a few hundred thousand. */
const OCTETS_MAX = 16 * 1024 * 1024;
/** Reports in the list. */
const REPORTS_MAX = 200;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/u;

const findings = z.object({
  startedAt: z.string(),
  isComplete: z.boolean(),
  isQuick: z.boolean(),
  identity: z.object({
    manufacturer: z.string(),
    model: z.string(),
    libraryVersion: z.string(),
    firmwareVersion: z.string(),
  }),
  checks: z.array(z.object({ status: z.string(), severity: z.string() })),
  verdicts: z.array(z.object({ flow: z.string(), answer: z.string(), reservations: z.array(z.unknown()).default([]) })),
});

/** The reports in the folders of the lab's `validation` directory, the newest first; what is no report is left out. */
export function readValidationReports(directory: StateDirectory): readonly ValidationSummary[] {
  return namesIn(directory.validation)
    .flatMap((name) => summaryOf(directory, name) ?? [])
    .toSorted((one, other) => other.startedAt.localeCompare(one.startedAt))
    .slice(0, REPORTS_MAX);
}

/** The page of a report, HTML; undefined where there is none of that name. */
export function readValidationPage(directory: StateDirectory, name: string): Buffer | undefined {
  return NAME.test(name) ? readBounded(join(directory.validation, name, 'report.html')) : undefined;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => NAME.test(name));
  } catch {
    return [];
  }
}

function summaryOf(directory: StateDirectory, name: string): ValidationSummary | undefined {
  const octets = readBounded(join(directory.validation, name, 'findings.json'));
  if (octets === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(octets.toString('utf8'));
  } catch {
    return undefined;
  }
  const { success, data } = findings.safeParse(value);
  if (!success) return undefined;
  const { startedAt, isComplete, isQuick, identity, checks, verdicts } = data;
  const found: Record<string, number> = {};
  for (const { status, severity } of checks) {
    if (status === 'finding') found[severity] = (found[severity] ?? 0) + 1;
  }
  return {
    name,
    startedAt,
    isComplete,
    isQuick,
    manufacturer: identity.manufacturer.trim(),
    model: identity.model.trim(),
    libraryVersion: identity.libraryVersion,
    firmwareVersion: identity.firmwareVersion,
    checks: checks.length,
    findings: found,
    verdicts: verdicts.map(({ flow, answer, reservations }) => ({ flow, answer, reservations: reservations.length })),
    hasPage: statSync(join(directory.validation, name, 'report.html'), { throwIfNoEntry: false }) !== undefined,
  };
}

function readBounded(path: string): Buffer | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size <= OCTETS_MAX ? readFileSync(path) : undefined;
}
