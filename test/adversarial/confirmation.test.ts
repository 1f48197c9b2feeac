import { createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { attacksOn, expectRefusal, standingOf } from '../support/attack.js';
import type { AttackLab } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { CompromisedHsm, type Revealed } from '../support/compromised_hsm.js';
import { put, resigned } from '../support/forgery.js';

describe('an adversary who owns the destination and confirms what is not so', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));
  let hsm: CompromisedHsm;
  const compromised = () => ({
    ports: {
      B: {
        hsm: (real: ConstructorParameters<typeof CompromisedHsm>[0]) => {
          hsm = new CompromisedHsm(real);
          return hsm;
        },
      },
    },
  });

  /** The destination plays an honest one, but A keeps its material in its token, so that nothing can be known of it here. */
  async function confirmOf(
    lab: AttackLab,
  ): Promise<{ keyId: string; confirm: Uint8Array; sealed: Uint8Array; revealed: Revealed }> {
    const keyId = await lab.createKey(lab.A);
    let sealed: Uint8Array = new Uint8Array();
    hsm.deviations = {
      confirmation: (_revealed, octets) => {
        if (Buffer.from(octets).subarray(0, 6).toString() === 'KC_2_V') sealed = Uint8Array.from(octets);
        return undefined;
      },
    };
    await lab.replicate(lab.A, keyId, lab.B);
    const { octets } = await lab.until('M3');
    return { keyId, confirm: octets, sealed, revealed: hsm.revealed.at(-1)! };
  }

  attack(
    'A46 the source takes no confirmation of another transcript, under another key, or none',
    async (lab) => {
      const { A, B } = lab;
      const earlier = await confirmOf(lab);
      await lab.network.deliver(A.name, earlier.confirm);
      lab.network.drop();
      const { keyId, confirm, sealed, revealed } = await confirmOf(lab);
      const mac = (key: Uint8Array, octets: Uint8Array): string =>
        createHmac('sha384', key).update(octets).digest('base64url');
      const wrong: Record<string, unknown> = {
        'over another transcript, under the right KCK': mac(revealed.kck, earlier.sealed),
        'over the right transcript, under the KCK of another session': mac(earlier.revealed.kck, sealed),
        'under RWK': mac(revealed.rwk, sealed),
        'under Z': mac(revealed.z, sealed),
        'of the other direction': mac(revealed.kck, Buffer.concat([Buffer.from('KC_2_U'), sealed.subarray(6)])),
        'that was right in the session before': mac(earlier.revealed.kck, earlier.sealed),
        random: randomBytes(48).toString('base64url'),
        absent: undefined,
        empty: '',
        null: null,
        short: Buffer.from(mac(revealed.kck, sealed), 'base64url').subarray(0, 32).toString('base64url'),
      };
      for (const [name, value] of Object.entries(wrong)) {
        const forged = await resigned(confirm, lab.signer(B), (payload) => put(payload, 'kcD', value));
        await expectRefusal(lab, A, 'KC', () => lab.network.deliver(A.name, forged), { field: 'kcD' }).catch(
          (error: unknown) => {
            throw new Error(`a confirmation that is ${name}`, { cause: error });
          },
        );
      }
      expect(
        A.agent.status().outgoing.map(({ state }) => state),
        'the source stays in doubt',
      ).to.deep.equal(['SENT']);
      expect(standingOf(A, keyId, B)).to.equal('REPLICATING');
      await lab.network.deliver(A.name, confirm);
      expect(standingOf(A, keyId, B)).to.equal('ACTIVE');
    },
    compromised,
  );

  attack(
    'A46 the source takes no confirmation of other keys, generations or materials than it sent',
    async (lab) => {
      const { A, B } = lab;
      const { confirm } = await confirmOf(lab);
      for (const [path, value] of [
        ['keys.0.keyId', `mrk-${'0'.repeat(32)}`],
        ['keys.0.gen', '2'],
        ['keys.0.installed', ['0'.repeat(64)]],
      ] as const) {
        const forged = await resigned(confirm, lab.signer(B), (payload) => put(payload, path, value));
        await expectRefusal(lab, A, 'CONTEXT', () => lab.network.deliver(A.name, forged), { field: 'keys' });
      }
      await lab.network.deliver(A.name, confirm);
      expect(A.agent.status().outgoing).to.deep.equal([]);
    },
    compromised,
  );
});
