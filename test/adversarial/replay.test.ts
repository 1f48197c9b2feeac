import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { attacksOn, expectRefusal, rowsOf, usableKeys, useOf, standingOf, materialsOf } from '../support/attack.js';
import type { AttackLab } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { partsOf, put, resigned } from '../support/forgery.js';

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');

/** A key that A has replicated to B, with what was sent for it. */
async function replicated(lab: AttackLab): Promise<{ keyId: string; sent: Record<string, Uint8Array> }> {
  const from = lab.network.seen.length;
  const keyId = await lab.createKey(lab.A);
  await lab.replicate(lab.A, keyId, lab.B);
  await lab.run();
  return { keyId, sent: Object.fromEntries(lab.network.seen.slice(from).map(({ label, octets }) => [label, octets])) };
}

describe('an adversary who replays, reorders and withholds', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));

  attack('A10 an offer of an earlier session makes A do nothing: no agreement key, no transfer', async (lab) => {
    const { A, B } = lab;
    const { keyId, sent } = await replicated(lab);
    const steps: string[] = [];
    const stop = A.agent.observe((event) => {
      if (event.kind === 'token') steps.push(event.step);
    });
    await expectRefusal(lab, A, 'PREV', () => lab.network.deliver(A.name, sent['M1']!), { field: 'prev' });
    // While a new session of the same key waits for its own offer.
    await lab.replicateAgain(A, keyId, B);
    await lab.until('M0');
    steps.length = 0;
    await expectRefusal(lab, A, 'PREV', () => lab.network.deliver(A.name, sent['M1']!), { field: 'prev' });
    expect(steps, 'token steps').to.deep.equal([]);
    expect(lab.network.waiting).to.deep.equal([]);
    stop();
  });

  attack(
    'A11 a transfer of session 1 does nothing in session 2, and with its session id changed by a stolen key it is refused',
    async (lab) => {
      const { A, B } = lab;
      const { keyId, sent } = await replicated(lab);
      await lab.replicateAgain(A, keyId, B);
      const offer = await lab.until('M1');
      const before = [rowsOf(A), rowsOf(B)];
      await lab.network.deliver(B.name, sent['M2']!);
      expect([rowsOf(A), rowsOf(B)]).to.deep.equal(before);
      expect(
        lab.network.waiting.map((message) => text(message.octets)),
        'the stored M3',
      ).to.deep.equal([text(sent['M3']!)]);
      lab.network.drop();
      const { sid } = partsOf(offer.octets).payload;
      const moved = await resigned(sent['M2']!, lab.signer(A), (payload) => put(payload, 'sid', sid));
      await expectRefusal(lab, B, 'PREV', () => lab.network.deliver(B.name, moved), { field: 'prev' });
      const unsigned = Buffer.from(text(sent['M2']!).replace(/\.[^.]*$/, `.${text(moved).split('.')[2]}`));
      await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, unsigned));
      await lab.network.deliver(A.name, offer.octets);
      await lab.run();
      expect(lab.B.journal.highWater(keyId, A.name)).to.equal(2n);
    },
  );

  attack(
    'A12 a transfer that comes again after the install brings the stored confirmation, and nothing in the token',
    async (lab) => {
      const { B } = lab;
      const { keyId, sent } = await replicated(lab);
      const steps: string[] = [];
      const stop = B.agent.observe((event) => {
        if (event.kind === 'token') steps.push(event.step);
      });
      const before = [rowsOf(B), usableKeys(B)];
      for (let time = 0; time < 20; time += 1) await lab.network.deliver(B.name, sent['M2']!);
      stop();
      expect([rowsOf(B), usableKeys(B)]).to.deep.equal(before);
      expect(steps, 'token steps').to.deep.equal([]);
      expect(new Set(lab.network.waiting.map((message) => text(message.octets)))).to.deep.equal(
        new Set([text(sent['M3']!)]),
      );
      expect(B.audit.refusals()).to.deep.equal([]);
      expect(await useOf(lab, B, keyId)).to.equal('usable');
    },
  );

  attack('A13 a confirmation of another session ends no session', async (lab) => {
    const { A, B } = lab;
    const { keyId, sent } = await replicated(lab);
    await lab.replicateAgain(A, keyId, B);
    const transfer = await lab.until('M2');
    const before = rowsOf(A);
    await lab.network.deliver(A.name, sent['M3']!);
    expect(rowsOf(A), 'the replayed M3 of session 1').to.deep.equal(before);
    expect(
      lab.network.waiting.map((message) => text(message.octets)),
      'the stored M4',
    ).to.deep.equal([text(sent['M4']!)]);
    lab.network.drop();
    const unknown = await resigned(sent['M3']!, lab.signer(B), (payload) =>
      put(payload, 'sid', randomBytes(32).toString('base64url')),
    );
    await expectRefusal(lab, A, 'SID', () => lab.network.deliver(A.name, unknown), { field: 'sid' });
    const moved = await resigned(sent['M3']!, lab.signer(B), (payload) =>
      put(payload, 'sid', partsOf(transfer.octets).payload['sid']),
    );
    await expectRefusal(lab, A, 'PREV', () => lab.network.deliver(A.name, moved), { field: 'prev' });
    expect(A.agent.status().outgoing.map((session) => session.state)).to.deep.equal(['SENT']);
    await lab.network.deliver(B.name, transfer.octets);
    await lab.run();
    expect(A.agent.status().outgoing).to.deep.equal([]);
  });

  attack('A14 messages before their turn are refused, and a message twice at once has one winner', async (lab) => {
    const { A, B } = lab;
    const earlier = await replicated(lab);
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const intent = await lab.until('M0');
    // M2 before M1: B knows no such session.
    const early = await resigned(earlier.sent['M2']!, lab.signer(A), (payload) =>
      put(payload, 'sid', randomBytes(32).toString('base64url')),
    );
    await expectRefusal(lab, B, 'SID', () => lab.network.deliver(B.name, early), { field: 'sid' });
    await Promise.all([lab.network.deliver(B.name, intent.octets), lab.network.deliver(B.name, intent.octets)]);
    const offers = lab.network.waiting.splice(0);
    expect(new Set(offers.map((message) => text(message.octets))).size, 'different offers to one intent').to.equal(1);
    const offer = offers[0]!;
    // M3 before M2: A has sent nothing in that session.
    const hasty = await resigned(earlier.sent['M3']!, lab.signer(B), (payload) =>
      put(payload, 'sid', partsOf(offer.octets).payload['sid']),
    );
    await expectRefusal(lab, A, 'SID', () => lab.network.deliver(A.name, hasty), { field: 'sid' });
    await lab.network.deliver(A.name, offer.octets);
    const transfers = lab.network.waiting.splice(0);
    expect(transfers.map((message) => message.label)).to.deep.equal(['M2']);
    const transfer = transfers[0]!;
    const installs = (): number => B.audit.records.filter((record) => record.code === 'REPL_INSTALLED').length;
    const before = installs();
    await Promise.all(Array.from({ length: 4 }, () => lab.network.deliver(B.name, transfer.octets)));
    expect(installs() - before, 'installs').to.equal(1);
    const confirms = lab.network.waiting
      .filter((message) => message.label === 'M3')
      .map((message) => text(message.octets));
    expect(new Set(confirms).size, 'different confirmations').to.equal(1);
    await lab.run();
    expect(materialsOf(B, keyId)).to.have.lengthOf(1);
    expect(await useOf(lab, B, keyId)).to.equal('usable');
  });

  attack('A14 of two different offers to one intent at once one is acted on', async (lab) => {
    const { A, B } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const offer = await lab.until('M1');
    const second = await resigned(offer.octets, lab.signer(B), (payload) => put(payload, 'iat', 1));
    await Promise.all([lab.network.deliver(A.name, offer.octets), lab.network.deliver(A.name, second)]);
    expect(A.audit.refusals().slice(-1)).to.deep.equal(['DUPLICATE']);
    expect(lab.network.waiting.splice(0).map((message) => message.label)).to.deep.equal(['M2']);
  });

  attack(
    'A31 without M3 the source stays in doubt and says so, the replica is usable, and a late M3 ends the doubt',
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const confirm = await lab.until('M3');
      expect(await useOf(lab, B, keyId)).to.equal('usable');
      for (let hour = 0; hour < 30; hour += 1) {
        await lab.pass(3_600_000);
        for (const message of lab.network.waiting.splice(0)) {
          if (message.to === B.name) await lab.network.deliver(B.name, message.octets);
        }
        lab.network.drop();
      }
      expect(A.agent.status().outgoing.map(({ state, keyIds }) => ({ state, keyIds }))).to.deep.equal([
        { state: 'SENT', keyIds: [keyId] },
      ]);
      expect(standingOf(A, keyId, B)).to.equal('REPLICATING');
      await lab.network.deliver(A.name, confirm.octets);
      expect(A.agent.status().outgoing).to.deep.equal([]);
      expect(standingOf(A, keyId, B)).to.equal('ACTIVE');
      await lab.run();
      expect(B.audit.refusals()).to.deep.equal([]);
    },
  );

  attack(
    'A34 a source that was restored from a copy cannot send a second transfer, and learns from the generation that it is old',
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      const copyOf = (name: string): string => {
        const path = `${A.databasePath}.${name}`;
        A.database.prepare('VACUUM INTO ?').run(path);
        return path;
      };
      const untouched = copyOf('untouched');
      await lab.replicate(A, keyId, B);
      const offer = await lab.until('M1');
      const announced = copyOf('announced');
      await lab.network.deliver(A.name, offer.octets);
      const first = await lab.until('M2');
      await lab.network.deliver(B.name, first.octets);
      lab.network.drop();

      const restored = await lab.open('A', { database: announced });
      lab.network.drop();
      await lab.network.deliver(A.name, offer.octets);
      const second = await lab.until('M2');
      expect(text(second.octets)).to.not.equal(text(first.octets));
      await expectRefusal(lab, B, 'FORK', () => lab.network.deliver(B.name, second.octets), { field: 'sid' });
      // The restored source is told what was installed, and does not believe that it was its own transfer.
      await lab.network.deliver(B.name, first.octets);
      const confirm = await lab.until('M3');
      await expectRefusal(lab, restored, 'PREV', () => lab.network.deliver(A.name, confirm.octets));

      const older = await lab.open('A', { database: untouched });
      lab.network.drop();
      await lab.replicate(older, keyId, B);
      const intent = await lab.until('M0');
      await expectRefusal(lab, B, 'GEN', () => lab.network.deliver(B.name, intent.octets), { field: 'keys.gen' });
      const abort = await lab.until('MX');
      await lab.network.deliver(A.name, abort.octets);
      expect(older.audit.refusals(), 'the alarm').to.deep.equal(['FORK']);
    },
  );

  attack(
    'A36 an announcement from before a rotation is refused once its session is forgotten, and does nothing before',
    async (lab) => {
      const { A, B } = lab;
      const { keyId, sent } = await replicated(lab);
      await lab.replicateAgain(A, keyId, B);
      await lab.run();
      const before = rowsOf(B);
      await lab.network.deliver(B.name, sent['M0']!);
      expect(rowsOf(B)).to.deep.equal(before);
      expect(
        lab.network.waiting.map((message) => text(message.octets)),
        'the stored M3',
      ).to.deep.equal([text(sent['M3']!)]);
      lab.network.drop();
      const again = await resigned(sent['M0']!, lab.signer(A), (payload) =>
        put(payload, 'na', randomBytes(32).toString('base64url')),
      );
      await expectRefusal(lab, B, 'GEN', () => lab.network.deliver(B.name, again), { field: 'keys.gen' });
      const older = await resigned(sent['M0']!, lab.signer(A), (payload) => {
        put(payload, 'keys.0.gen', '9');
        put(payload, 'keys.0.materialIds', [randomBytes(32).toString('hex')]);
      });
      await expectRefusal(lab, B, 'GEN', () => lab.network.deliver(B.name, older), { field: 'keys.materialIds' });
      lab.network.drop();
      B.journal.prune(Number.MAX_SAFE_INTEGER);
      await expectRefusal(lab, B, 'GEN', () => lab.network.deliver(B.name, sent['M0']!), { field: 'keys.gen' });
      expect(await useOf(lab, B, keyId)).to.equal('usable');
    },
  );
});
