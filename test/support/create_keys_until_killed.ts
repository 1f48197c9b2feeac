import { writeSync } from 'node:fs';
import { createKey } from '../../src/kms/operations/create_key.js';
import { makeSoftwareRegion } from './software_region.js';

/** Creates keys in the database that is named first, and writes the id of each one that was acknowledged, for ever. */
const [, , database] = process.argv;
if (database === undefined) throw new Error('a database has to be named');
const fixture = makeSoftwareRegion({ database });
for (let count = 0; ; count += 1) {
  const Tags = [{ TagKey: 'count', TagValue: String(count) }];
  const { KeyMetadata } = await createKey(fixture.call, { MultiRegion: count % 2 === 1, Tags });
  writeSync(1, `${KeyMetadata.KeyId}\n`);
}
