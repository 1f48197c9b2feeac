import { expect } from 'chai';
import { utf8 } from '../../src/bytes.js';
import { EPHEMERAL_LABEL } from '../../src/hsm/strategy/agreement.js';
import type { Journal } from '../../src/replication/journal.js';
import { CKA_ID, CKA_LABEL } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { attacksOn, expectRefusal, useOf, standingOf, materialsOf } from '../support/attack.js';
import { Crash, crashingJournal, deliverAllTwice, type PlannedCrashes } from '../support/crashing_journal.js';
import { labTokens, countObjects } from '../support/lab_token.js';

describe('an adversary who ends processes and restores copies', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));
  const crashes: PlannedCrashes = { plan: undefined, count: 0 };
  const crashing = (letter: 'A' | 'B') => () => {
    Object.assign(crashes, { plan: undefined, count: 0 });
    const journal = (real: Journal): Journal => crashingJournal(real, crashes);
    return { ports: letter === 'A' ? { A: { journal } } : { B: { journal } } };
  };

  for (const [letter, states] of [
    ['B', ['OFFERED', 'UNWRAPPING', 'INSTALLED']],
    ['A', ['INTENT', 'SENT', 'DONE']],
  ] as const) {
    attack(
      `A32 ${letter} ends before and after each commit, with everything delivered twice: one replica, nothing left in a token`,
      async (lab) => {
        for (const at of states) {
          for (const when of ['before', 'after'] as const) {
            const keyId = await lab.createKey(lab.A);
            const blob = await lab.encrypt(lab.A, keyId, `${at} ${when}`);
            const before = crashes.count;
            crashes.plan = { at, when };
            await lab.replicate(lab.A, keyId, lab.B);
            await deliverAllTwice(lab);
            expect(crashes.count - before, `crash ${when} ${at}`).to.equal(1);
            // The process is started again over what it had committed.
            await lab.open(letter, { database: lab.region(letter).databasePath });
            for (let round = 0; round < 8; round += 1) {
              await deliverAllTwice(lab);
              await lab.pass(60_000);
            }
            const what = `after a crash ${when} ${at}`;
            expect(standingOf(lab.A, keyId, lab.B), what).to.equal('ACTIVE');
            expect(await lab.decrypt(lab.B, blob), what).to.equal(`${at} ${when}`);
            expect(materialsOf(lab.B, keyId), what).to.have.lengthOf(1);
            expect([lab.A.agent.status().outgoing, lab.B.agent.status().incoming], what).to.deep.equal([[], []]);
            const held = [await lab.A.token.hsm.ephemeralCount(), await lab.B.token.hsm.ephemeralCount()];
            expect(held, what).to.deep.equal([0, 0]);
            const ports = crashing(letter)().ports;
            await lab.open(letter, {
              ...('A' in ports ? ports.A : ports.B),
              database: lab.region(letter).databasePath,
            });
            lab.network.drop();
          }
        }
      },
      crashing(letter),
    );
  }

  attack(
    'A33 a hundred ends between unwrapping and the commit leave no object in the token',
    async (lab, note) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const begun = performance.now();
      let objects: object | undefined;
      for (let time = 1; time <= 100; time += 1) {
        const transfer = await lab.until('M2');
        crashes.plan = { at: 'INSTALLED', when: 'before' };
        const outcome: unknown = await lab.network.deliver(B.name, transfer.octets).catch((error: unknown) => error);
        expect(outcome).to.be.instanceOf(Crash);
        expect(await B.token.hsm.ephemeralCount()).to.equal(0);
        const counted = await countObjects(B.token);
        objects ??= counted;
        expect(counted, `after ${time} ends`).to.deep.equal(objects);
        expect(await useOf(lab, B, keyId)).to.equal('KMSInvalidStateException');
        await lab.network.deliver(B.name, transfer.octets);
        const abort = await lab.until('MX');
        await lab.network.deliver(A.name, abort.octets);
        await lab.pass(86_400_001);
      }
      expect(crashes.count).to.equal(100);
      await lab.run();
      expect(await useOf(lab, B, keyId)).to.equal('usable');
      expect(B.journal.highWater(keyId, A.name)).to.equal(101n);
      note(`${Math.round((performance.now() - begun) / 100)} ms each`);
    },
    crashing('B'),
  );

  attack('A35 another object under the handle of RAKB is noticed, and the session ends', async (lab) => {
    const { A, B } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const transfer = await lab.until('M2');
    // As after a restored snapshot: the handle is alive, and what it names is another agreement key.
    const job = new Job('exchange', 'test');
    const found = job.findObjects(template([CKA_LABEL, utf8(EPHEMERAL_LABEL)]), 10);
    const [handle, ...others] = (await B.token.executor.run(job)).handles(found);
    expect([handle === undefined, others.length]).to.deep.equal([false, 0]);
    const exchange = new Job('exchange', 'test');
    exchange.setAttributes(handle!, template([CKA_ID, Buffer.alloc(32, 9)]));
    await B.token.executor.run(exchange);
    await expectRefusal(lab, B, 'SESSION_LOST', () => lab.network.deliver(B.name, transfer.octets), { ends: true });
    expect(lab.network.waiting.map(({ label }) => label)).to.deep.equal(['MX']);
    // Nothing was unwrapped; the source begins anew by itself.
    await lab.run();
    expect(await useOf(lab, B, keyId)).to.equal('usable');
  });

  attack(
    'A35 a destination that was restored to the state between its offer and the transfer installs nothing from it',
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const offer = await lab.until('M1');
      const snapshot = `${B.databasePath}.snapshot`;
      B.database.prepare('VACUUM INTO ?').run(snapshot);
      await lab.network.deliver(A.name, offer.octets);
      const transfer = await lab.until('M2');
      const restored = await lab.open('B', { database: snapshot });
      lab.network.drop();
      await lab.network.deliver(B.name, transfer.octets);
      expect(await useOf(lab, restored, keyId)).to.equal('NotFoundException');
      expect(await restored.token.hsm.ephemeralCount()).to.equal(0);
      const abort = lab.network.waiting.find(({ label }) => label === 'MX');
      expect(abort, 'the source is told').to.not.equal(undefined);
      await lab.run();
      expect(await useOf(lab, restored, keyId), 'a new session brings the key').to.equal('usable');
    },
  );
});
