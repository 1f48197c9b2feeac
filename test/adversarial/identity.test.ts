import { expect } from 'chai';
import { attacksOn, expectRefusal, rowsOf, useOf } from '../support/attack.js';
import { PARTITION } from '../support/attack_lab.js';
import { labTokens, REGIONS } from '../support/lab_token.js';
import { compactOf, partsOf, put, resigned, signTexts, softwareSigner } from '../support/forgery.js';
import { issueBirthCertificate } from '../../src/replication/key_certificate.js';

describe('an adversary who speaks with another identity, or about another', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B', 'C']));

  attack('A08 an offer signed with an unknown, a pending or a revoked key of its region is refused', async (lab) => {
    const { A, B } = lab;
    const pending = await B.token.hsm.generateSigningKey();
    try {
      const added = await lab.issue([{ change: 'add-rsk', enrolment: await lab.enrolment('B', pending) }]);
      for (const region of lab.regions) region.agent.applyRosters([added.compact]);
      await lab.replicate(A, await lab.createKey(A), B);
      const offer = await lab.until('M1');
      const stranger = softwareSigner();
      const byStranger = await resigned(offer.octets, stranger);
      await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, byStranger), { field: 'kid' });
      const byPending = await resigned(offer.octets, lab.signer(B, pending.kid));
      await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, byPending), { field: 'kid' });
      await lab.network.deliver(A.name, offer.octets);
      await lab.run();

      // The same key is made active and then revoked: what it signs about the newest epoch, and about the one when it was active.
      const active = await lab.issue([{ change: 'activate-rsk', region: B.name, kid: pending.kid }], added);
      const revoked = await lab.issue([{ change: 'revoke-rsk', region: B.name, kid: pending.kid }], active);
      for (const region of lab.regions) region.agent.applyRosters([active.compact, revoked.compact]);
      await lab.replicate(A, await lab.createKey(A), B);
      const later = await lab.until('M1');
      for (const roster of [active, revoked]) {
        const byRevoked = await resigned(later.octets, lab.signer(B, pending.kid), (payload) => {
          put(payload, 'epoch', roster.epoch.toString());
          put(payload, 'rosterHash', roster.hash);
        });
        await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, byRevoked), { field: 'kid' });
      }
      await lab.network.deliver(A.name, later.octets);
      await lab.run();
    } finally {
      await B.token.hsm.destroySigningKey(pending.kid);
    }
  });

  attack("A09 an offer in B's name, signed with C's key, is refused", async (lab) => {
    const { A, B, C } = lab;
    await lab.replicate(A, await lab.createKey(A), B);
    const offer = await lab.until('M1');
    const forged = await resigned(offer.octets, lab.signer(C));
    await expectRefusal(lab, A, 'KID_REGION', () => lab.network.deliver(A.name, forged), { field: 'iss' });
    // C's signature under B's kid is no signature.
    const renamed = await resigned(offer.octets, lab.signer(C), (_payload, header) => put(header, 'kid', B.kid));
    await expectRefusal(lab, A, 'SIG_INVALID', () => lab.network.deliver(A.name, renamed));
  });

  attack(
    'A15 a message that is brought back to its sender, or in the wrong direction, is refused by its type',
    async (lab) => {
      const { A, B } = lab;
      await lab.replicate(A, await lab.createKey(A), B);
      const intent = await lab.until('M0');
      await expectRefusal(lab, A, 'TYP', () => lab.network.deliver(A.name, intent.octets), { field: 'iss' });
      await lab.network.deliver(B.name, intent.octets);
      const offer = await lab.until('M1');
      await expectRefusal(lab, B, 'TYP', () => lab.network.deliver(B.name, offer.octets), { field: 'iss' });
      for (const typ of ['mrkr1-intent+jws', 'mrkr1-transfer+jws']) {
        const { header, payload, signature } = partsOf(offer.octets);
        const relabelled = compactOf({ ...header, typ }, payload, signature);
        await expectRefusal(lab, B, 'SIG_INVALID', () => lab.network.deliver(B.name, relabelled));
        // B's own key would have to sign it, and then it says that it is an offer.
        const resignedOffer = await resigned(offer.octets, lab.signer(B), (_payload, changed) =>
          put(changed, 'typ', typ),
        );
        await expectRefusal(lab, A, 'TYP', () => lab.network.deliver(A.name, resignedOffer), { field: 't' });
      }
      await lab.network.deliver(A.name, offer.octets);
      const transfer = await lab.until('M2');
      await expectRefusal(lab, A, 'TYP', () => lab.network.deliver(A.name, transfer.octets), { field: 'iss' });
    },
  );

  attack("A18 C re-signs B's offer as its own, and what A sends to C is refused by B", async (lab) => {
    const { A, B, C } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const toB = await lab.until('M1');
    // As an answer to the intent for B, it comes from the wrong region.
    const stolen = await resigned(toB.octets, lab.signer(C), (payload) => put(payload, 'iss', C.name));
    await expectRefusal(lab, A, 'DST', () => lab.network.deliver(A.name, stolen), { field: 'iss' });
    // As an answer to an intent for C, whom A does send the key, it is C's word, and A answers C.
    await lab.replicate(A, keyId, C);
    const own = await lab.until('M1');
    expect(own.from).to.equal(C.name);
    const bound = await resigned(own.octets, lab.signer(C), (payload) => {
      put(payload, 'rakb', partsOf(toB.octets).payload['rakb']);
      put(payload, 'sid', partsOf(toB.octets).payload['sid']);
    });
    await lab.network.deliver(A.name, bound);
    const transfer = await lab.until('M2');
    await expectRefusal(lab, B, 'DST', () => lab.network.deliver(B.name, transfer.octets), { field: 'dst' });
    // Nor does it help C to say that the transfer is its own.
    const claimed = await resigned(transfer.octets, lab.signer(C), (payload) => {
      put(payload, 'iss', C.name);
      put(payload, 'dst', B.name);
    });
    await expectRefusal(lab, B, 'DST', () => lab.network.deliver(B.name, claimed), { field: 'iss' });
    expect(await useOf(lab, B, keyId)).to.equal('KMSInvalidStateException');
  });

  attack(
    "A21 C announces a key that was born in A, with A's certificate, with its own, and with a forged one",
    async (lab) => {
      const { A, B, C } = lab;
      const keyId = await lab.createKey(A);
      const other = await lab.createKey(C);
      await lab.replicate(A, keyId, B);
      const honest = await lab.until('M0');
      await lab.replicate(C, other, B);
      const intent = await lab.until('M0');
      expect(intent.from).to.equal(C.name);
      const certificate = partsOf(honest.octets).payload['keys'] as { birthCert: string }[];
      const announce = (birthCert: string | undefined): Promise<Buffer> =>
        resigned(intent.octets, lab.signer(C), (payload) => {
          put(payload, 'keys.0.keyId', keyId);
          if (birthCert !== undefined) put(payload, 'keys.0.birthCert', birthCert);
        });
      const withCertificateOfA = await announce(certificate[0]?.birthCert);
      await expectRefusal(lab, B, 'ORIGIN', () => lab.network.deliver(B.name, withCertificateOfA), {
        field: 'keys.keyId',
      });
      const withOwnCertificate = await announce(undefined);
      await expectRefusal(lab, B, 'ORIGIN', () => lab.network.deliver(B.name, withOwnCertificate), {
        field: 'birthCert.keyId',
      });
      // C's own birth with A's key id in it: the id does not follow from C's nonce.
      const own = partsOf((partsOf(intent.octets).payload['keys'] as { birthCert: string }[])[0]!.birthCert);
      const renamed = await signTexts(lab.signer(C), own.header, { ...own.payload, keyId });
      const withRenamed = await announce(renamed.toString());
      await expectRefusal(lab, B, 'ORIGIN', () => lab.network.deliver(B.name, withRenamed), {
        field: 'birthCert.keyId',
      });
      // A birth in A's name that C signed.
      const stolen = await signTexts(
        lab.signer(C),
        { ...own.header },
        { ...partsOf(certificate[0]!.birthCert).payload },
      );
      const withStolen = await announce(stolen.toString());
      await expectRefusal(lab, B, 'KID_REGION', () => lab.network.deliver(B.name, withStolen), { field: 'birthCert' });
      expect(await useOf(lab, B, keyId)).to.equal('NotFoundException');
      await lab.network.deliver(B.name, honest.octets);
      lab.network.waiting.push(
        ...lab.network.seen.filter((message) => message.label === 'M1' && message.to === A.name),
      );
      await lab.run();
      expect(await useOf(lab, B, keyId)).to.equal('usable');
    },
  );

  attack('A37 a message and a key of another partition with a region of the same name are refused', async (lab) => {
    const { A, B } = lab;
    await lab.replicate(A, await lab.createKey(A), B);
    const intent = await lab.until('M0');
    const foreign = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 'part', 'aws-cn-lab'));
    await expectRefusal(lab, B, 'PARTITION', () => lab.network.deliver(B.name, foreign), { field: 'part' });
    const birth = {
      partition: 'aws-cn-lab',
      originRegion: A.name,
      birthNonce: Buffer.alloc(32, 5),
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
      createdEpoch: lab.roster.epoch,
    };
    const issued = await issueBirthCertificate(birth, A.kid, (kid, octets) => lab.signer(A, kid).sign(octets));
    const born = await resigned(intent.octets, lab.signer(A), (payload) => {
      put(payload, 'keys.0.keyId', issued.keyId);
      put(payload, 'keys.0.birthCert', issued.birthCertificate);
    });
    await expectRefusal(lab, B, 'PARTITION', () => lab.network.deliver(B.name, born), { field: 'birthCert.part' });
    expect(PARTITION).to.not.equal('aws-cn-lab');
  });

  attack('A47 certificates, rosters, import tokens and messages are not taken for one another', async (lab) => {
    const { A, B, C } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const intent = await lab.until('M0');
    const { birthCert } = (partsOf(intent.octets).payload['keys'] as { birthCert: string }[])[0]!;
    const importToken = await signTexts(
      lab.signer(A),
      { alg: 'ES384', kid: A.kid, typ: 'mrkr1-import-token+jws' },
      { v: 1, t: 'mrkr1-import-token+jws', keyId },
    );
    for (const other of [birthCert, lab.roster.compact, importToken.toString()]) {
      await expectRefusal(lab, B, 'TYP', () => lab.network.deliver(B.name, Buffer.from(other)), { field: 'typ' });
    }
    for (const other of [birthCert, Buffer.from(intent.octets).toString(), importToken.toString()]) {
      await expectRefusal(lab, B, 'TYP', async () => B.agent.applyRosters([other]), { field: 'roster' });
    }
    for (const other of [lab.roster.compact, Buffer.from(intent.octets).toString(), importToken.toString()]) {
      const forged = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 'keys.0.birthCert', other));
      await expectRefusal(lab, B, 'TYP', () => lab.network.deliver(B.name, forged), { field: 'birthCert' });
    }
    // A payload that says another type than its header, both signed.
    const twoFaced = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 't', 'mrkr1-offer+jws'));
    await expectRefusal(lab, B, 'TYP', () => lab.network.deliver(B.name, twoFaced), { field: 't' });
    expect(rowsOf(C).some((row) => row.includes(keyId))).to.equal(false);
  });

  attack('A51 names and key ids in other spellings are refused, however they look', async (lab) => {
    const { A, B } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    const intent = await lab.until('M0');
    const spellings = [
      'Us-east-1',
      'us‐east‐1',
      'us-east-1.',
      'us-east-1\u0000',
      'us-east-1 ',
      'ｕs-east-1',
      'us-eaſt-1',
      '',
      'x'.repeat(33),
      7,
      null,
      ['us-east-1'],
    ];
    for (const name of ['iss', 'dst', 'part']) {
      for (const spelling of spellings) {
        const forged = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, name, spelling));
        await expectRefusal(lab, B, 'SYNTAX', () => lab.network.deliver(B.name, forged), { field: name });
      }
    }
    const ids = [
      keyId.toUpperCase(),
      `${keyId}.`,
      `${keyId}\u0000`,
      keyId.replace('mrk-', 'mrk‐'),
      `${keyId}0`,
      keyId.slice(0, -1),
      `arn:aws:kms:x:1:key/${keyId}`,
      1,
    ];
    for (const id of ids) {
      const forged = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 'keys.0.keyId', id));
      await expectRefusal(lab, B, 'SYNTAX', () => lab.network.deliver(B.name, forged), { field: 'keys[0].keyId' });
    }
  });

  attack(
    "A52 a message of A to A is refused, also with A's signature, and A's key manager starts none",
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const intent = await lab.until('M0');
      const loop = await resigned(intent.octets, lab.signer(A), (payload) => put(payload, 'dst', A.name));
      await expectRefusal(lab, A, 'SELF', () => lab.network.deliver(A.name, loop), { field: 'iss' });
      expect(A.agent.refusal(REGIONS.A)).to.match(/holds the primary key already/);
      const asked = await lab.replicate(A, keyId, A).catch((error: unknown) => error);
      expect(asked).to.have.property('code', 'AlreadyExistsException');
    },
  );
});
