import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { KeyId } from '../../src/kms/key_id.js';
import { summaryOf, type MaterialChange, type MaterialSummary } from '../support/material_summary.js';
import { makeSoftwareRegion } from '../support/software_region.js';

const CHANGER = fileURLToPath(new URL('../support/material_change_until_killed.js', import.meta.url));
/** More than any change has. */
const BOUNDARIES_MAX = 40;

interface Told extends MaterialSummary {
  readonly keyId: KeyId;
  readonly nowMs: number;
}

/** Runs a change until the boundary; what the process told before it was killed or came to its end. */
function runUntil(database: string, change: MaterialChange, boundary: number): { told: Told[]; killed: boolean } {
  const child = spawnSync(process.execPath, [CHANGER, database, change, String(boundary)], { encoding: 'utf8' });
  if (child.signal !== 'SIGKILL' && child.status !== 0) throw new Error(child.stderr);
  const told = child.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Told);
  return { told, killed: child.signal === 'SIGKILL' };
}

function summaryIn({ state, versions, parameters }: MaterialSummary): MaterialSummary {
  return { state, versions, parameters };
}

/** A material's id follows from its key's: told apart by what happens to it, not by its name. */
function unnamed(summary: MaterialSummary): MaterialSummary {
  return { ...summary, versions: summary.versions.map((version) => version.slice(9)) };
}

describe('A process that is killed in a change of imported material', function () {
  this.timeout(120_000);
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-import-crash-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const finished: Readonly<Record<MaterialChange, MaterialSummary>> = {
    import: { state: 'Enabled', versions: ['CURRENT here KEY_MATERIAL_EXPIRES'], parameters: 0 },
    reimport: { state: 'Enabled', versions: ['CURRENT here KEY_MATERIAL_EXPIRES'], parameters: 0 },
    rotate: {
      state: 'Enabled',
      versions: [
        'NON_CURRENT here KEY_MATERIAL_DOES_NOT_EXPIRE null',
        'CURRENT here KEY_MATERIAL_DOES_NOT_EXPIRE null',
      ],
      parameters: 0,
    },
    'delete material': { state: 'PendingImport', versions: ['CURRENT missing null null'], parameters: 0 },
    expire: { state: 'PendingImport', versions: ['CURRENT missing KEY_MATERIAL_EXPIRES'], parameters: 0 },
    'delete key': { state: null, versions: [], parameters: 0 },
  };

  for (const change of Object.keys(finished) as MaterialChange[]) {
    it(`leaves the key as it was before or after, at every step: ${change}`, async () => {
      const seen = { before: 0, after: 0 };
      for (let boundary = 1; ; boundary += 1) {
        if (boundary > BOUNDARIES_MAX) throw new Error('the change never came to its end');
        const database = join(directory, `${boundary}.db`);
        const { told, killed } = runUntil(database, change, boundary);
        const [before, after] = told;
        if (before === undefined) throw new Error('the process told nothing');
        const software = makeSoftwareRegion({ database });
        const found = summaryOf(software.region, before.keyId);
        const isBefore = JSON.stringify(found) === JSON.stringify(summaryIn(before));
        if (killed && isBefore) seen.before += 1;
        else {
          seen.after += 1;
          const expected = finished[change];
          const plain = unnamed(found);
          expect(plain.state).to.equal(expected.state);
          expect(plain.versions).to.have.lengthOf(expected.versions.length);
          for (const [index, text] of expected.versions.entries()) expect(plain.versions[index]).to.include(text);
          expect(plain.parameters).to.equal(expected.parameters);
        }
        // The next process makes up for what was due, and tells it once.
        software.clock.ms = before.nowMs;
        await software.deadlines.start();
        await software.deadlines.stop();
        expect(software.failures).to.deep.equal([]);
        if (change === 'expire' || change === 'delete key') {
          expect(unnamed(summaryOf(software.region, before.keyId)).state).to.equal(finished[change].state);
          const events = software.trail.events.filter(({ eventType }) => eventType === 'AwsServiceEvent');
          expect(events.length).to.be.at.most(1);
          if (isBefore) expect(events).to.have.lengthOf(1);
        }
        expect(software.region.materials.events(1)).to.deep.equal([]);
        software.close();
        if (!killed) {
          expect(summaryIn(after ?? before)).to.deep.equal(found);
          break;
        }
      }
      expect(seen.before, 'boundaries before the commit').to.be.at.least(2);
      expect(seen.after, 'boundaries after the commit').to.be.at.least(2);
    });
  }
});
