import { expect } from 'chai';
import { attacksOn, expectRefusal, useOf, standingOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { partsOf, put, resigned, signTexts, softwareSigner } from '../support/forgery.js';
import type { RefusalCode } from '../../src/wire/refusal.js';

/** MX that carries rosters, signed by a region that is in the roster. */
async function carrier(lab: AttackLab, from: LabRegion, to: LabRegion, rosters: readonly string[]): Promise<Buffer> {
  const payload = {
    v: 1,
    t: 'mrkr1-abort+jws',
    part: 'aws-lab',
    sid: null,
    seq: 5,
    iss: from.name,
    dst: to.name,
    role: 'D',
    epoch: lab.roster.epoch.toString(),
    rosterHash: lab.roster.hash,
    prev: null,
    iat: 0,
    exp: 1,
    intent: null,
    code: 'EPOCH_STALE',
    state: 'UNKNOWN',
    highWater: null,
    rosters,
  };
  return signTexts(lab.signer(from), { alg: 'ES384', kid: from.kid, typ: 'mrkr1-abort+jws' }, payload);
}

describe('an adversary who brings rosters, or keeps them back', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B', 'C']));

  attack(
    'A28 older, forked, skipping and wrongly signed rosters are refused from an operator and from a region',
    async (lab) => {
      const { A, B, C } = lab;
      const first = lab.roster;
      const floorOf = (region: string, suiteFloor: 'HKDF384-A256KWP' | 'X963-A256KWP') =>
        [{ change: 'set-floor', region, suiteFloor }] as const;
      const second = await lab.issue([{ change: 'revoke-rsk', region: C.name, kid: C.kid }]);
      for (const region of lab.regions) region.agent.applyRosters([second.compact]);
      const enrolments = await Promise.all(
        (['A', 'C'] as const).map((letter) => lab.enrolment(letter, lab.region(letter))),
      );
      const older = await lab.issue(
        enrolments.map((enrolment) => ({ change: 'enrol', enrolment, suiteFloor: 'CBCDERIVE-A256KWP' })),
        null,
      );
      const fork = await lab.issue(floorOf(A.name, 'X963-A256KWP'), first);
      const third = await lab.issue(floorOf(A.name, 'X963-A256KWP'), second);
      const fourth = await lab.issue(floorOf(A.name, 'HKDF384-A256KWP'), third);
      const onFork = await lab.issue(floorOf(A.name, 'HKDF384-A256KWP'), fork);
      const stranger = softwareSigner();
      const otherAuthority = await lab.issue(floorOf(A.name, 'X963-A256KWP'), second, stranger);
      const parts = partsOf(third.compact);
      const byStranger = (await signTexts(stranger, parts.header, parts.payload)).toString();
      const byRegion = (await resigned(third.compact, lab.signer(A))).toString();
      const refused: [string, string, RefusalCode, string][] = [
        ['an older epoch with other content', older.compact, 'ROSTER_ROLLBACK', 'epoch'],
        ['the same epoch with other content', fork.compact, 'ROSTER_FORK', 'epoch'],
        ['an epoch too far', fourth.compact, 'ROSTER_CHAIN', 'epoch'],
        ['a successor of a fork', onFork.compact, 'ROSTER_CHAIN', 'prevRosterHash'],
        ['another authority', otherAuthority.compact, 'ROSTER_SIG', 'kid'],
        ["the authority's kid on another signature", byStranger, 'ROSTER_SIG', 'signature'],
        ["a region's signature", byRegion, 'ROSTER_SIG', 'kid'],
      ];
      lab.roster = second;
      for (const [name, compact, code, field] of refused) {
        await expectRefusal(lab, B, code, async () => B.agent.applyRosters([compact]), { field }).catch(
          (error: unknown) => {
            throw new Error(name, { cause: error });
          },
        );
        const message = await carrier(lab, A, B, [compact]);
        await expectRefusal(lab, B, code, () => lab.network.deliver(B.name, message), { field });
        expect(B.agent.status()).to.include({ epoch: '2', rosterHash: second.hash });
      }
      // What was accepted once is known, and comes to nothing.
      expect(B.agent.applyRosters([first.compact, second.compact])).to.deep.equal({ applied: 0, refusal: null });
      expect(B.agent.status().rosterHash).to.equal(second.hash);
      // The true successor comes the same way.
      await lab.network.deliver(B.name, await carrier(lab, A, B, [third.compact, fourth.compact]));
      expect(B.agent.status()).to.include({ epoch: '4', rosterHash: fourth.hash });
      A.agent.applyRosters([third.compact, fourth.compact]);
      lab.roster = fourth;
      const back = await lab.issue([{ change: 'set-floor', region: A.name, suiteFloor: 'CBCDERIVE-A256KWP' }]);
      for (const region of [A, B]) region.agent.applyRosters([back.compact]);
    },
  );

  attack(
    'A29 a region from which the newest roster is kept back still talks to a revoked one, until anybody else speaks to it',
    async (lab) => {
      const { A, B, C } = lab;
      const revoked = await lab.issue([{ change: 'revoke-rsk', region: C.name, kid: C.kid }]);
      A.agent.applyRosters([revoked.compact]);
      const frozen = await lab.createKey(C);
      await lab.replicate(C, frozen, B);
      await lab.run();
      expect(await useOf(lab, B, frozen), 'the residual risk').to.equal('usable');
      const second = await lab.createKey(C);
      await lab.replicate(C, second, B);
      const late = await lab.until('M2');
      // A, which knows better, wants to replicate a key of its own.
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const intent = await lab.until('M0');
      await lab.network.deliver(B.name, intent.octets);
      expect(B.audit.refusals(), 'the alarm').to.deep.equal(['EPOCH_AHEAD']);
      await lab.run();
      expect(B.agent.status()).to.include({ epoch: '2', rosterHash: revoked.hash });
      expect(
        B.audit.records.some((record) => record.code === 'REPL_ROSTER' && record.detail.startsWith('epoch 2')),
      ).to.equal(true);
      expect(await useOf(lab, B, keyId)).to.equal('usable');
      expect(B.journal.destinationSession(String(partsOf(late.octets).payload['sid']))?.state).to.equal('ABORTED');
      await expectRefusal(lab, B, 'KID_STATE', () => lab.network.deliver(B.name, late.octets), { field: 'kid' });
      expect(await useOf(lab, B, second)).to.equal('NotFoundException');
    },
  );

  attack(
    'A30 a confirmation by another key of its region is accepted only where that key was active at the epoch of the session',
    async (lab) => {
      const { A, B } = lab;
      const made = await B.token.hsm.generateSigningKey();
      try {
        const added = await lab.issue([{ change: 'add-rsk', enrolment: await lab.enrolment('B', made) }]);
        for (const region of lab.regions) region.agent.applyRosters([added.compact]);
        const pendingKey = await lab.createKey(A);
        await lab.replicate(A, pendingKey, B);
        const confirm = await lab.until('M3');
        const byPending = await resigned(confirm.octets, lab.signer(B, made.kid));
        await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, byPending), { field: 'kid' });
        const active = await lab.issue([{ change: 'activate-rsk', region: B.name, kid: made.kid }], added);
        for (const region of lab.regions) region.agent.applyRosters([active.compact]);
        // Active by now; the session's epoch is the one before.
        await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, byPending), { field: 'kid' });
        const moved = await resigned(confirm.octets, lab.signer(B, made.kid), (payload) => {
          put(payload, 'epoch', active.epoch.toString());
          put(payload, 'rosterHash', active.hash);
        });
        await expectRefusal(lab, A, 'EPOCH', () => lab.network.deliver(A.name, moved), { field: 'epoch' });
        await lab.network.deliver(A.name, confirm.octets);
        lab.network.drop();

        const keyId = await lab.createKey(A);
        await lab.replicate(A, keyId, B);
        const offer = await lab.until('M1');
        expect(partsOf(offer.octets).header['kid'], 'the newest key signs').to.equal(made.kid);
        await lab.network.deliver(A.name, offer.octets);
        const rotated = await lab.until('M3');
        const byOther = await resigned(rotated.octets, lab.signer(B));
        await lab.network.deliver(A.name, byOther);
        expect(standingOf(A, keyId, B)).to.equal('ACTIVE');
        lab.network.drop();
        const retired = await lab.issue([{ change: 'retire-rsk', region: B.name, kid: made.kid }], active);
        for (const region of lab.regions) region.agent.applyRosters([retired.compact]);
      } finally {
        await B.token.hsm.destroySigningKey(made.kid);
      }
    },
  );
});
