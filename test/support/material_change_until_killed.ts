import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { KeyId } from '../../src/kms/key_id.js';
import { deleteImportedKeyMaterial } from '../../src/kms/operations/delete_imported_key_material.js';
import { importKeyMaterial } from '../../src/kms/operations/import_key_material.js';
import { rotateKeyOnDemand } from '../../src/kms/operations/rotate_key_on_demand.js';
import { scheduleKeyDeletion } from '../../src/kms/operations/schedule_key_deletion.js';
import { importInto, makeExternalKey, prepareImport } from './import_ceremony.js';
import { summaryOf, type MaterialChange } from './material_summary.js';
import { makeSoftwareRegion } from './software_region.js';
import { atBoundary, watchBoundaries } from './write_boundaries.js';

/**
 * Prepares a key in the database that is named first, writes what it is, does the change that is named second, and kills its own
 * process at the boundary whose number is named third: before a statement that writes, before a commit, or after one. Writes what
 * the key is then where it comes to the end.
 */
const [, , database, change, boundary] = process.argv as [string, string, string, MaterialChange, string];
const DAY_MS = 86_400_000;

watchBoundaries();
const octets = (name: string): Buffer => createHash('sha256').update(name).digest();
const software = makeSoftwareRegion({ database });
const { call } = software;
const keyId = await makeExternalKey(call);
let run: () => Promise<unknown>;
switch (change) {
  case 'import':
  case 'reimport': {
    if (change === 'reimport') await importInto(call, keyId, octets('first'));
    const parameters = await prepareImport(call, keyId, octets('first'));
    const ValidTo = new Date(software.clock.ms + DAY_MS);
    run = () => importKeyMaterial(call, { KeyId: keyId, ValidTo, ...parameters });
    break;
  }
  case 'rotate':
    await importInto(call, keyId, octets('first'));
    await importInto(call, keyId, octets('second'), { ImportType: 'NEW_KEY_MATERIAL' });
    run = () => rotateKeyOnDemand(call, { KeyId: keyId });
    break;
  case 'delete material':
    await importInto(call, keyId, octets('first'));
    run = () => deleteImportedKeyMaterial(call, { KeyId: keyId });
    break;
  case 'expire':
    await importInto(call, keyId, octets('first'), { ValidTo: new Date(software.clock.ms + DAY_MS) });
    software.clock.ms += 2 * DAY_MS;
    run = () => software.deadlines.runDue();
    break;
  case 'delete key':
    await importInto(call, keyId, octets('first'));
    await prepareImport(call, keyId, octets('first'));
    await scheduleKeyDeletion(call, { KeyId: keyId, PendingWindowInDays: 7 });
    software.clock.ms += 8 * DAY_MS;
    run = () => software.deadlines.runDue();
    break;
}
const say = (): number =>
  writeSync(
    1,
    `${JSON.stringify({ keyId, nowMs: software.clock.ms, ...summaryOf(software.region, keyId as KeyId) })}\n`,
  );
say();
atBoundary(Number(boundary), () => process.kill(process.pid, 'SIGKILL'));
await run();
atBoundary(Number.POSITIVE_INFINITY);
say();
software.close();
process.exit(0);
