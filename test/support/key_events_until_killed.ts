import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { KeyEventFile } from '../../src/adapters/key_event_file.js';
import { TrailFile } from '../../src/adapters/trail_file.js';
import { AuditTrail } from '../../src/audit/audit_trail.js';
import { KeyEvents, type KeyEventSink } from '../../src/audit/key_event.js';
import { Deadlines } from '../../src/kms/deadlines.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import { makeSoftwareRegion } from './software_region.js';

/**
 * Runs a region in the directory that is named first until everything that is due is told. Makes as many keys as are named second, whose
 * deletion is due, and writes their ids. Kills its own process where the event whose number is named third is about to be kept
 * (`before`) or was kept (`after`, named fourth).
 */
const [, , directory, keys, number, moment] = process.argv as [string, string, string, string, string, string];
const DAY_MS = 86_400_000;

const software = makeSoftwareRegion({ database: join(directory, 'region.db') });
const { region, clock, call } = software;
const trailFile = await TrailFile.open(join(directory, 'trail.jsonl'));
const file = await KeyEventFile.open(join(directory, 'events.jsonl'));
const ids: string[] = [];
for (let count = 0; count < Number(keys); count += 1) {
  const { KeyMetadata } = await createKey(call, {});
  await scheduleKeyDeletion(call, { KeyId: KeyMetadata.KeyId, PendingWindowInDays: 7 });
  ids.push(KeyMetadata.KeyId);
}
writeSync(1, `${JSON.stringify(ids)}\n`);
clock.ms += 8 * DAY_MS;

let told = 0;
const sink: KeyEventSink = {
  append: async (event) => {
    told += 1;
    if (told === Number(number) && moment === 'before') process.kill(process.pid, 'SIGKILL');
    await file.append(event);
    if (told === Number(number)) process.kill(process.pid, 'SIGKILL');
  },
};
const { home } = region;
const trail = new AuditTrail({ home, clock, clockOffsetMs: () => 0, sink: trailFile });
const deadlines = new Deadlines(
  { ...region, events: new KeyEvents(home, { trail, sink }) },
  {
    report: (failure) => {
      throw failure;
    },
  },
);
await deadlines.start();
await deadlines.stop();
process.exit(0);
