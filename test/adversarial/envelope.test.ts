import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { attacksOn, expectRefusal, useOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import {
  compactOf,
  CURVE_ORDER,
  partsOf,
  publicPem,
  resigned,
  signatureOf,
  signTexts,
  withBitFlipped,
  withMirroredSignature,
  withSignature,
} from '../support/forgery.js';
import type { SentMessage } from '../support/hostile_network.js';

/** Runs a session and shows each message to `look` before it is delivered. */
async function throughSession(lab: AttackLab, look: (message: SentMessage) => Promise<void>): Promise<string> {
  const keyId = await lab.createKey(lab.A);
  await lab.replicate(lab.A, keyId, lab.B);
  for (let message = lab.network.waiting.shift(); message !== undefined; message = lab.network.waiting.shift()) {
    await look(message);
    await lab.network.deliver(message.to, message.octets);
    await lab.settle();
  }
  return keyId;
}

const regionNamed = (lab: AttackLab, name: string): LabRegion => (lab.A.name === name ? lab.A : lab.B);
const otherOf = (lab: AttackLab, region: LabRegion): LabRegion => (region === lab.A ? lab.B : lab.A);

describe('an adversary who changes the envelope of messages', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));

  attack(
    'A01 a bit changed in the payload or the signature of any message makes the signature invalid',
    async (lab) => {
      const labels: string[] = [];
      await throughSession(lab, async (message) => {
        labels.push(message.label);
        const to = regionNamed(lab, message.to);
        const { length } = JSON.stringify(partsOf(message.octets).payload);
        const bits = [
          0,
          7,
          8 * 40 + 3,
          8 * (length - 1),
          ...Array.from({ length: 4 }, (_, at) => 8 * Math.floor((length * at) / 4) + at),
        ];
        for (const bit of bits) {
          const forged = withBitFlipped(message.octets, 'payload', bit);
          await expectRefusal(lab, to, 'SIG_INVALID', () => lab.network.deliver(to.name, forged), {
            field: 'signature',
          });
        }
        for (const bit of [7, 8 * 20, 8 * 47, 8 * 48 + 1, 8 * 95]) {
          const forged = withBitFlipped(message.octets, 'signature', bit);
          await expectRefusal(lab, to, 'SIG_INVALID', () => lab.network.deliver(to.name, forged), {
            field: 'signature',
          });
        }
      });
      expect(labels).to.deep.equal(['M0', 'M1', 'M2', 'M3', 'M4']);
    },
  );

  attack(
    'A01 a bit changed in the header is refused before or by the signature, and another type is refused by it',
    async (lab) => {
      const codes = new Set<string>();
      await throughSession(lab, async (message) => {
        const to = regionNamed(lab, message.to);
        const { length } = JSON.stringify(partsOf(message.octets).header);
        for (let octet = 0; octet < length; octet += 9) {
          const before = to.audit.records.length;
          await lab.network.deliver(to.name, withBitFlipped(message.octets, 'header', octet * 8 + (octet % 7)));
          const records = to.audit.records.slice(before);
          expect(records, `octet ${octet}`).to.have.lengthOf(1);
          codes.add(records[0]?.code ?? '');
        }
        const { header, payload, signature } = partsOf(message.octets);
        const typ = message.label === 'M3' ? 'mrkr1-offer+jws' : 'mrkr1-confirm+jws';
        const forged = compactOf({ ...header, typ }, payload, signature);
        await expectRefusal(lab, to, 'SIG_INVALID', () => lab.network.deliver(to.name, forged));
      });
      for (const code of codes)
        expect(code).to.be.oneOf([
          'SYNTAX',
          'ALG',
          'HEADER',
          'TYP',
          'KID_STATE',
          'SIG_INVALID',
          'JSON_DUP',
          'ENCODING',
        ]);
    },
  );

  attack('A02 an algorithm other than ES384 is refused by its name, whatever the signature is', async (lab) => {
    await throughSession(lab, async (message) => {
      if (message.label !== 'M1' && message.label !== 'M2') return;
      const to = regionNamed(lab, message.to);
      const { header, payload, signature } = partsOf(message.octets);
      const secret = publicPem(otherOf(lab, to).jwk);
      for (const alg of ['none', 'NONE', 'HS384', 'ES256', 'ES512', 'es384', '', null, ['ES384']]) {
        const forgedHeader = { ...header, alg };
        const mac = createHmac('sha384', secret)
          .update(compactOf(forgedHeader, payload, signature))
          .digest();
        for (const forgedSignature of [signature, Buffer.concat([mac, mac])]) {
          const forged = compactOf(forgedHeader, payload, forgedSignature);
          await expectRefusal(lab, to, 'ALG', () => lab.network.deliver(to.name, forged), { field: 'alg' });
        }
        // Signatures of these algorithms' own lengths have not even the form of a message.
        for (const own of [Buffer.alloc(0), mac, Buffer.alloc(64, 1), Buffer.alloc(132, 1)]) {
          const forged = compactOf(forgedHeader, payload, own);
          await expectRefusal(lab, to, 'ENCODING', () => lab.network.deliver(to.name, forged));
        }
      }
    });
  });

  attack('A03 a header with any further member is refused, also where its owner signed it', async (lab) => {
    await throughSession(lab, async (message) => {
      if (message.label !== 'M1' && message.label !== 'M2') return;
      const to = regionNamed(lab, message.to);
      const from = otherOf(lab, to);
      const members = {
        jwk: from.jwk,
        jku: 'https://x.test/',
        x5u: 'https://x.test/',
        x5c: ['AA'],
        crit: ['b64'],
        b64: false,
        cty: 'x',
      };
      for (const [name, value] of Object.entries(members)) {
        const forged = await resigned(message.octets, lab.signer(from), (_payload, header) => {
          header[name] = value;
        });
        await expectRefusal(lab, to, 'HEADER', () => lab.network.deliver(to.name, forged), { field: name });
      }
    });
  });

  attack(
    'A04 a member name that occurs twice is refused in the payload and in the header, also where its owner signed it',
    async (lab) => {
      await throughSession(lab, async (message) => {
        if (message.label !== 'M1' && message.label !== 'M2') return;
        const to = regionNamed(lab, message.to);
        const signer = lab.signer(otherOf(lab, to));
        const { header, payload } = partsOf(message.octets);
        const text = JSON.stringify(payload);
        const twice = [
          text.replace('"dst"', `"dst":"${lab.A.name}","dst"`),
          text.replace('"dst"', `"d\\u0073t":"${lab.B.name}","dst"`),
          text.replace('"keys":[{', `"keys":[{"keyId":"x",`),
        ];
        for (const forgedPayload of twice) {
          expect(forgedPayload).to.not.equal(text);
          const forged = await signTexts(signer, header, forgedPayload);
          await expectRefusal(lab, to, 'JSON_DUP', () => lab.network.deliver(to.name, forged));
        }
        const forgedHeader = JSON.stringify(header).replace('"alg"', '"alg":"none","alg"');
        const forged = await signTexts(signer, forgedHeader, text);
        await expectRefusal(lab, to, 'JSON_DUP', () => lab.network.deliver(to.name, forged));
      });
    },
  );

  attack('A05 padding, other alphabets, white space and spare bits in base64url are refused', async (lab) => {
    await throughSession(lab, async (message) => {
      if (message.label !== 'M1') return;
      const [header = '', payload = '', signature = ''] = Buffer.from(message.octets).toString().split('.');
      const spare = (part: string): string => {
        // The last character of a part that has spare bits says the same octets with another last bit.
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
        return `${part.slice(0, -1)}${alphabet[alphabet.indexOf(part.at(-1) ?? '') ^ 1]}`;
      };
      const withSpareBits = [header, payload].filter((part) => part.length % 4 !== 0);
      const forgeries = [
        `${header}=.${payload}.${signature}`,
        `${header}.${payload}==.${signature}`,
        `${header}.${payload}.${signature}=`,
        `${header}.${payload}.${signature.slice(0, 127)}+`,
        `${header}.${payload}.${signature.slice(0, 127)}/`,
        `${header}.${payload.slice(0, 40)} ${payload.slice(40)}.${signature}`,
        `${header}.${payload.slice(0, 40)}\n${payload.slice(40)}.${signature}`,
        ` ${header}.${payload}.${signature}`,
        `${header}.${payload}.${signature}\n`,
        `${header}.${payload}.${signature}.`,
        `.${payload}.${signature}`,
        `${header}..${signature}`,
        `${header}.${payload}`,
        `\ufeff${header}.${payload}.${signature}`,
        ...(header.length % 4 === 0 ? [] : [`${spare(header)}.${payload}.${signature}`]),
        ...(payload.length % 4 === 0 ? [] : [`${header}.${spare(payload)}.${signature}`]),
      ];
      expect(withSpareBits, 'parts with spare bits').to.not.have.lengthOf(0);
      for (const forged of forgeries) {
        await expectRefusal(lab, lab.A, 'ENCODING', () => lab.network.deliver(lab.A.name, Buffer.from(forged)));
      }
    });
  });

  attack(
    'A06 the mirrored signature (r, n − s) is accepted as the same message, and the second delivery does nothing again',
    async (lab) => {
      const keyId = await lab.createKey(lab.A);
      await lab.replicate(lab.A, keyId, lab.B);
      const offer = await lab.until('M1');
      const mirrored = withMirroredSignature(offer.octets);
      expect(partsOf(mirrored).messageId).to.equal(partsOf(offer.octets).messageId);
      await lab.network.deliver(lab.A.name, mirrored);
      await lab.network.deliver(lab.A.name, offer.octets);
      const transfers = lab.network.waiting.filter((message) => message.label === 'M2');
      expect(transfers).to.have.lengthOf(2);
      expect(Buffer.from(transfers[0]!.octets).equals(transfers[1]!.octets), 'the same octets again').to.equal(true);
      lab.network.drop();
      await lab.network.deliver(lab.B.name, withMirroredSignature(transfers[0]!.octets));
      await lab.network.deliver(lab.B.name, transfers[0]!.octets);
      const confirms = lab.network.waiting.filter((message) => message.label === 'M3');
      expect(confirms.map((message) => Buffer.from(message.octets).toString('hex'))).to.deep.equal(
        Array.from({ length: 2 }, () => Buffer.from(confirms[0]!.octets).toString('hex')),
      );
      await lab.run();
      expect([...lab.A.audit.refusals(), ...lab.B.audit.refusals()]).to.deep.equal([]);
      expect(await useOf(lab, lab.B, keyId)).to.equal('usable');
    },
  );

  attack('A07 signatures with r or s of zero, of the order or above it are refused', async (lab) => {
    await throughSession(lab, async (message) => {
      if (message.label !== 'M1' && message.label !== 'M2') return;
      const to = regionNamed(lab, message.to);
      const { signature } = partsOf(message.octets);
      const half = (at: number): bigint => BigInt(`0x${signature.subarray(at, at + 48).toString('hex')}`);
      const [r, s] = [half(0), half(48)];
      const top = 2n ** 384n - 1n;
      const pairs: [bigint, bigint][] = [
        [0n, s],
        [r, 0n],
        [0n, 0n],
        [CURVE_ORDER, s],
        [r, CURVE_ORDER],
        [CURVE_ORDER + 1n, s],
        [r, CURVE_ORDER + 1n],
        [top, s],
        [r, top],
        [1n, 1n],
        [s, r],
      ];
      for (const [one, two] of pairs) {
        const forged = withSignature(message.octets, signatureOf(one, two));
        await expectRefusal(lab, to, 'SIG_INVALID', () => lab.network.deliver(to.name, forged), { field: 'signature' });
      }
    });
  });
});
