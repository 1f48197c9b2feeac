import { writeSync } from 'node:fs';
import { makeRegionFixture } from './region_fixture.js';
import { SoftwareKeyHsm } from './software_key_hsm.js';

/** Serves a region on a token double, and writes its address and its directory as one line of JSON. */
const fixture = await makeRegionFixture({ hsm: new SoftwareKeyHsm() });
writeSync(1, `${JSON.stringify({ url: fixture.url, directory: fixture.directory })}\n`);
