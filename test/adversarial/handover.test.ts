import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { attacksOn, expectRefusal, useOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { partsOf, put, resigned } from '../support/forgery.js';
import {
  announceWith,
  askHandover,
  forgeHandover,
  handOver,
  handoversIn,
  lastIntent,
  placeOf,
} from '../support/handover_scene.js';
import { labTokens } from '../support/lab_token.js';

describe('an adversary who wants to be the primary of a key, or wants two of them', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B', 'C']));

  /** A key of A with replicas in all other regions. */
  async function keyEverywhere(lab: AttackLab): Promise<string> {
    const keyId = await lab.createKey(lab.A);
    for (const region of [lab.B, lab.C]) {
      await lab.replicate(lab.A, keyId, region);
      await lab.run();
    }
    return keyId;
  }

  async function expectPlaces(lab: AttackLab, keyId: string, primary: LabRegion): Promise<void> {
    for (const region of lab.regions) {
      const type = region === primary ? 'PRIMARY' : 'REPLICA';
      expect(placeOf(region, keyId), region.name).to.equal(`${type} ${primary.name} Enabled`);
    }
  }

  attack(
    'A50 two hand-overs of one number freeze the key where both are seen, for good and nowhere else',
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await keyEverywhere(lab);
      await handOver(lab, A, keyId, B);
      await expectPlaces(lab, keyId, B);
      // A has handed the key over to B, and now says that it was to itself; then, that much more has happened since.
      const first = await forgeHandover(lab.signer(A), { keyId, from: A.name, to: A.name });
      const second = await forgeHandover(lab.signer(A), { keyId, from: A.name, to: A.name, primaryGeneration: 2n });
      const intent = lastIntent(lab, A, C);
      const longer = await announceWith(lab, A, intent, { to: C, handovers: [first, second] });
      const before = C.audit.records.length;
      await lab.network.deliver(C.name, longer);
      await lab.settle();
      const [refusal, ...others] = C.audit.records.slice(before).filter(({ code }) => !code.startsWith('REPL_'));
      expect([refusal?.code, refusal?.field, others.length]).to.deep.equal(['FORK', 'keys.handovers', 0]);
      expect(refusal?.detail).to.equal(
        `Region ${A.name} has handed the key over to ${B.name} and to ${A.name}: it is frozen here.`,
      );
      const shorter = await announceWith(lab, A, intent, { to: C, handovers: [first] });
      await expectRefusal(lab, C, 'FORK', () => lab.network.deliver(C.name, shorter), { field: 'keys.handovers' });

      // It stays so, for the honest primary too: nobody can know which of the two is honest.
      const reopened = await lab.open('C', { database: C.databasePath });
      expect(reopened.agent.status().frozen).to.deep.equal([keyId]);
      expect(B.agent.status().frozen).to.deep.equal([]);
      lab.network.drop();
      await lab.replicateAgain(B, keyId, reopened);
      const honest = await lab.until('M0');
      await expectRefusal(lab, reopened, 'FORK', () => lab.network.deliver(C.name, honest.octets), {
        field: 'keys.handovers',
      });
      const asked = await askHandover(reopened, keyId, A);
      expect(asked).to.have.property('code', 'UnsupportedOperationException');
      for (const region of lab.regions) expect(await useOf(lab, region, keyId)).to.equal('usable');
    },
  );

  attack(
    'a primary that sees another one with an equal number freezes its own key, and sends it no more',
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await keyEverywhere(lab);
      await handOver(lab, A, keyId, B);
      const toC = await forgeHandover(lab.signer(A), { keyId, from: A.name, to: C.name });
      const claim = await announceWith(lab, C, lastIntent(lab, A, B), { to: B, handovers: [toC] });
      const before = B.audit.records.length;
      await lab.network.deliver(B.name, claim);
      await lab.settle();
      expect(B.audit.records.slice(before).map(({ code }) => code)).to.deep.equal(['FORK']);
      lab.network.drop();
      await lab.replicateAgain(B, keyId, A);
      expect(lab.network.waiting).to.deep.equal([]);
      expect(await askHandover(B, keyId, A)).to.have.property('code', 'UnsupportedOperationException');
      expect(placeOf(B, keyId)).to.equal(`PRIMARY ${B.name} Enabled`);
    },
  );

  attack('a former primary has not the word any more, with its old hand-over or without', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    await handOver(lab, A, keyId, B);
    await handOver(lab, B, keyId, C);
    await expectPlaces(lab, keyId, C);
    const old = lastIntent(lab, B, A);
    for (const [by, handovers] of [
      [A, []],
      [B, handoversIn(old)],
    ] as const) {
      const replayed = await announceWith(lab, by, old, { to: by === A ? B : A, handovers });
      const at = by === A ? B : A;
      await expectRefusal(lab, at, 'ORIGIN', () => lab.network.deliver(at.name, replayed), { field: 'keys.handovers' });
    }
    // The same octets once more are a repetition: they are answered as they were, and change nothing.
    await lab.network.deliver(A.name, old.octets);
    await lab.run();
    await expectPlaces(lab, keyId, C);
  });

  attack('hand-overs by others than the primary, of another key or with one missing are refused', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    const other = await lab.createKey(A);
    const intent = lastIntent(lab, A, B);
    const byA = (content: Parameters<typeof forgeHandover>[1]): Promise<string> =>
      forgeHandover(lab.signer(A), content);
    const byC = (content: Parameters<typeof forgeHandover>[1]): Promise<string> =>
      forgeHandover(lab.signer(C), content);
    const toC = await byA({ keyId, from: A.name, to: C.name });
    const forgeries: readonly (readonly [
      code: 'ORIGIN' | 'KID_REGION' | 'SYNTAX' | 'TYP',
      handovers: readonly string[],
    ])[] = [
      // C names itself, in its own name and in A's.
      ['ORIGIN', [await byC({ keyId, from: C.name, to: C.name })]],
      ['KID_REGION', [await byC({ keyId, from: A.name, to: C.name })]],
      // A's word about another key, about another partition, and out of its turn.
      ['ORIGIN', [await byA({ keyId: other, from: A.name, to: C.name })]],
      ['ORIGIN', [await byA({ keyId, from: A.name, to: C.name, partition: 'aws-cn-lab' })]],
      ['ORIGIN', [await byA({ keyId, from: A.name, to: C.name, primaryGeneration: 2n })]],
      ['ORIGIN', [await byA({ keyId, from: A.name, to: C.name, primaryGeneration: 0n })]],
      // One is missing between two, or comes twice, or in the wrong order.
      ['ORIGIN', [toC, await byC({ keyId, from: C.name, to: C.name, primaryGeneration: 3n })]],
      ['SYNTAX', [toC, toC]],
      ['ORIGIN', [await byC({ keyId, from: C.name, to: C.name, primaryGeneration: 2n }), toC]],
      // What is no hand-over.
      ['TYP', [lab.roster.compact]],
    ];
    for (const [code, handovers] of forgeries) {
      const forged = await announceWith(lab, C, intent, { to: B, handovers });
      await expectRefusal(lab, B, code, () => lab.network.deliver(B.name, forged));
    }
    // Who the hand-over names is the one who may send it.
    const borrowed = await announceWith(lab, A, intent, { to: B, handovers: [toC] });
    await expectRefusal(lab, B, 'ORIGIN', () => lab.network.deliver(B.name, borrowed), { field: 'keys.keyId' });
    await expectPlaces(lab, keyId, A);
  });

  attack('a hand-over goes to the region that has agreed to it, in that very session, or nowhere', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    const asked = askHandover(A, keyId, B);
    const intent = await lab.until('M0');
    expect(partsOf(intent.octets).payload['keys']).to.have.nested.property('0.nextPrimary', B.name);
    // B is asked whether C may be the primary; a region is asked that has no such replica.
    const renamed = await resigned(intent.octets, lab.signer(A), (payload) =>
      put(payload, 'keys.0.nextPrimary', C.name),
    );
    await expectRefusal(lab, B, 'DST', () => lab.network.deliver(B.name, renamed), { field: 'keys.nextPrimary' });
    await lab.network.deliver(B.name, intent.octets);
    const transfer = await lab.until('M2');
    expect(placeOf(B, keyId)).to.equal(`REPLICA ${A.name} Updating`);
    expect(await useOf(lab, B, keyId)).to.equal('usable');
    // Whoever may sign as A cannot use the certificate in a session in which B was not asked for that.
    lab.network.drop();
    const unasked = await resigned(intent.octets, lab.signer(A), (payload) => {
      put(payload, 'keys.0.nextPrimary', undefined);
      put(payload, 'keys.0.gen', '91');
    });
    await lab.network.deliver(B.name, unasked);
    const offer = await lab.until('M1');
    const smuggled = await resigned(transfer.octets, lab.signer(A), (payload) => {
      put(payload, 'sid', partsOf(offer.octets).payload['sid']);
      put(payload, 'prev', partsOf(offer.octets).messageId);
      put(payload, 'keys.0.gen', '91');
    });
    await expectRefusal(lab, B, 'CONTEXT', () => lab.network.deliver(B.name, smuggled), {
      field: 'keys.ctx',
      ends: true,
    });
    expect(placeOf(B, keyId)).to.equal(`REPLICA ${A.name} Enabled`);
    // A's own session was replaced by the forged one, and A's generations are behind it now: the hand-over is undone, and can be asked for again.
    lab.network.drop();
    for (let round = 0; round < 4; round += 1) {
      await lab.pass(5_000);
      await lab.run();
    }
    expect(await asked).to.have.property('code', 'KMSInvalidStateException');
    await expectPlaces(lab, keyId, A);
    await handOver(lab, A, keyId, B);
    await expectPlaces(lab, keyId, B);
  });

  attack(
    'a region that does not answer changes nothing: the key is the primary’s again, and goes elsewhere',
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await keyEverywhere(lab);
      const asked = askHandover(A, keyId, B);
      await lab.until('M0');
      expect(placeOf(A, keyId)).to.equal(`REPLICA ${A.name} Updating`);
      expect(await useOf(lab, A, keyId)).to.equal('usable');
      expect(A.agent.status().handovers).to.deep.equal([{ keyId, destination: B.name, state: 'ASKED' }]);
      await lab.pass(1);
      await lab.pass(60_000);
      expect(await asked).to.have.property('code', 'KMSInvalidStateException');
      expect(placeOf(A, keyId)).to.equal(`PRIMARY ${A.name} Enabled`);
      await lab.run();
      await expectPlaces(lab, keyId, A);
      await handOver(lab, A, keyId, C);
      await expectPlaces(lab, keyId, C);
    },
  );

  attack(
    'a region that was sent the certificate decides alone: without its word there is no primary, and no second',
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await keyEverywhere(lab);
      void askHandover(A, keyId, B);
      await lab.until('M2');
      lab.network.drop();
      for (let round = 0; round < 5; round += 1) {
        await lab.pass(3_600_000);
        lab.network.drop();
      }
      expect(A.agent.status().handovers).to.deep.equal([{ keyId, destination: B.name, state: 'IN_DOUBT' }]);
      expect(placeOf(A, keyId)).to.equal(`REPLICA ${A.name} Updating`);
      expect(await useOf(lab, A, keyId)).to.equal('usable');
      expect(await askHandover(A, keyId, C)).to.have.property('code', 'KMSInvalidStateException');
      // B's offer has ended meanwhile, and B says so: the key is handed over anew.
      for (let round = 0; round < 6; round += 1) {
        await lab.pass(86_400_001);
        await lab.run();
      }
      await expectPlaces(lab, keyId, B);
    },
  );

  attack('a replica that is not enabled does not become the primary, and the caller is told', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    B.store.setState(keyId as never, 'Disabled', null);
    const asked = askHandover(A, keyId, B);
    await lab.run();
    expect(await asked).to.include({
      code: 'KMSInvalidStateException',
      message: `arn:aws-lab:kms:${B.name}:111122223333:key/${keyId} is not enabled.`,
    });
    expect(B.audit.refusals()).to.deep.equal(['NOT_ENABLED']);
    expect(placeOf(A, keyId)).to.equal(`PRIMARY ${A.name} Enabled`);
    B.store.setState(keyId as never, 'Enabled', null);
    await handOver(lab, A, keyId, C);
    await expectPlaces(lab, keyId, C);
  });

  attack('lost confirmations and a revoked key of the new primary end in one primary that both know', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    const next = await B.token.hsm.generateSigningKey();
    try {
      const added = await lab.issue([{ change: 'add-rsk', enrolment: await lab.enrolment('B', next) }]);
      const active = await lab.issue([{ change: 'activate-rsk', region: B.name, kid: next.kid }], added);
      for (const region of lab.regions) region.agent.applyRosters([added.compact, active.compact]);
      const asked = askHandover(A, keyId, B);
      await lab.until('M3');
      lab.network.drop();
      const places = [placeOf(A, keyId), placeOf(B, keyId)];
      expect(places).to.deep.equal([`REPLICA ${A.name} Updating`, `PRIMARY ${B.name} Enabled`]);
      // The key that B has signed its confirmation with is revoked: A gives the session up, and not the hand-over.
      const revoked = await lab.issue([{ change: 'revoke-rsk', region: B.name, kid: next.kid }], active);
      for (const region of lab.regions) region.agent.applyRosters([revoked.compact]);
      lab.roster = revoked;
      await lab.settle();
      expect(A.agent.status().handovers).to.deep.equal([{ keyId, destination: B.name, state: 'IN_DOUBT' }]);
      for (let round = 0; round < 4; round += 1) {
        await lab.run();
        await lab.pass(5_000);
      }
      await asked;
      await expectPlaces(lab, keyId, B);
      expect(C.agent.status().frozen).to.deep.equal([]);
    } finally {
      await B.token.hsm.destroySigningKey(next.kid);
    }
  });

  for (const end of ['remove-rsk', 'revoke-rsk'] as const) {
    attack(
      `certificates outlive the key that they were signed with, ${end === 'remove-rsk' ? 'removed' : 'revoked'}: their region signs them again for the new primary`,
      async (lab) => {
        const { A, B } = lab;
        const first = await A.token.hsm.generateSigningKey();
        try {
          const added = await lab.issue([{ change: 'add-rsk', enrolment: await lab.enrolment('A', first) }]);
          const active = await lab.issue([{ change: 'activate-rsk', region: A.name, kid: first.kid }], added);
          for (const region of lab.regions) region.agent.applyRosters([added.compact, active.compact]);
          const keyId = await lab.createKey(A);
          await lab.replicate(A, keyId, B);
          await lab.run();
          await handOver(lab, A, keyId, B);
          const kidOf = (compact: string): unknown => partsOf(compact).header['kid'];
          expect(handoversIn(lastIntent(lab, B, A)).map(kidOf)).to.deep.equal([first.kid]);

          const change = { region: A.name, kid: first.kid } as const;
          const retired =
            end === 'remove-rsk' ? await lab.issue([{ change: 'retire-rsk', ...change }], active) : active;
          const ended = await lab.issue([{ change: end, ...change }], retired);
          for (const region of [A, B]) region.agent.applyRosters([retired.compact, ended.compact]);
          lab.roster = ended;
          await lab.run();
          // A region that knows the newest roster only, as one that has just joined.
          const C = await lab.open('C', { database: join(dirname(B.databasePath), `joined-${end}.db`) });
          await lab.replicate(B, keyId, C);
          await lab.run();
          const intent = lastIntent(lab, B, C);
          expect(handoversIn(intent).map(kidOf)).to.deep.equal([A.kid]);
          expect(kidOf((partsOf(intent.octets).payload['keys'] as { birthCert: string }[])[0]!.birthCert)).to.equal(
            A.kid,
          );
          expect(placeOf(C, keyId)).to.equal(`REPLICA ${B.name} Enabled`);
          expect(await useOf(lab, C, keyId)).to.equal('usable');
          expect(
            [A, B, C].map((region) => region.audit.records.filter(({ code }) => !code.startsWith('REPL_'))),
          ).to.deep.equal([[], [], []]);
        } finally {
          await A.token.hsm.destroySigningKey(first.kid);
        }
      },
    );
  }

  attack('a region that signs certificates again cannot change what they say', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await keyEverywhere(lab);
    await handOver(lab, A, keyId, B);
    const other = await lab.createKey(A);
    await lab.replicate(A, other, C);
    const birthOfOther = (partsOf((await lab.until('M0')).octets).payload['keys'] as { birthCert: string }[])[0]!
      .birthCert;
    lab.network.drop();
    const forgeries = [
      [await forgeHandover(lab.signer(A), { keyId, from: A.name, to: C.name })],
      [await forgeHandover(lab.signer(A), { keyId, from: A.name, to: B.name, primaryGeneration: 2n })],
      [await forgeHandover(lab.signer(C), { keyId, from: A.name, to: B.name })],
      [birthOfOther],
      [lab.roster.compact],
    ];
    for (const certs of forgeries) {
      await lab.replicateAgain(B, keyId, A);
      await lab.network.deliver(A.name, (await lab.until('M0')).octets);
      const offer = await lab.until('M1');
      const forged = await resigned(offer.octets, lab.signer(A), (payload) => put(payload, 'keys.0.certs', certs));
      const before = B.audit.records.length;
      await lab.network.deliver(B.name, forged);
      await lab.settle();
      const [refusal] = B.audit.records.slice(before).filter(({ code }) => !code.startsWith('REPL_'));
      expect(refusal?.code).to.be.oneOf(['ORIGIN', 'KID_REGION', 'TYP']);
      // B has acted on an offer that A has not made: that session ends with A's, and a new one is good.
      for (let round = 0; round < 3; round += 1) {
        await lab.run();
        await lab.pass(601_000);
      }
      await lab.run();
      await expectPlaces(lab, keyId, B);
    }
    expect(handoversIn(lastIntent(lab, B, A)).map((compact) => partsOf(compact).payload['to'])).to.deep.equal([B.name]);
  });
});
