import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { devices } from './catalogue.js';
import { PAGE_FILE, pageOfRecords, readRecord, writeRecord } from './device_files.js';
import { recordOf } from './device_record.js';
import { validateDevice } from './device_run.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    reports: { type: 'string', default: 'build/devices' },
    quick: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const unknown = values.only.find((id) => !devices.some((device) => device.id === id));
if (unknown !== undefined) {
  say(`there is no device ${unknown}: they are ${devices.map(({ id }) => id).join(', ')}`);
  process.exit(2);
}

const chosen = values.page ? [] : devices.filter(({ id }) => values.only.length === 0 || values.only.includes(id));
const abort = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
let hasFailed = false;
for (const [at, device] of chosen.entries()) {
  if (abort.signal.aborted) break;
  say(`[${at + 1}/${chosen.length}] ${device.title}`);
  const reason = device.reasonToSkip();
  if (reason !== null) {
    say(`  skipped: ${reason}; its record stays as it is`);
    continue;
  }
  const reports = resolve(join(values.reports, device.id));
  mkdirSync(reports, { recursive: true });
  try {
    const report = await validateDevice(device, {
      isQuick: values.quick,
      reports,
      signal: abort.signal,
      onLine: (line) => say(`  ${line}`),
    });
    // A quick run is for looking; what is recorded is a whole one.
    if (!values.quick) writeRecord(device, recordOf(device, report, readRecord(device)));
    const answers = report.verdicts.map(({ flow, answer }) => `${flow} ${answer}`);
    say(`  ${answers.join(', ')}; reports in ${reports}`);
  } catch (error) {
    hasFailed = true;
    say(`  ${error instanceof Error ? error.message : String(error)}`);
  }
}
if (!values.quick) {
  writeFileSync(PAGE_FILE, pageOfRecords());
  say(`wrote ${PAGE_FILE}`);
}
process.exit(hasFailed ? 1 : 0);
