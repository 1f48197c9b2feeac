import { z } from 'zod';
import { CHECK_GROUPS, FLOWS, SEVERITIES } from '../../src/validation/check.js';
import type { CheckResult, ValidationReport } from '../../src/validation/result.js';
import { packageVersions, type Device } from './device.js';

const text = z.string();

const performanceForm = z.strictObject({ operation: text, sessions: z.number().int(), perSecond: z.number() });

const recordForm = z.strictObject({
  id: text,
  packages: z.array(text),
  identity: z.strictObject({
    manufacturer: text,
    model: text,
    libraryDescription: text,
    libraryVersion: text,
    cryptokiVersion: text,
    firmwareVersion: text,
  }),
  isQuick: z.boolean(),
  /** How many the token lists; null where the probe did not complete. */
  mechanisms: z.number().int().nullable(),
  checks: z.strictObject({
    passed: z.number().int(),
    finding: z.number().int(),
    'not-applicable': z.number().int(),
    'not-run': z.number().int(),
  }),
  verdicts: z.array(
    z.strictObject({
      flow: z.enum(FLOWS),
      answer: z.enum(['yes', 'no', 'unknown']),
      /** Strategies that a region would have, by their suites where they have one. */
      by: z.array(text),
      missing: z.array(text),
      blockedBy: z.array(text),
      reservations: z.array(text),
    }),
  ),
  findings: z.array(
    z.strictObject({
      id: text,
      group: z.enum(CHECK_GROUPS),
      severity: z.enum(SEVERITIES),
      title: text,
      /** What was not as expected: what, by which call and mechanism, and what was seen. */
      seen: z.array(text),
    }),
  ),
  /** Checks that could not be run, and why. */
  notRun: z.array(z.strictObject({ id: text, reason: text })),
  incidents: z.array(text),
  performance: z.array(performanceForm),
});

/** What docs/DEVICES.md tells of one device: a report without what is other in every run. */
export type DeviceRecord = Readonly<z.infer<typeof recordForm>>;
type Performance = z.infer<typeof performanceForm>;

/** Things that a check saw which are kept; a check may see hundreds. */
const SEEN_MAX = 6;
/** A figure that moved by less than this factor is the one of before: machines are not that steady. */
const STEADY_FACTOR = 1.6;

/**
 * Reduces a report to a record.
 *
 * @param earlier - record of the run before, whose figures are kept where they have hardly moved
 */
export function recordOf(device: Device, report: ValidationReport, earlier: DeviceRecord | undefined): DeviceRecord {
  const { manufacturer, model, libraryDescription, libraryVersion, cryptokiVersion, firmwareVersion } = report.identity;
  const count = (status: CheckResult['status']): number =>
    report.checks.filter((check) => check.status === status).length;
  return {
    id: device.id,
    packages: [...packageVersions(device.packages)],
    identity: {
      ...{ manufacturer: manufacturer.trim(), model: model.trim(), libraryDescription: libraryDescription.trim() },
      ...{ libraryVersion, cryptokiVersion, firmwareVersion },
    },
    isQuick: report.isQuick,
    mechanisms: report.profile?.mechanisms.length ?? null,
    checks: {
      passed: count('passed'),
      finding: count('finding'),
      'not-applicable': count('not-applicable'),
      'not-run': count('not-run'),
    },
    verdicts: report.verdicts.map(({ flow, answer, strategies, missing, blockedBy, reservations }) => ({
      flow,
      answer,
      by: [...new Set(strategies.map(({ suite, id }) => (suite === '' ? id : suite)))],
      missing: [...missing],
      blockedBy: [...blockedBy],
      reservations: [...reservations],
    })),
    findings: report.checks
      .filter(({ status }) => status === 'finding')
      .map(({ id, group, severity, title, observations }) => ({
        ...{ id, group, severity, title },
        seen: seenIn(observations),
      })),
    notRun: report.checks
      .filter(({ status }) => status === 'not-run')
      .map(({ id, reason }) => ({ id, reason: reason ?? 'no reason given' })),
    incidents: [...report.incidents],
    performance: report.checks
      .flatMap(({ measurements }) => measurements)
      .map(({ operation, sessions, perSecond }) => ({ operation, sessions, perSecond: rounded(perSecond) }))
      .map((figure) => steady(figure, earlier)),
  };
}

function seenIn(observations: CheckResult['observations']): string[] {
  const wrong = observations.filter(({ isAsExpected }) => !isAsExpected);
  const texts = wrong.slice(0, SEEN_MAX).map(({ what, call, mechanism, seen }) => {
    const where = [call, mechanism].filter((part) => part !== undefined).join(', ');
    return `${what}${where === '' ? '' : ` (${where})`}: ${seen}`;
  });
  return wrong.length > SEEN_MAX ? [...texts, `and ${wrong.length - SEEN_MAX} more`] : texts;
}

/** To two digits. */
function rounded(perSecond: number): number {
  return perSecond === 0 ? 0 : Number(perSecond.toPrecision(2));
}

function steady(figure: Performance, earlier: DeviceRecord | undefined): Performance {
  const before = earlier?.performance.find(
    ({ operation, sessions }) => operation === figure.operation && sessions === figure.sessions,
  );
  if (before === undefined || before.perSecond === 0 || figure.perSecond === 0) return figure;
  const factor = figure.perSecond / before.perSecond;
  return factor < STEADY_FACTOR && factor > 1 / STEADY_FACTOR ? before : figure;
}

/** A record as it is kept in docs/devices. */
export function encodeRecord(record: DeviceRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/**
 * Reads a record again.
 *
 * @throws ZodError, SyntaxError for anything else
 */
export function parseRecord(json: string): DeviceRecord {
  return recordForm.parse(JSON.parse(json));
}
