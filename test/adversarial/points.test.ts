import { createECDH, createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { expectedKey } from '../../src/hsm/strategy/software_agreement.js';
import { attacksOn, expectRefusal, useOf, standingOf } from '../support/attack.js';
import type { AttackLab, LabRegion, RegionPorts } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { CompromisedHsm } from '../support/compromised_hsm.js';
import { get, partsOf, put, resigned, tampered } from '../support/forgery.js';

const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const hex = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(96, '0'), 'hex');
const good = (): Buffer => createECDH('secp384r1').generateKeys();

/** What is no point of P-384, or is one in another form. */
function badPoints(): Readonly<Record<string, Uint8Array>> {
  const point = good();
  const [x, y] = [point.subarray(1, 49), point.subarray(49)];
  const parity = (y[47] ?? 0) & 1;
  const offCurve = Buffer.from(point);
  offCurve[96] = (offCurve[96] ?? 0) ^ 1;
  const small = Buffer.concat([Buffer.from([4]), hex(2n), hex(2n)]);
  return {
    'off the curve': offCurve,
    'of small coordinates, off the curve': small,
    'the zero point': Buffer.concat([Buffer.from([4]), Buffer.alloc(96)]),
    infinity: Buffer.from([0]),
    'infinity, padded': Buffer.alloc(97),
    'x + p': Buffer.concat([Buffer.from([4]), hex(P), y]),
    'y of p': Buffer.concat([Buffer.from([4]), x, hex(P)]),
    'x of 2^384 − 1': Buffer.concat([Buffer.from([4]), Buffer.alloc(48, 0xff), y]),
    'on P-256': createECDH('prime256v1').generateKeys(),
    'on P-256, padded': Buffer.concat([createECDH('prime256v1').generateKeys(), Buffer.alloc(32)]),
    compressed: Buffer.concat([Buffer.from([2 + parity]), x]),
    'compressed, the other y': Buffer.concat([Buffer.from([3 - parity]), x]),
    hybrid: Buffer.concat([Buffer.from([6 + parity]), x, y]),
    'of 96 octets': point.subarray(0, 96),
    'of 96 octets without its first': point.subarray(1),
    'of 98 octets': Buffer.concat([point, Buffer.alloc(1)]),
    'wrapped in DER': Buffer.concat([Buffer.from([4, 97]), point]),
    'negated into another octet': Buffer.concat([Buffer.from([5]), x, y]),
    empty: Buffer.alloc(0),
  };
}

/** Private scalars whose points begin with 04 5F, the head of a DER OCTET STRING of the other 95 octets, and then 02, 04, 06 or 30. */
const lookalikes = [57_793, 56_586, 24_423, 847].map((seed) =>
  createHash('sha384').update(`keyferry point ${seed}`).digest(),
);

describe('an adversary who chooses the points', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));

  /** The steps of a region's token while `work` runs. */
  async function stepsOf(region: LabRegion, work: () => Promise<void>): Promise<readonly string[]> {
    const steps: string[] = [];
    const stop = region.agent.observe((event) => {
      if (event.kind === 'token') steps.push(event.step);
    });
    await work();
    stop();
    return steps;
  }

  async function until(lab: AttackLab, label: string): Promise<{ keyId: string; octets: Uint8Array }> {
    const keyId = await lab.createKey(lab.A);
    await lab.replicate(lab.A, keyId, lab.B);
    return { keyId, octets: (await lab.until(label)).octets };
  }

  attack("A16 the destination's own point as the source's is refused, by whoever it is signed", async (lab) => {
    const { A, B } = lab;
    const { keyId, octets } = await until(lab, 'M1');
    const own = get(partsOf(octets).payload, 'rakb.pt');
    await lab.network.deliver(A.name, octets);
    const transfer = (await lab.until('M2')).octets;
    const reflect = (payload: Record<string, unknown>): void => put(payload, 'raka.pt', own);
    await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, tampered(transfer, reflect)));
    const byA = await resigned(transfer, lab.signer(A), reflect);
    await expectRefusal(lab, B, 'SELF_POINT', () => lab.network.deliver(B.name, byA), { field: 'raka.pt', ends: true });
    expect(await useOf(lab, B, keyId)).to.equal('NotFoundException');
  });

  attack("A17 a point of the adversary's under the signature of another message is refused", async (lab) => {
    const { A, B } = lab;
    const { octets: offer } = await until(lab, 'M1');
    const mine = good().toString('base64url');
    const forgedOffer = tampered(offer, (payload) => put(payload, 'rakb.pt', mine));
    await expectRefusal(lab, A, 'SIG_INVALID', () => lab.network.deliver(A.name, forgedOffer));
    await lab.network.deliver(A.name, offer);
    const { octets: transfer } = await lab.until('M2');
    const forgedTransfer = tampered(transfer, (payload) => put(payload, 'raka.pt', mine));
    await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, forgedTransfer));
    await lab.network.deliver(B.name, transfer);
    await lab.run();
  });

  attack(
    'A25 what is no uncompressed point of P-384 is refused in a signed offer before the token sees it',
    async (lab) => {
      const { A, B } = lab;
      for (const [name, point] of Object.entries(badPoints())) {
        const { octets: offer } = await until(lab, 'M1');
        const forged = await resigned(offer, lab.signer(B), (payload) =>
          put(payload, 'rakb.pt', Buffer.from(point).toString('base64url')),
        );
        const steps = await stepsOf(A, () =>
          expectRefusal(lab, A, 'POINT', () => lab.network.deliver(A.name, forged), { field: 'rakb.pt', ends: true }),
        );
        // The one step signs the answer that ends the session.
        expect(steps, `token steps for a point that is ${name}`).to.deep.equal(['sign']);
        await lab.run();
      }
      expect(await A.token.hsm.ephemeralCount()).to.equal(0);
    },
  );

  attack(
    'A25 what is no uncompressed point of P-384 is refused in a signed transfer before the token sees it',
    async (lab) => {
      const { A, B } = lab;
      for (const [name, point] of Object.entries(badPoints())) {
        const { octets: transfer } = await until(lab, 'M2');
        const forged = await resigned(transfer, lab.signer(A), (payload) =>
          put(payload, 'raka.pt', Buffer.from(point).toString('base64url')),
        );
        const steps = await stepsOf(B, () =>
          expectRefusal(lab, B, 'POINT', () => lab.network.deliver(B.name, forged), { field: 'raka.pt', ends: true }),
        );
        expect(steps, `token steps for a point that is ${name}`).to.deep.equal(['sign', 'release']);
        await lab.run();
      }
    },
  );

  attack(
    'A25 a point in another form than 97 octets in base64url, or of another curve by name, is refused',
    async (lab) => {
      const { B, A } = lab;
      const { octets: transfer } = await until(lab, 'M2');
      for (const [path, value] of [
        ['raka.pt', null],
        ['raka.pt', 7],
        ['raka.pt', 'BA=='],
        ['raka.crv', 'P-256'],
        ['raka.crv', 'secp384r1'],
      ] as const) {
        const forged = await resigned(transfer, lab.signer(A), (payload) => put(payload, path, value));
        await expectRefusal(lab, B, 'POINT', () => lab.network.deliver(B.name, forged), { field: path });
      }
      await lab.network.deliver(B.name, transfer);
      await lab.run();
    },
  );

  for (const side of ['A', 'B'] as const) {
    let hsm: CompromisedHsm;
    attack(
      `A26 a point whose octets look like DER is taken as it is: ${side === 'A' ? 'RAKA' : 'RAKB'}`,
      async (lab) => {
        for (const scalar of lookalikes) {
          hsm.deviations = { privateKey: scalar };
          const keyId = side === 'A' ? await lab.createKnownKey(lab.A, hsm) : await lab.createKey(lab.A);
          await lab.replicate(lab.A, keyId, lab.B);
          const message = await lab.until(side === 'A' ? 'M2' : 'M1');
          const point = Buffer.from(
            String(get(partsOf(message.octets).payload, side === 'A' ? 'raka.pt' : 'rakb.pt')),
            'base64url',
          );
          expect(point.subarray(0, 2).toString('hex')).to.equal('045f');
          lab.network.waiting.unshift(message);
          await lab.run();
          expect([...lab.A.audit.refusals(), ...lab.B.audit.refusals()]).to.deep.equal([]);
          expect(standingOf(lab.A, keyId, lab.B)).to.equal('ACTIVE');
        }
      },
      () => {
        const ports: RegionPorts = { hsm: (real) => (hsm = new CompromisedHsm(real)) };
        return { ports: side === 'A' ? { A: ports } : { B: ports } };
      },
    );
  }

  attack('A27 both ends derive the same keys where Z begins with a zero octet', async (lab, note) => {
    const begun = performance.now();
    for (const region of [lab.A, lab.B]) {
      const { hsm } = region.token;
      const key = await hsm.generateAgreementKey(randomBytes(32));
      const { ecdh, z, tries } = peerWithZero(key.point);
      for (const suite of hsm.suites) {
        const fixedInfo = { rwk: randomBytes(100), kck: randomBytes(100) };
        const salt = randomBytes(48);
        const keys = await hsm.agree({
          key,
          peerPoint: ecdh.getPublicKey(),
          suite,
          fixedInfo,
          salt,
          direction: 'unwrap',
        });
        const kck = expectedKey(suite, { z, salt, fixedInfo: fixedInfo.kck, octets: 48 });
        const confirmation = await hsm.confirm(keys, Buffer.from('both ends'));
        expect(Buffer.from(confirmation).toString('hex'), `${region.name} ${suite}`).to.equal(
          createHmac('sha384', kck).update('both ends').digest('hex'),
        );
        await hsm.release(keys);
      }
      await hsm.release(key);
      note(`${tries} pairs until Z began with 00; ${Math.round(performance.now() - begun)} ms`);
    }
  });

  let source: CompromisedHsm;
  attack(
    'A27 a replication whose Z begins with a zero octet arrives',
    async (lab) => {
      const keyId = await lab.createKnownKey(lab.A, source);
      await lab.replicate(lab.A, keyId, lab.B);
      const offer = await lab.until('M1');
      const point = Buffer.from(String(get(partsOf(offer.octets).payload, 'rakb.pt')), 'base64url');
      source.deviations = { privateKey: peerWithZero(point).ecdh.getPrivateKey() };
      await lab.network.deliver(lab.A.name, offer.octets);
      expect(source.revealed.at(-1)?.z[0]).to.equal(0);
      await lab.run();
      expect(await useOf(lab, lab.B, keyId)).to.equal('usable');
      expect(standingOf(lab.A, keyId, lab.B)).to.equal('ACTIVE');
    },
    () => ({ ports: { A: { hsm: (real) => (source = new CompromisedHsm(real)) } } }),
  );
});

/** An agreement key outside the token whose shared secret with a point begins with a zero octet: one in 256. */
function peerWithZero(point: Uint8Array): { ecdh: ReturnType<typeof createECDH>; z: Buffer; tries: number } {
  const ecdh = createECDH('secp384r1');
  for (let tries = 1; tries < 20_000; tries += 1) {
    ecdh.setPrivateKey(createHash('sha384').update(`zero ${tries}`).digest());
    const z = ecdh.computeSecret(point);
    if (z[0] === 0) return { ecdh, z, tries };
  }
  throw new Error('no shared secret began with a zero octet');
}
