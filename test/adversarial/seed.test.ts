import { createECDH, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { lengthPrefixed, utf8 } from '../../src/bytes.js';
import { expectedKey } from '../../src/hsm/strategy/software_agreement.js';
import { attacksOn, useOf, standingOf, recordOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { openLabToken } from '../support/lab_token.js';
import { materialIdOf, wrapKwp } from '../support/compromised_hsm.js';
import { partsOf, resigned, signTexts } from '../support/forgery.js';

/** What the proxy puts around the signed steps of profile `seed`; nobody signs it. */
interface Routed {
  readonly to: string;
  readonly kind: string;
  readonly keyId: string;
  readonly from: string;
  readonly jws: string;
  readonly context: string;
  readonly birth: string;
}

function routedOf(message: { readonly to: string; readonly octets: Uint8Array }): Routed {
  const [, kind = '', keyId = '', from = '', jws = '', context = '', birth = ''] = Buffer.from(message.octets)
    .toString()
    .split(' ');
  return { to: message.to, kind, keyId, from, jws, context, birth };
}

const octetsOf = (routed: Omit<Routed, 'to'>): Buffer =>
  Buffer.from(['seed', routed.kind, routed.keyId, routed.from, routed.jws, routed.context, routed.birth].join(' '));

describe('the same adversary against the five steps alone (profile seed), where the attacks succeed', function () {
  this.timeout(120_000);
  // Of these kinds whatever the others are: the adversary needs B to have the suite that A chooses for C.
  const attack = attacksOn(() => ({
    A: () => openLabToken('softhsm2'),
    B: () => openLabToken('nss'),
    C: () => openLabToken('softhsm2'),
  }));
  const seed = () => ({ profile: 'seed' as const });

  /** Asks a region for an offer in somebody's name, which nobody checks. */
  async function offerOf(lab: AttackLab, region: LabRegion, keyId: string, from: LabRegion): Promise<Routed> {
    await lab.network.deliver(
      region.name,
      octetsOf({ kind: 'order', keyId, from: from.name, jws: '-', context: '-', birth: '-' }),
    );
    const offer = lab.network.waiting.pop();
    if (offer === undefined) throw new Error('no offer was made');
    return routedOf(offer);
  }

  attack(
    "A18 C re-signs B's offer as its own, and B gets a key that A sent to C alone",
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await lab.createKey(A);
      const blob = await lab.encrypt(A, keyId, 'for C alone');
      await lab.replicate(A, keyId, C);
      lab.network.drop();
      const offer = await offerOf(lab, B, keyId, A);
      const stolen = (await resigned(offer.jws, lab.signer(C))).toString();
      await lab.network.deliver(A.name, octetsOf({ ...offer, from: C.name, jws: stolen }));
      const transfer = lab.network.waiting.pop()!;
      expect(transfer.to, 'A sends it to C').to.equal(C.name);
      await lab.network.deliver(B.name, transfer.octets);
      expect(await lab.decrypt(B, blob)).to.equal('for C alone');
      expect(standingOf(A, keyId, B), 'A has never heard of B').to.equal(undefined);
      expect(lab.regions.flatMap((region) => region.audit.refusals())).to.deep.equal([]);
    },
    seed,
  );

  attack(
    'A10 a replayed offer makes the source wrap and send the material again',
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      lab.network.drop();
      const offer = await offerOf(lab, B, keyId, A);
      for (let time = 0; time < 3; time += 1) await lab.network.deliver(A.name, octetsOf(offer));
      const transfers = lab.network.waiting.map(routedOf).filter(({ kind }) => kind === 'transfer');
      expect(transfers).to.have.lengthOf(3);
      expect(
        new Set(transfers.map(({ jws }) => partsOf(jws).payload['raka'])).size,
        'agreement keys that it made',
      ).to.equal(3);
      expect(A.audit.refusals()).to.deep.equal([]);
    },
    seed,
  );

  attack(
    "A21 C plants material of its own in B under the id of A's key",
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await lab.createKey(A);
      // An honest replication to C is what C learns the form of the metadata from.
      await lab.replicate(A, keyId, C);
      const order = lab.network.waiting.pop()!;
      await lab.network.deliver(C.name, order.octets);
      await lab.network.deliver(A.name, lab.network.waiting.pop()!.octets);
      const honest = routedOf(lab.network.waiting.pop()!);
      const offer = await offerOf(lab, B, keyId, A);
      const rakb = Buffer.from(String(partsOf(offer.jws).payload['rakb']), 'base64url');
      const own = createECDH('secp384r1');
      own.generateKeys();
      const planted = randomBytes(32);
      const suite = 'CBCDERIVE-A256KWP';
      const fixedInfo = Buffer.concat([lengthPrefixed(utf8(`MRKR1-SEED-${suite}`)), lengthPrefixed(utf8('RWK'))]);
      const rwk = expectedKey(suite, { z: own.computeSecret(rakb), salt: new Uint8Array(48), fixedInfo, octets: 32 });
      const materialId = materialIdOf(planted, keyId);
      const { header } = partsOf(honest.jws);
      const jws = await signTexts(
        lab.signer(C),
        { ...header, kid: C.kid },
        {
          suite,
          raka: own.getPublicKey().toString('base64url'),
          wrapped: [{ materialId, len: 32, blob: wrapKwp(rwk, planted).toString('base64url') }],
        },
      );
      const context = JSON.parse(Buffer.from(honest.context, 'base64url').toString()) as {
        materials: { materialId: string }[];
      };
      context.materials[0]!.materialId = materialId;
      await lab.network.deliver(
        B.name,
        octetsOf({
          ...honest,
          jws: jws.toString(),
          context: Buffer.from(JSON.stringify(context)).toString('base64url'),
        }),
      );
      expect(await useOf(lab, B, keyId)).to.equal('usable');
      expect(recordOf(B, keyId)?.multiRegion?.primaryRegion, 'whose B thinks it is').to.equal(A.name);
      expect(recordOf(B, keyId)?.currentMaterial?.binding.materialId, "C's material").to.equal(materialId);
      expect(lab.regions.flatMap((region) => region.audit.refusals())).to.deep.equal([]);
      lab.network.drop();
    },
    seed,
  );
});
