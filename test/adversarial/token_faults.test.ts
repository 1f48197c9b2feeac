import { utf8 } from '../../src/bytes.js';
import { expect } from 'chai';
import { EPHEMERAL_LABEL } from '../../src/hsm/strategy/agreement.js';
import { CKA_LABEL, CKA_TOKEN } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { attacksOn, expectRefusal, useOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { labKinds, labTokens, openLabToken } from '../support/lab_token.js';
import { CompromisedHsm } from '../support/compromised_hsm.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';

const CBC_ENCRYPT_DATA = '1105';

describe('an adversary who makes the token lie, or takes a mechanism away', function () {
  this.timeout(120_000);
  let faulty: FaultyToken;
  const attack = attacksOn(() => ({
    ...labTokens(['B']),
    A: async () => {
      faulty = await makeFaultyToken(labKinds().A);
      return openLabToken(faulty);
    },
  }));
  afterEach(() => faulty.setFaults());

  /** Brings a session to where a message to the faulty region waits: its offer where it is the source, the transfer where it is not. */
  async function untilFaulty(
    lab: AttackLab,
    role: 'source' | 'destination',
  ): Promise<{ keyId: string; octets: Uint8Array; other: LabRegion }> {
    const [from, to] = role === 'source' ? [lab.A, lab.B] : [lab.B, lab.A];
    const keyId = await lab.createKey(from);
    await lab.replicate(from, keyId, to);
    const message = await lab.until(role === 'source' ? 'M1' : 'M2');
    return { keyId, octets: message.octets, other: lab.B };
  }

  attack('A10 an offer of an earlier session makes the token generate no key pair', async (lab) => {
    const { A, B } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    await lab.run();
    const [old] = lab.network.seen.filter((message) => message.label === 'M1');
    const before = faulty.callCount('C_GenerateKeyPair');
    expect(before, 'the agreement key of the honest session was counted').to.be.greaterThan(0);
    for (let time = 0; time < 10; time += 1) {
      await expectRefusal(lab, A, 'PREV', () => lab.network.deliver(A.name, old!.octets));
    }
    expect(faulty.callCount('C_GenerateKeyPair')).to.equal(before);
  });

  for (const role of ['source', 'destination'] as const) {
    attack(
      `A24 a derivation that vanishes in the middle ends the session at the ${role}, and nothing weaker is tried`,
      async (lab) => {
        const { keyId, octets } = await untilFaulty(lab, role);
        const steps: string[] = [];
        const stop = lab.A.agent.observe((event) => {
          if (event.kind === 'token' && event.step === 'agree') steps.push(`${event.strategy} ${event.outcome}`);
        });
        faulty.setFaults(`C_DeriveKey * no-mechanism ${CBC_ENCRYPT_DATA}`);
        await expectRefusal(lab, lab.A, 'MECHANISM', () => lab.network.deliver(lab.A.name, octets), { ends: true });
        stop();
        faulty.setFaults();
        expect(steps.length, 'agreements that were tried').to.be.at.most(1);
        const abort = lab.network.waiting.find((message) => message.label === 'MX');
        expect(abort?.to, 'the peer is told').to.equal(lab.B.name);
        await lab.run();
        const there = role === 'source' ? lab.B : lab.A;
        expect(await useOf(lab, there, keyId)).to.equal('NotFoundException');
        expect(await lab.B.token.hsm.ephemeralCount()).to.equal(0);
      },
    );

    attack(`A44 signatures and MACs with a wrong bit stop the region as ${role}`, async (lab) => {
      const { keyId, octets } = await untilFaulty(lab, role);
      faulty.setFaults('C_Sign * flip');
      const before = lab.A.audit.records.length;
      await lab.network.deliver(lab.A.name, octets);
      faulty.setFaults();
      const refusals = lab.A.audit.records.slice(before).filter((record) => !record.code.startsWith('REPL_'));
      // The destination compares MACs before it signs anything.
      expect(refusals.map((record) => record.code)).to.deep.equal(
        role === 'source' ? ['SELFTEST'] : ['SELFTEST', 'KC'],
      );
      expect(lab.A.agent.status().state).to.equal('ERROR');
      expect(
        lab.network.waiting.filter((message) => message.from === lab.A.name),
        'what left the region',
      ).to.deep.equal([]);
      const records = lab.A.audit.records.length;
      await lab.network.deliver(lab.A.name, octets);
      expect(lab.A.audit.records, 'a region in ERROR handles nothing').to.have.lengthOf(records);
      const there = role === 'source' ? lab.B : lab.A;
      expect(await useOf(lab, there, keyId)).to.not.equal('usable');
      await revive(lab);
    });

    attack(
      `A45 an object that survives its destruction is noticed at the ${role} and ends the session`,
      async (lab) => {
        const { keyId, octets } = await untilFaulty(lab, role);
        const before = lab.A.audit.records.length;
        faulty.setFaults('C_DestroyObject * silent');
        await lab.network.deliver(lab.A.name, octets);
        faulty.setFaults();
        const refusals = lab.A.audit.records.slice(before).filter((record) => !record.code.startsWith('REPL_'));
        expect(refusals.map((record) => record.code)).to.deep.equal(['DESTROY_CHECK']);
        expect(
          lab.network.waiting.map((message) => message.label),
          'the session ends',
        ).to.deep.equal(['MX']);
        expect((await lab.A.token.hsm.describe()).undestroyed).to.be.greaterThan(0);
        await lab.run();
        const there = role === 'source' ? lab.B : lab.A;
        expect(await useOf(lab, there, keyId)).to.equal('NotFoundException');
        await destroyWhatStayed(lab.A);
      },
    );
  }

  let repeating: CompromisedHsm;
  attack(
    'A44 an agreement key that the token makes a second time stops the region, with one line of audit',
    async (lab) => {
      const { A, B } = lab;
      repeating.deviations = { privateKey: Buffer.alloc(48, 7) };
      await lab.replicate(A, await lab.createKey(A), B);
      await lab.network.deliver(B.name, (await lab.until('M0')).octets);
      lab.network.drop();
      await lab.replicate(A, await lab.createKey(A), B);
      const intent = await lab.until('M0');
      await expectRefusal(lab, B, 'SELFTEST', () => lab.network.deliver(B.name, intent.octets));
      expect(B.agent.status().state).to.equal('ERROR');
      expect(lab.network.waiting).to.deep.equal([]);
    },
    () => ({ ports: { B: { hsm: (real) => (repeating = new CompromisedHsm(real)) } } }),
  );

  for (const [role, calls] of [
    ['source', ['C_DeriveKey', 'C_Sign', 'C_WrapKey']],
    ['destination', ['C_DeriveKey', 'C_Sign', 'C_UnwrapKey', 'C_Encrypt', 'C_WrapKey']],
  ] as const) {
    for (const call of calls) {
      attack(
        `A44 no ${call} with a wrong bit at the ${role} leads to a replica that is not the key`,
        async (lab, note) => {
          const outcomes: string[] = [];
          for (let nth = 1; nth <= 20; nth += 1) {
            await lab.begin();
            const { keyId, octets } = await untilFaulty(lab, role);
            const begun = faulty.callCount(call);
            const before = lab.regions.map((region) => region.audit.records.length);
            faulty.setFaults(`${call} ${nth} flip`);
            await lab.network.deliver(lab.A.name, octets);
            faulty.setFaults();
            if (faulty.callCount(call) - begun < nth) break;
            await lab.run();
            const codes = lab.regions.flatMap((region, at) =>
              region.audit.records
                .slice(before[at])
                .filter((record) => !record.code.startsWith('REPL_'))
                .map((record) => `${record.code} in ${region.letter}`),
            );
            const state = lab.A.agent.status().state;
            if (state === 'ERROR') await revive(lab);
            const [from, there] = role === 'source' ? [lab.A, lab.B] : [lab.B, lab.A];
            const blob = await lab.encrypt(from, keyId, 'the key');
            const use = await useOf(lab, there, keyId);
            outcomes.push(`${codes.join(' and ') || 'nothing'}, ${use}`);
            // A call that the token refuses for its changed parameter is tried again; what comes of that is the key itself.
            if (use === 'usable') expect(await lab.decrypt(there, blob), outcomes.at(-1)).to.equal('the key');
            else expect(codes, `${call} number ${nth}`).to.not.deep.equal([]);
            expect(use).to.be.oneOf(['usable', 'NotFoundException', 'KMSInvalidStateException']);
            expect(state === 'ERROR', 'stopped exactly where a self-test failed').to.equal(
              codes.includes('SELFTEST in A'),
            );
            await revive(lab);
          }
          expect(outcomes.length, 'calls that were tampered with').to.be.greaterThan(0);
          note(outcomes.map((outcome, at) => `${at + 1}: ${outcome}`).join('; '));
        },
      );
    }
  }

  /** The operator's way back from ERROR: a new HSM, whose self-tests pass, and a region on it. */
  async function revive(lab: AttackLab): Promise<void> {
    const { databasePath } = lab.A;
    await lab.A.agent.stop();
    await destroyWhatStayed(lab.A, template([CKA_TOKEN, false]));
    await lab.reopenHsm('A');
    await lab.open('A', { database: databasePath });
  }

  async function destroyWhatStayed(
    region: LabRegion,
    which = template([CKA_LABEL, utf8(EPHEMERAL_LABEL)]),
  ): Promise<void> {
    const search = new Job('find what stayed', 'test');
    const found = search.findObjects(which, 100);
    const handles = (await region.token.executor.run(search)).handles(found);
    for (const handle of handles) {
      const job = new Job('destroy what stayed', 'test');
      job.destroyObject(handle);
      await region.token.executor.run(job);
    }
  }
});
