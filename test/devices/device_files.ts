import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { devices } from './catalogue.js';
import type { Device } from './device.js';
import { devicesPage } from './device_page.js';
import { encodeRecord, parseRecord, type DeviceRecord } from './device_record.js';

const DOCS = new URL('../../../docs/', import.meta.url);

/** docs/DEVICES.md. */
export const PAGE_FILE = fileURLToPath(new URL('DEVICES.md', DOCS));

function recordFile(device: Device): string {
  return fileURLToPath(new URL(`devices/${device.id}.json`, DOCS));
}

/** What was recorded of a device, if anything was. */
export function readRecord(device: Device): DeviceRecord | undefined {
  const file = recordFile(device);
  return existsSync(file) ? parseRecord(readFileSync(file, 'utf8')) : undefined;
}

/** Keeps a record in docs/devices. */
export function writeRecord(device: Device, record: DeviceRecord): void {
  const file = recordFile(device);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, encodeRecord(record));
}

/** The page that the records make; devices without a record are not on it. */
export function pageOfRecords(): string {
  const recorded = devices.flatMap((device) => {
    const record = readRecord(device);
    return record === undefined ? [] : [[device, record] as const];
  });
  return devicesPage(recorded);
}
