import { expect } from 'chai';
import type { Journal } from '../../src/replication/journal.js';
import { useOf } from '../support/attack.js';
import { AttackLab, type LabRegion } from '../support/attack_lab.js';
import { crashingJournal, deliverAllTwice, type PlannedCrashes } from '../support/crashing_journal.js';
import { askHandover, placeOf } from '../support/handover_scene.js';
import { labTokens } from '../support/lab_token.js';

describe('A hand-over whose regions end in the middle', function () {
  this.timeout(120_000);
  let lab: AttackLab;
  const crashes: PlannedCrashes = { plan: undefined, count: 0 };
  const journal = (real: Journal): Journal => crashingJournal(real, crashes);

  before(async () => {
    lab = await AttackLab.make(labTokens(['A', 'B']));
    await lab.begin();
  });
  after(() => lab.close());

  /** Primaries that regions know, as they say it themselves. */
  const places = (regions: readonly LabRegion[], keyId: string): readonly string[] =>
    regions.map((region) => placeOf(region, keyId));

  for (const [letter, states] of [
    ['A', ['INTENT', 'SENT', 'DONE']],
    ['B', ['OFFERED', 'UNWRAPPING', 'INSTALLED']],
  ] as const) {
    for (const at of states) {
      for (const when of ['before', 'after'] as const) {
        it(`has one primary that both know, where the ${letter === 'A' ? 'old' : 'new'} primary ends ${when} ${at} is committed`, async () => {
          await lab.open(letter, { journal, database: lab.region(letter).databasePath });
          const keyId = await lab.createKey(lab.A);
          const blob = await lab.encrypt(lab.A, keyId, 'held');
          await lab.replicate(lab.A, keyId, lab.B);
          await lab.run();
          const before = crashes.count;
          crashes.plan = { at, when };
          const asked = askHandover(lab.A, keyId, lab.B);
          await deliverAllTwice(lab);
          expect(crashes.count - before).to.equal(1);
          // At no time are there two, and cryptography goes on.
          expect(places([lab.A, lab.B], keyId).filter((place) => place.startsWith('PRIMARY'))).to.have.length.below(2);
          expect(await useOf(lab, lab.A, keyId)).to.equal('usable');
          await lab.open(letter, { database: lab.region(letter).databasePath });
          for (let round = 0; round < 6; round += 1) {
            await deliverAllTwice(lab);
            await lab.pass(5_000);
          }
          await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 10))]);
          const primary = lab.B.name;
          expect(places([lab.A, lab.B], keyId)).to.deep.equal([
            `REPLICA ${primary} Enabled`,
            `PRIMARY ${primary} Enabled`,
          ]);
          expect([lab.A.agent.status().handovers, lab.B.agent.status().incoming]).to.deep.equal([[], []]);
          expect(await lab.decrypt(lab.B, blob)).to.equal('held');
          lab.network.drop();
        });
      }
    }
  }
});
