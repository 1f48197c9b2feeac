import { expect } from 'chai';
import { attacksOn, expectRefusal, useOf } from '../support/attack.js';
import { CompromisedHsm } from '../support/compromised_hsm.js';
import { get, partsOf, put, resigned, tampered } from '../support/forgery.js';
import { openLabToken } from '../support/lab_token.js';

const WEAKEST = 'CBCDERIVE-A256KWP';
const STRONG = 'HKDF384-A256KWP';

describe('an adversary who wants a weaker suite', function () {
  this.timeout(120_000);
  // Both on the token that has more than one suite: a downgrade needs a choice.
  const tokens = () => ({ A: () => openLabToken('nss'), B: () => openLabToken('nss') });
  const attack = attacksOn(tokens);

  attack('A22 strong suites cannot be stripped from the list of either side', async (lab) => {
    const { A, B } = lab;
    await lab.replicate(A, await lab.createKey(A), B);
    const intent = await lab.until('M0');
    expect(get(partsOf(intent.octets).payload, 'suitesS.0'), 'the best suite of the source').to.equal(STRONG);
    const strippedIntent = tampered(intent.octets, (payload) => put(payload, 'suitesS', [WEAKEST]));
    await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, strippedIntent));
    await lab.network.deliver(B.name, intent.octets);
    const offer = await lab.until('M1');
    const strippedOffer = tampered(offer.octets, (payload) => put(payload, 'suitesD', [WEAKEST]));
    await expectRefusal(lab, A, 'SIG_INVALID', () => lab.network.deliver(A.name, strippedOffer));
    // With B's stolen key A believes the list, and B does not take what answers an offer that it did not make.
    const forgedOffer = await resigned(offer.octets, lab.signer(B), (payload) => put(payload, 'suitesD', [WEAKEST]));
    await lab.network.deliver(A.name, forgedOffer);
    const transfer = await lab.until('M2');
    expect(partsOf(transfer.octets).payload['suite']).to.equal(WEAKEST);
    await expectRefusal(lab, B, 'PREV', () => lab.network.deliver(B.name, transfer.octets));
  });

  attack(
    'A22 a destination that only has a suite below the floor is refused by the source, and refuses by itself',
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const intent = await lab.until('M0');
      expect(partsOf(intent.octets).payload['policyFloor']).to.equal(STRONG);
      await lab.network.deliver(B.name, intent.octets);
      const offer = await lab.until('M1');
      const weak = await resigned(offer.octets, lab.signer(B), (payload) => put(payload, 'suitesD', [WEAKEST]));
      await expectRefusal(lab, A, 'FLOOR', () => lab.network.deliver(A.name, weak), { field: 'suites', ends: true });
      await lab.run();
      expect(await useOf(lab, B, keyId)).to.equal('NotFoundException');
      await lab.open('B', { database: B.databasePath, hsm: (real) => new CompromisedHsm(real, [WEAKEST]) });
      lab.network.drop();
      await lab.replicate(A, await lab.createKey(A), lab.B);
      const next = await lab.until('M0');
      await expectRefusal(lab, lab.B, 'FLOOR', () => lab.network.deliver(B.name, next.octets), { field: 'suites' });
      await lab.run();
    },
    () => ({ floor: STRONG }),
  );

  attack(
    'A22 an intent with another floor than the roster says is refused',
    async (lab) => {
      const { A, B } = lab;
      await lab.replicate(A, await lab.createKey(A), B);
      const intent = await lab.until('M0');
      const lowered = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 'policyFloor', WEAKEST));
      await expectRefusal(lab, B, 'FLOOR', () => lab.network.deliver(B.name, lowered), { field: 'policyFloor' });
    },
    () => ({ floor: STRONG }),
  );

  attack('A23 a transfer by any suite but the best common one is refused before the token is asked', async (lab) => {
    const { A, B } = lab;
    for (const suite of ['X963-A256KWP', WEAKEST, 'OSKDF-A256KWP']) {
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const transfer = await lab.until('M2');
      const steps: string[] = [];
      const stop = B.agent.observe((event) => {
        if (event.kind === 'token') steps.push(event.step);
      });
      const weaker = await resigned(transfer.octets, lab.signer(A), (payload) => put(payload, 'suite', suite));
      await expectRefusal(lab, B, 'SUITE_CHOICE', () => lab.network.deliver(B.name, weaker), {
        field: 'suite',
        ends: true,
      });
      stop();
      expect(steps, 'token steps').to.deep.equal(['sign', 'release']);
      expect(await useOf(lab, B, keyId)).to.equal('NotFoundException');
      await lab.run();
    }
  });

  attack('A23 a suite that no version knows, and the retired name of one, are refused', async (lab) => {
    const { A, B } = lab;
    await lab.replicate(A, await lab.createKey(A), B);
    const transfer = await lab.until('M2');
    for (const suite of ['SW-A256KWP', 'X963-A256KW', 'hkdf384-a256kwp', '', null]) {
      const forged = await resigned(transfer.octets, lab.signer(A), (payload) => put(payload, 'suite', suite));
      await expectRefusal(lab, B, 'SYNTAX', () => lab.network.deliver(B.name, forged), { field: 'suite' });
    }
    await lab.network.deliver(B.name, transfer.octets);
    await lab.run();
  });
});
