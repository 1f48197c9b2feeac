import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { issueBirthCertificate } from '../../src/replication/key_certificate.js';
import { REPLICATION_LIMITS } from '../../src/replication/limits.js';
import { verifyEs384 } from '../../src/wire/jws.js';
import { attacksOn, expectRefusal, rowsOf } from '../support/attack.js';
import type { AttackLab } from '../support/attack_lab.js';
import { labTokens, countObjects } from '../support/lab_token.js';
import { compactOf, get, partsOf, put, resigned, signTexts, tampered, withBitFlipped } from '../support/forgery.js';

const MESSAGE_OCTETS_MAX = 65_536;

describe('an adversary who sends too much', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B', 'C']));
  let verified = 0;
  const counted = () => ({
    ports: {
      B: {
        verifySignature: (...args: Parameters<typeof verifyEs384>) => {
          verified += 1;
          return verifyEs384(...args);
        },
      },
    },
  });

  attack('A38 a thousand messages of one MiB take no memory', async (lab, note) => {
    const { B } = lab;
    const octets = Buffer.alloc(1_048_576, 'A');
    await lab.network.deliver(B.name, octets);
    const before = process.memoryUsage().rss;
    let most = 0;
    for (let at = 0; at < 1000; at += 1) {
      await lab.network.deliver(B.name, octets);
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    note(`at most ${(most / 1_048_576).toFixed(1)} MiB more than before, over 1,000 MiB of messages`);
    expect(most / 1_048_576).to.be.lessThan(64);
    expect(B.audit.refusals()).to.have.lengthOf(1001);
    expect(new Set(B.audit.refusals())).to.deep.equal(new Set(['LIMIT']));
  });

  attack(
    'A38 messages above 64 KiB are refused before any signature is looked at',
    async (lab) => {
      const { A, B } = lab;
      await lab.replicate(A, await lab.createKey(A), B);
      const intent = await lab.until('M0');
      const { header, payload } = partsOf(intent.octets);
      const id = '"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"';
      const million = JSON.stringify(payload).replace(
        '"materialIds":[',
        `"materialIds":[${`${id},`.repeat(1_000_000)}`,
      );
      const blob = JSON.stringify({ ...payload, keys: [{ blob: 'A'.repeat(1_048_576) }] });
      verified = 0;
      for (const octets of [
        Buffer.alloc(MESSAGE_OCTETS_MAX + 1, 'A'),
        Buffer.concat([intent.octets, Buffer.alloc(MESSAGE_OCTETS_MAX + 1 - intent.octets.length, 'A')]),
        compactOf(header, million, randomBytes(96)),
        await signTexts(lab.signer(A), header, blob),
      ]) {
        await expectRefusal(lab, B, 'LIMIT', () => lab.network.deliver(B.name, octets));
      }
      expect(verified, 'signatures that were verified').to.equal(0);
    },
    counted,
  );

  attack('A38 a signed message that nests too deep or lists too much is refused', async (lab) => {
    const { A, B } = lab;
    await lab.replicate(A, await lab.createKey(A), B);
    const intent = await lab.until('M0');
    const { header, payload } = partsOf(intent.octets);
    const text = JSON.stringify(payload);
    const ids = (count: number): string[] =>
      Array.from({ length: count }, (_, at) => at.toString(16).padStart(64, '0'));
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const members = (count: number): string => `{${Array.from({ length: count }, (_, at) => `"m${at}":0`).join()}}`;
    for (const forged of [
      text.replace('"suitesS":', `"x":${nested(1000)},"suitesS":`),
      text.replace('"suitesS":', `"x":${nested(9)},"suitesS":`),
      text.replace('"suitesS":', `"x":[${'0,'.repeat(64)}0],"suitesS":`),
      text.replace('"suitesS":', `"x":${members(65)},"suitesS":`),
      JSON.stringify({ ...payload, keys: [{ ...(get(payload, 'keys.0') as object), materialIds: ids(65) }] }),
      JSON.stringify({ ...payload, keys: Array.from({ length: 33 }, () => get(payload, 'keys.0')) }),
    ]) {
      const octets = await signTexts(lab.signer(A), header, forged);
      expect(octets.length).to.be.lessThan(MESSAGE_OCTETS_MAX);
      await expectRefusal(lab, B, 'LIMIT', () => lab.network.deliver(B.name, octets));
    }
    await expectRefusal(lab, B, 'LIMIT', async () =>
      lab.network.deliver(
        B.name,
        await signTexts(lab.signer(A), JSON.stringify(header).replace('{', `{"x":${nested(1000)},`), text),
      ),
    );
    await lab.network.deliver(B.name, intent.octets);
    const transfer = await lab.until('M2');
    const long = await resigned(transfer.octets, lab.signer(A), (changed) =>
      put(
        changed,
        'keys.0.wrapped.0.blob',
        Buffer.alloc(REPLICATION_LIMITS.wrappedBlobOctetsMax + 1).toString('base64url'),
      ),
    );
    await expectRefusal(lab, B, 'LIMIT', () => lab.network.deliver(B.name, long));
    await lab.network.deliver(B.name, transfer.octets);
    await lab.run();
  });

  attack(
    'A39 ten thousand messages that nobody asked for make no agreement key, no session object and no row',
    async (lab, note) => {
      const { A, B, C } = lab;
      const begun = performance.now();
      await lab.replicate(A, await lab.createKey(A), B);
      const intent = await lab.until('M0');
      await lab.replicate(C, await lab.createKey(C), B);
      const own = await lab.until('M0');
      await lab.network.deliver(B.name, own.octets);
      const ownOffer = await lab.until('M1');
      await lab.replicate(A, await lab.createKey(A), C);
      const toC = await lab.until('M1');
      const before = {
        rows: rowsOf(B),
        objects: await countObjects(B.token),
        ephemeral: await B.token.hsm.ephemeralCount(),
      };
      const made: string[] = [];
      const stop = B.agent.observe((event) => {
        if (event.kind === 'token' && event.step !== 'sign') made.push(event.step);
      });
      const text = (value: string): string => Buffer.from(value).toString('base64url');
      // M0 of C for keys of A, each with a nonce of its own; M1 of C in answer to nothing.
      const stolen = get(partsOf(intent.octets).payload, 'keys.0');
      const intents: Buffer[] = [];
      const offers: Buffer[] = [];
      for (let at = 0; at < 250; at += 1) {
        const nonce = randomBytes(32).toString('base64url');
        intents.push(
          await resigned(own.octets, lab.signer(C), (payload) => {
            put(payload, 'na', nonce);
            put(payload, 'keys.0', stolen);
          }),
        );
        offers.push(
          await resigned(toC.octets, lab.signer(C), (payload) => {
            put(payload, 'dst', B.name);
            put(payload, 'prev', randomBytes(48).toString('base64url'));
          }),
        );
      }
      const forged: Buffer[] = [];
      for (let at = 0; at < 1000; at += 1) {
        forged.push(
          withBitFlipped(own.octets, 'payload', at * 11),
          withBitFlipped(ownOffer.octets, 'signature', at),
          tampered(own.octets, (payload) => put(payload, 'iat', at)),
        );
      }
      for (let at = 0; at < 6500; at += 1) {
        const [, payload = '', signature = ''] = Buffer.from(toC.octets).toString().split('.');
        const header = text(
          JSON.stringify({ alg: 'ES384', kid: randomBytes(48).toString('base64url'), typ: 'mrkr1-offer+jws' }),
        );
        forged.push(Buffer.from(`${header}.${payload}.${signature}`));
      }
      const all = [...intents, ...offers, ...forged];
      expect(all).to.have.lengthOf(10_000);
      for (let at = 0; at < all.length; at += 64) {
        await Promise.all(all.slice(at, at + 64).map((octets) => lab.network.deliver(B.name, octets)));
      }
      await lab.settle();
      stop();
      expect(made, 'token steps besides signatures').to.deep.equal([]);
      expect(rowsOf(B)).to.deep.equal(before.rows);
      expect(await countObjects(B.token)).to.deep.equal(before.objects);
      expect(await B.token.hsm.ephemeralCount()).to.equal(before.ephemeral);
      const codes = new Map<string, number>();
      for (const code of B.audit.refusals()) codes.set(code, (codes.get(code) ?? 0) + 1);
      expect(B.audit.refusals()).to.have.lengthOf(10_000);
      expect([codes.get('ORIGIN'), codes.get('PREV')]).to.deep.equal([250, 250]);
      note(`${JSON.stringify(Object.fromEntries(codes))} in ${Math.round(performance.now() - begun)} ms`);
    },
  );

  attack('A39 one peer keeps no more than sixteen offers open, and none after they have expired', async (lab) => {
    const { B, C } = lab;
    await lab.replicate(C, await lab.createKey(C), B);
    const intent = await lab.until('M0');
    const count = REPLICATION_LIMITS.offersPerPeerMax + 4;
    const flood: Buffer[] = [];
    for (let at = 0; at < count; at += 1) flood.push(await announcement(lab, intent.octets));
    for (const octets of flood) await lab.network.deliver(B.name, octets);
    expect(B.audit.refusals()).to.deep.equal(Array.from({ length: 4 }, () => 'LIMIT'));
    expect(await B.token.hsm.ephemeralCount(), 'agreement keys').to.equal(REPLICATION_LIMITS.offersPerPeerMax);
    // Another peer is served all the same.
    const keyId = await lab.createKey(lab.A);
    lab.network.drop();
    await lab.replicate(lab.A, keyId, B);
    await lab.run();
    expect(await lab.decrypt(B, await lab.encrypt(lab.A, keyId, 'served'))).to.equal('served');
    await lab.pass(REPLICATION_LIMITS.offerLifetimeMs + 1);
    expect(await B.token.hsm.ephemeralCount()).to.equal(0);
  });
});

/** M0 of C for one more key that was born in C. */
async function announcement(lab: AttackLab, template: Uint8Array): Promise<Buffer> {
  const { C } = lab;
  const birth = {
    partition: 'aws-lab',
    originRegion: C.name,
    birthNonce: randomBytes(32),
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    createdEpoch: lab.roster.epoch,
  };
  const issued = await issueBirthCertificate(birth, C.kid, (kid, octets) => lab.signer(C, kid).sign(octets));
  return resigned(template, lab.signer(C), (payload) => {
    put(payload, 'na', randomBytes(32).toString('base64url'));
    put(payload, 'keys.0.keyId', issued.keyId);
    put(payload, 'keys.0.birthCert', issued.birthCertificate);
  });
}
