import { createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { attacksOn, expectRefusal, useOf } from '../support/attack.js';
import type { AttackLab } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { CompromisedHsm, unwrapKwp, wrapKwp, wrapWithInitialValue, type Revealed } from '../support/compromised_hsm.js';
import { get, partsOf, put, resigned, tampered } from '../support/forgery.js';
import { HsmError } from '../../src/hsm/errors.js';
import type { RefusalCode } from '../../src/wire/refusal.js';

describe('an adversary who owns the source and sends what it wants', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));
  let hsm: CompromisedHsm;
  const compromised = () => ({
    ports: {
      A: {
        hsm: (real: ConstructorParameters<typeof CompromisedHsm>[0]) => {
          hsm = new CompromisedHsm(real);
          return hsm;
        },
      },
    },
  });

  /** A transfer of the compromised source that waits to be delivered. */
  async function transferOf(lab: AttackLab): Promise<{ keyId: string; transfer: Uint8Array }> {
    const keyId = await lab.createKnownKey(lab.A, hsm);
    await lab.replicate(lab.A, keyId, lab.B);
    return { keyId, transfer: (await lab.until('M2')).octets };
  }

  /** Delivers a transfer that must be refused; the key does not come into being, and the source learns that it ended. */
  async function refusesTransfer(
    lab: AttackLab,
    keyId: string,
    transfer: Uint8Array,
    code: RefusalCode,
    more: { readonly field?: string; readonly otherOffers?: number } = {},
  ): Promise<void> {
    const expectation = { ends: true, ...more };
    await expectRefusal(lab, lab.B, code, () => lab.network.deliver(lab.B.name, transfer), expectation);
    expect(await useOf(lab, lab.B, keyId)).to.equal('NotFoundException');
    await lab.run();
  }

  attack(
    'A19 wrapped blobs of two keys that are replicated side by side cannot be exchanged',
    async (lab) => {
      const { A, B } = lab;
      const one = await transferOf(lab);
      const two = await transferOf(lab);
      const blobOf = (transfer: Uint8Array): unknown => get(partsOf(transfer).payload, 'keys.0.wrapped.0.blob');
      const swapped = tampered(one.transfer, (payload) => put(payload, 'keys.0.wrapped.0.blob', blobOf(two.transfer)));
      await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, swapped));
      // With A's signing key alone, the key confirmation is wrong.
      const resignedSwap = await resigned(one.transfer, lab.signer(A), (payload) =>
        put(payload, 'keys.0.wrapped.0.blob', blobOf(two.transfer)),
      );
      await refusesTransfer(lab, one.keyId, resignedSwap, 'KC', { field: 'kcS', otherOffers: 1 });
      await lab.network.deliver(B.name, two.transfer);
      expect(await useOf(lab, B, two.keyId)).to.equal('usable');
      await lab.run();
      // With everything that A knows, the blob of another session does not unwrap under this session's RWK.
      const other = Buffer.from(String(blobOf(two.transfer)), 'base64url');
      hsm.deviations = { blob: () => other };
      const three = await transferOf(lab);
      hsm.deviations = {};
      await refusesTransfer(lab, three.keyId, three.transfer, 'UNWRAP');
    },
    compromised,
  );

  attack(
    'A19 material of one key is refused under the id of another, although it unwraps',
    async (lab) => {
      hsm.deviations = { blob: ({ rwk }) => wrapKwp(rwk, randomBytes(32)) };
      const { keyId, transfer } = await transferOf(lab);
      await refusesTransfer(lab, keyId, transfer, 'MATERIAL_ID');
    },
    compromised,
  );

  attack(
    'A20 edited metadata is refused by the signature, by what was announced, and by the derivation',
    async (lab) => {
      const { A, B } = lab;
      const edits: ((context: string) => string)[] = [
        (context) => context.replace('ENCRYPT_DECRYPT', 'SIGN_VERIFY'),
        (context) => context.replace('"policy":"{', '"policy":"{ '),
        (context) => context.replace(/"materialId":"[0-9a-f]{64}"/, `"materialId":"${'0'.repeat(64)}"`),
        (context) => context.replace('"tags":[]', '"tags":[{"TagKey":"a","TagValue":"b"}]'),
      ];
      for (const edit of edits) {
        const { keyId, transfer } = await transferOf(lab);
        const context = Buffer.from(String(get(partsOf(transfer).payload, 'keys.0.ctx')), 'base64url').toString();
        const edited = Buffer.from(edit(context)).toString('base64url');
        expect(Buffer.from(edited, 'base64url').toString()).to.not.equal(context);
        const change = (payload: Record<string, unknown>): void => put(payload, 'keys.0.ctx', edited);
        await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, tampered(transfer, change)));
        const forged = await resigned(transfer, lab.signer(A), change);
        await refusesTransfer(lab, keyId, forged, 'CONTEXT', { field: 'keys.ctx' });
      }
      // Everything signed and confirmed, and RWK made as if another context had been agreed.
      hsm.deviations = { wrappingInfo: (info) => createHash('sha384').update(info).digest() };
      const { keyId, transfer } = await transferOf(lab);
      hsm.deviations = {};
      await refusesTransfer(lab, keyId, transfer, 'UNWRAP');
    },
    compromised,
  );

  attack(
    'A40 a thousand random blobs under good signatures and confirmations have one answer',
    async (lab, note) => {
      const { B } = lab;
      for (let at = 0; at < 10; at += 1) {
        hsm.deviations = { blob: () => randomBytes(40) };
        const { keyId, transfer } = await transferOf(lab);
        await refusesTransfer(lab, keyId, transfer, 'UNWRAP');
      }
      hsm.deviations = {};
      // The rest without the messages around: the same call that a transfer ends in.
      const real = B.token.hsm;
      const rakb = await real.generateAgreementKey(randomBytes(32));
      const raka = await hsm.generateAgreementKey(randomBytes(32));
      const suite = real.suites.find((candidate) => hsm.suites.includes(candidate))!;
      const request = {
        suite,
        fixedInfo: { rwk: Buffer.from('RWK'), kck: Buffer.from('KCK') },
        salt: Buffer.alloc(48),
      };
      const keys = await real.agree({ ...request, key: rakb, peerPoint: raka.point, direction: 'unwrap' });
      await hsm.agree({ ...request, key: raka, peerPoint: rakb.point, direction: 'wrap' });
      const { rwk } = hsm.revealed.at(-1)!;
      const known = hsm.know(randomBytes(32), {
        keyId: `mrk-${'0'.repeat(32)}`,
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        multiRegion: true,
        dataSuite: 'CBCDATA-GCM',
      });
      const { materialId } = known.binding;
      const attempt = async (blob: Uint8Array): Promise<{ code: string; text: string; ms: number }> => {
        const begun = performance.now();
        const wrapped = {
          materialId,
          class: 'CKO_SECRET_KEY',
          keyType: 'CKK_AES',
          lengthOctets: 32,
          publicKey: null,
          blob,
        } as const;
        const outcome: unknown = await real.unwrap(keys, wrapped, known.binding).catch((error: unknown) => error);
        const ms = performance.now() - begun;
        return outcome instanceof HsmError
          ? { code: outcome.code, text: outcome.message, ms }
          : { code: 'accepted', text: '', ms };
      };
      const near = (): Uint8Array => {
        // Only the last octet of what is inside is not zero padding: the furthest that a wrong blob can get.
        const padded = Buffer.concat([randomBytes(31), Buffer.from([1])]);
        return wrapWithInitialValue(rwk, Buffer.from('a65959a60000001f', 'hex'), padded);
      };
      const random: number[] = [];
      const nearly: number[] = [];
      const answers = new Set<string>();
      for (let at = 0; at < 1000; at += 1) {
        const isNear = at % 2 === 1;
        const { code, text, ms } = await attempt(isNear ? near() : randomBytes(40));
        answers.add(`${code} ${text}`);
        (isNear ? nearly : random).push(ms);
      }
      await real.release(rakb, keys);
      await hsm.release(raka);
      expect([...answers]).to.deep.equal(['ERR_HSM_UNWRAP the wrapped material does not unwrap']);
      note(`random against nearly right blobs: ${tTest(random, nearly)}`);
    },
    compromised,
  );

  attack(
    'A41 truncated, extended and otherwise wrapped blobs, wrong lengths and padding that is not zero are refused alike',
    async (lab) => {
      const initialValue = (length: number): Buffer =>
        Buffer.concat([Buffer.from('a65959a6', 'hex'), Buffer.from([0, 0, length >> 8, length & 255])]);
      const blobs: Record<string, (revealed: Revealed, octets: Buffer) => Uint8Array> = {
        'truncated by 8': ({ rwk }, octets) => wrapKwp(rwk, octets).subarray(0, 32),
        'extended by 8': ({ rwk }, octets) => Buffer.concat([wrapKwp(rwk, octets), Buffer.alloc(8)]),
        'KW and not KWP': ({ rwk }, octets) => wrapWithInitialValue(rwk, Buffer.alloc(8, 0xa6), octets),
        'length of 33': ({ rwk }, octets) => wrapWithInitialValue(rwk, initialValue(33), octets),
        'length of 24': ({ rwk }, octets) => wrapWithInitialValue(rwk, initialValue(24), octets),
        'length of 0': ({ rwk }, octets) => wrapWithInitialValue(rwk, initialValue(0), octets),
        'length of 2^24 + 32': ({ rwk }, octets) =>
          wrapWithInitialValue(rwk, Buffer.from('a65959a601000020', 'hex'), octets),
        'padding that is not zero': ({ rwk }, octets) =>
          wrapWithInitialValue(rwk, initialValue(31), Buffer.concat([octets.subarray(0, 31), Buffer.from([9])])),
        'another initial value': ({ rwk }, octets) =>
          wrapWithInitialValue(rwk, Buffer.from('a65959a700000020', 'hex'), octets),
        'wrapped under KCK': ({ kck }, octets) => wrapKwp(kck.subarray(0, 32), octets),
        'one bit changed': ({ rwk }, octets) => {
          const blob = wrapKwp(rwk, octets);
          blob[39] = (blob[39] ?? 0) ^ 1;
          return blob;
        },
        'not wrapped at all': (_revealed, octets) => Buffer.concat([octets, Buffer.alloc(8)]),
        'half a block': ({ rwk }, octets) => wrapKwp(rwk, octets).subarray(0, 36),
        nothing: () => Buffer.alloc(0),
      };
      for (const [name, blob] of Object.entries(blobs)) {
        hsm.deviations = { blob: (revealed, octets) => blob(revealed, Buffer.from(octets)) };
        const { keyId, transfer } = await transferOf(lab);
        hsm.deviations = {};
        await refusesTransfer(lab, keyId, transfer, 'UNWRAP').catch((error: unknown) => {
          throw new Error(`a blob that is ${name}`, { cause: error });
        });
      }
    },
    compromised,
  );

  attack(
    'A42 keys of other lengths and types than AES-256 are refused, and what was unwrapped is destroyed',
    async (lab, note) => {
      const { A, B } = lab;
      const seen: string[] = [];
      for (const length of [16, 24, 25, 31, 40, 48, 64]) {
        hsm.deviations = { blob: ({ rwk }) => wrapKwp(rwk, randomBytes(length)) };
        const { keyId, transfer } = await transferOf(lab);
        hsm.deviations = {};
        const before = B.audit.records.length;
        await lab.network.deliver(B.name, transfer);
        const refusals = B.audit.records.slice(before).filter((record) => !record.code.startsWith('REPL_'));
        expect(
          refusals.map((record) => record.code),
          `${length} octets`,
        ).to.have.lengthOf(1);
        // A blob of another length never reaches the token; a shorter key in a blob of the right length is found by what it cannot do.
        expect(refusals[0]?.code, `${length} octets`).to.be.oneOf(
          length === 25 || length === 31 ? ['TYPE', 'UNWRAP'] : ['UNWRAP'],
        );
        seen.push(`${length}: ${refusals[0]?.code}`);
        expect(await B.token.hsm.ephemeralCount()).to.equal(0);
        expect(await useOf(lab, B, keyId)).to.equal('NotFoundException');
        await lab.run();
      }
      note(seen.join(', '));
      const declared = await transferOf(lab);
      const asAes128 = await resigned(declared.transfer, lab.signer(A), (payload) =>
        put(payload, 'keys.0.wrapped.0.len', 16),
      );
      await refusesTransfer(lab, declared.keyId, asAes128, 'TYPE');
      const secret = await transferOf(lab);
      const asSecret = await resigned(secret.transfer, lab.signer(A), (payload) =>
        put(payload, 'keys.0.wrapped.0.keyType', 'CKK_GENERIC_SECRET'),
      );
      await refusesTransfer(lab, secret.keyId, asSecret, 'TYPE');
      const generic = await transferOf(lab);
      for (const [member, value] of [
        ['keyType', 'CKK_RSA'],
        ['class', 'CKO_PRIVATE_KEY'],
      ] as const) {
        const forged = await resigned(generic.transfer, lab.signer(A), (payload) =>
          put(payload, `keys.0.wrapped.0.${member}`, value),
        );
        await expectRefusal(lab, B, 'SYNTAX', () => lab.network.deliver(B.name, forged));
      }
      await lab.network.deliver(B.name, generic.transfer);
      await lab.run();
      expect(await useOf(lab, B, generic.keyId)).to.equal('usable');
    },
    compromised,
  );

  attack(
    'A46 the source without a right key confirmation installs nothing',
    async (lab) => {
      const confirmations: Record<string, (revealed: Revealed, octets: Uint8Array) => Uint8Array> = {
        'of other octets': ({ kck }, octets) => createHmac('sha384', kck).update(octets).update('x').digest(),
        'under RWK': ({ rwk }, octets) => createHmac('sha384', rwk).update(octets).digest(),
        random: () => randomBytes(48),
      };
      for (const [name, confirmation] of Object.entries(confirmations)) {
        hsm.deviations = { confirmation };
        const { keyId, transfer } = await transferOf(lab);
        hsm.deviations = {};
        await refusesTransfer(lab, keyId, transfer, 'KC', { field: 'kcS' }).catch((error: unknown) => {
          throw new Error(`a confirmation ${name}`, { cause: error });
        });
      }
      const { keyId, transfer } = await transferOf(lab);
      for (const value of [undefined, '', Buffer.alloc(32).toString('base64url'), null]) {
        const forged = await resigned(transfer, lab.signer(lab.A), (payload) => put(payload, 'kcS', value));
        await expectRefusal(lab, lab.B, 'KC', () => lab.network.deliver(lab.B.name, forged), { field: 'kcS' });
      }
      expect(
        unwrapKwp(
          hsm.revealed.at(-1)!.rwk,
          Buffer.from(String(get(partsOf(transfer).payload, 'keys.0.wrapped.0.blob')), 'base64url'),
        ),
      ).to.not.equal(null);
      await lab.network.deliver(lab.B.name, transfer);
      await lab.run();
      expect(await useOf(lab, lab.B, keyId)).to.equal('usable');
    },
    compromised,
  );
});

/** Welch's t of two samples, with their medians: for a reader, not for a verdict. */
function tTest(one: readonly number[], two: readonly number[]): string {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values: readonly number[]): number => {
    const middle = mean(values);
    return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  };
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const t = (mean(one) - mean(two)) / Math.sqrt(variance(one) / one.length + variance(two) / two.length);
  return `Welch t = ${t.toFixed(2)}, medians ${median(one).toFixed(3)} and ${median(two).toFixed(3)} ms, n = ${one.length} and ${two.length}`;
}
