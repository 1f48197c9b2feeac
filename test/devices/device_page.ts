import { FLOWS, SEVERITIES, type Severity } from '../../src/validation/check.js';
import type { Device } from './device.js';
import type { DeviceRecord } from './device_record.js';

const severityWords: Readonly<Record<Severity, string>> = {
  blocks: 'Blocks a flow',
  security: 'Security: matters where others share the token',
  strategy: 'Another strategy is needed, or a detail is wrong',
  information: 'To know',
};

const INTRODUCTION = `# Devices

What \`keyferry validate\` found of the modules that it is proven on. \`make devices\` runs the whole suite on each of them, keeps what it found in
[docs/devices](devices), and makes this page of that; it is not edited by hand. Figures are rounded, and stay as they are until they move by more than half.

The suite starts and ends by itself what a module needs, in folders of its own; nothing of the machine is changed. To see the same for your HSM:

\`\`\`sh
keyferry validate --module /opt/hsm/lib/p11.so --token test --pin-file hsm.pin --report report
\`\`\`
`;

/** Text in a cell or an item: nothing in it is markup. */
function plain(text: string): string {
  return text.replaceAll(/[|<>*_`[\]]/gu, (mark) => (mark === '_' ? mark : `\\${mark}`)).replaceAll('\n', ' ');
}

function table(rows: readonly (readonly string[])[]): string {
  const [heading = [], ...rest] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rest.map(line)].join('\n');
}

function countOf(record: DeviceRecord, severity: Severity): number {
  return record.findings.filter((finding) => finding.severity === severity).length;
}

function overview(pages: readonly (readonly [Device, DeviceRecord])[]): string {
  return table([
    ['module', 'library', ...FLOWS, ...SEVERITIES.map((severity) => `findings: ${severity}`)],
    ...pages.map(([device, record]) => [
      device.title,
      record.identity.libraryVersion,
      ...FLOWS.map((flow) => record.verdicts.find((verdict) => verdict.flow === flow)?.answer ?? 'unknown'),
      ...SEVERITIES.map((severity) => String(countOf(record, severity))),
    ]),
  ]);
}

function verdicts(record: DeviceRecord): string {
  return record.verdicts
    .map(({ flow, answer, by, missing, blockedBy, reservations }) => {
      const lines = [
        ...(by.length === 0 ? [] : [`${answer === 'yes' ? 'by' : 'it has'} ${by.map(plain).join(', ')}`]),
        ...(blockedBy.length === 0 ? [] : [`blocked by what ${blockedBy.join(', ')} found`]),
        ...missing.map((piece) => `${answer === 'yes' ? 'wider with' : 'missing for'} ${plain(piece)}`),
        ...(reservations.length === 0 ? [] : [`not where others share the token: ${reservations.join(', ')}`]),
      ];
      return [`- **${flow}: ${answer}**`, ...lines.map((line) => `  - ${line}`)].join('\n');
    })
    .join('\n');
}

function findings(record: DeviceRecord): string {
  const parts = SEVERITIES.flatMap((severity) => {
    const found = record.findings.filter((finding) => finding.severity === severity);
    if (found.length === 0) return [];
    const items = found.map(({ id, title, seen }) =>
      [`- **${id}** ${plain(title)}`, ...seen.map((text) => `  - ${plain(text)}`)].join('\n'),
    );
    return [`${severityWords[severity]}:\n\n${items.join('\n')}`];
  });
  return parts.length === 0 ? 'None.' : parts.join('\n\n');
}

/** One row an operation, one column a number of sessions. */
function performance(record: DeviceRecord): string {
  const sessions = [...new Set(record.performance.map((figure) => figure.sessions))].toSorted((a, b) => a - b);
  const operations = [...new Set(record.performance.map(({ operation }) => operation))];
  if (operations.length === 0) return 'Nothing was measured.';
  const figure = (operation: string, count: number): string => {
    const found = record.performance.find((each) => each.operation === operation && each.sessions === count);
    return found === undefined ? '-' : found.perSecond.toLocaleString('en-US');
  };
  return table([
    ['a second', ...sessions.map((count) => `${count} ${count === 1 ? 'session' : 'sessions'}`)],
    ...operations.map((operation) => [plain(operation), ...sessions.map((count) => figure(operation, count))]),
  ]);
}

function section(device: Device, record: DeviceRecord): string {
  const { identity, checks } = record;
  const applicable = checks.passed + checks.finding + checks['not-run'];
  return [
    `## ${device.title}`,
    [
      `- ${plain(`${identity.manufacturer} ${identity.model}`)}; ${plain(identity.libraryDescription)} ${identity.libraryVersion}, ` +
        `firmware ${identity.firmwareVersion}, Cryptoki ${identity.cryptokiVersion}; ${record.packages.map(plain).join(', ')}`,
      `- ${device.howItIsRun}`,
      `- ${record.mechanisms ?? 'no'} mechanisms listed; ${applicable} checks applied${record.isQuick ? ' (quick)' : ''}, ${checks.passed} passed, ` +
        `${checks['not-applicable']} did not apply${checks['not-run'] > 0 ? `, ${checks['not-run']} could not be run` : ''}`,
      ...record.notRun.map(({ id, reason }) => `- ${id} could not be run: ${plain(reason)}`),
      ...record.incidents.map((incident) => `- Incident: ${plain(incident)}`),
    ].join('\n'),
    '### What it can carry',
    verdicts(record),
    '### Findings',
    findings(record),
    '### How fast',
    performance(record),
  ].join('\n\n');
}

/** docs/DEVICES.md. The same records always give the same page. */
export function devicesPage(pages: readonly (readonly [Device, DeviceRecord])[]): string {
  return `${[INTRODUCTION.trimEnd(), overview(pages), ...pages.map((page) => section(...page))].join('\n\n')}\n`;
}
