import { createECDH, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { concat, toBase64Url, utf8 } from '../../../src/bytes.js';
import type { RefusalCode } from '../../../src/wire/refusal.js';
import { encodeContext } from '../../../src/replication/context_codec.js';
import { metadataHash } from '../../../src/wire/fixed_info.js';
import { at, resign, signerOf, signTexts, takeApart, type Changeable } from '../../support/forge.js';
import { receivers, Scene } from '../../support/replication_scene.js';

/** Validly signed bad messages: which message, who signs, what is changed, and the refusal. */
interface Forgery {
  readonly title: string;
  readonly number: 0 | 1 | 2 | 3 | 4;
  readonly code: RefusalCode;
  readonly by?: 'a' | 'b' | 'c';
  readonly change: (payload: Changeable, scene: Scene) => void;
  readonly to?: 'a' | 'b' | 'c';
  readonly typ?: string;
  /** The session ends, because an authentic peer has broken it. */
  readonly fatal?: boolean;
}

function point(octets: Uint8Array): string {
  return toBase64Url(octets);
}

const goodPoint = createECDH('secp384r1').generateKeys();
const compressed = createECDH('secp384r1');
compressed.generateKeys();
const p256 = createECDH('prime256v1').generateKeys();
const offCurve = Uint8Array.from(goodPoint);
offCurve[96] = (offCurve[96] ?? 0) ^ 1;

const badPoints: readonly (readonly [string, Uint8Array])[] = [
  ['off the curve', offCurve],
  ['(0, 0)', concat(new Uint8Array([4]), new Uint8Array(96))],
  ['infinity', new Uint8Array([0])],
  ['with x not below p', concat(new Uint8Array([4]), new Uint8Array(48).fill(255), new Uint8Array(48).fill(1))],
  ['of P-256', p256],
  ['compressed', compressed.getPublicKey(null, 'compressed')],
  ['hybrid', compressed.getPublicKey(null, 'hybrid')],
  ['one octet short', goodPoint.subarray(0, 96)],
  ['one octet long', concat(goodPoint, new Uint8Array(1))],
  ['wrapped in DER', concat(new Uint8Array([4, 97]), goodPoint)],
];

const forgeries: readonly Forgery[] = [
  { title: 'another partition', number: 1, code: 'PARTITION', change: (payload) => (payload['part'] = 'aws-cn-lab') },
  {
    title: 'a region name in another case',
    number: 1,
    code: 'SYNTAX',
    change: (payload) => (payload['iss'] = 'Eu-west-1'),
  },
  {
    title: 'a region name with a trailing dot',
    number: 1,
    code: 'SYNTAX',
    change: (payload) => (payload['dst'] = 'us-east-1.'),
  },
  { title: 'a region name with NUL', number: 1, code: 'SYNTAX', change: (payload) => (payload['dst'] = 'us-east-1\0') },
  { title: 'the key of another region', number: 1, code: 'KID_REGION', by: 'c', change: () => undefined },
  {
    title: 'this region as issuer and destination',
    number: 1,
    code: 'SELF',
    by: 'a',
    change: (payload) => (payload['iss'] = 'us-east-1'),
  },
  { title: 'another destination', number: 1, code: 'DST', change: (payload) => (payload['dst'] = 'ap-south-1') },
  {
    title: 'the offer re-signed by a third region',
    number: 1,
    code: 'DST',
    by: 'c',
    change: (payload) => (payload['iss'] = 'ap-south-1'),
  },
  { title: 'the type of another message', number: 1, code: 'TYP', typ: 'mrkr1-transfer+jws', change: () => undefined },
  { title: 'the type of another flow', number: 1, code: 'TYP', typ: 'mrkr1-birth+jws', change: () => undefined },
  { title: 'the own message, reflected', number: 0, code: 'TYP', by: 'a', to: 'a', change: () => undefined },
  {
    title: 'another roster of the same epoch',
    number: 1,
    code: 'ROSTER_FORK',
    change: (payload) => (payload['rosterHash'] = toBase64Url(randomBytes(48))),
  },
  {
    title: 'an epoch that is not there yet',
    number: 1,
    code: 'EPOCH_AHEAD',
    change: (payload) => (payload['epoch'] = '9'),
  },
  { title: 'an epoch before the first', number: 1, code: 'EPOCH_STALE', change: (payload) => (payload['epoch'] = '0') },
  {
    title: 'an unknown previous message',
    number: 1,
    code: 'PREV',
    change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))),
  },
  {
    title: 'a sid that nobody offered',
    number: 2,
    code: 'SID',
    change: (payload) => (payload['sid'] = toBase64Url(randomBytes(32))),
  },
  {
    title: 'the right sid and another previous message',
    number: 2,
    code: 'PREV',
    change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))),
  },
  {
    title: 'the session of another source',
    number: 2,
    code: 'DST',
    by: 'c',
    change: (payload) => (payload['iss'] = 'ap-south-1'),
  },
  {
    title: 'a confirmation of another session',
    number: 3,
    code: 'SID',
    change: (payload) => (payload['sid'] = toBase64Url(randomBytes(32))),
  },
  {
    title: 'a confirmation of another transcript',
    number: 3,
    code: 'KC',
    change: (payload) => (payload['kcD'] = toBase64Url(randomBytes(48))),
  },
  {
    title: 'no confirmation',
    number: 3,
    code: 'KC',
    change: (payload) => {
      delete payload['kcD'];
    },
  },
  {
    title: 'a confirmation of other materials',
    number: 3,
    code: 'CONTEXT',
    change: (payload) => (at(payload, 'keys', 0)['installed'] = ['0'.repeat(64)]),
  },
  {
    title: 'a close that answers nothing',
    number: 4,
    code: 'PREV',
    change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))),
  },
  {
    title: "a key that is another region's",
    number: 0,
    code: 'ORIGIN',
    by: 'c',
    change: (payload) => (payload['iss'] = 'ap-south-1'),
  },
  {
    title: 'a key id that is not the certificate’s',
    number: 0,
    code: 'ORIGIN',
    change: (payload) => (at(payload, 'keys', 0)['keyId'] = `mrk-${'0'.repeat(32)}`),
  },
  {
    title: 'a roster in place of the certificate',
    number: 0,
    code: 'TYP',
    change: (payload, scene) => (at(payload, 'keys', 0)['birthCert'] = scene.partition.roster?.compact ?? ''),
  },
  {
    title: 'another floor than the roster’s',
    number: 0,
    code: 'FLOOR',
    change: (payload) => (payload['policyFloor'] = 'OSKDF-A256KWP'),
  },
  {
    title: 'too many materials',
    number: 0,
    code: 'LIMIT',
    change: (payload) => (at(payload, 'keys', 0)['materialIds'] = Array.from({ length: 65 }, () => '0'.repeat(64))),
  },
  {
    title: 'other keys than were announced',
    number: 1,
    code: 'CONTEXT',
    fatal: true,
    change: (payload) => (at(payload, 'keys', 0)['gen'] = '7'),
  },
  {
    title: 'a worse suite than the best',
    number: 2,
    code: 'SUITE_CHOICE',
    fatal: true,
    change: (payload) => (payload['suite'] = 'CBCDERIVE-A256KWP'),
  },
  {
    title: 'other metadata than was announced',
    number: 2,
    code: 'CONTEXT',
    fatal: true,
    change: (payload) => (at(payload, 'keys', 0)['ctx'] = toBase64Url(utf8('{}'))),
  },
  {
    title: 'a source’s confirmation that is wrong',
    number: 2,
    code: 'KC',
    fatal: true,
    change: (payload) => (payload['kcS'] = toBase64Url(randomBytes(48))),
  },
  {
    title: 'a wrapped blob that was exchanged',
    number: 2,
    code: 'KC',
    fatal: true,
    change: (payload) => (at(payload, 'keys', 0, 'wrapped', 0)['blob'] = toBase64Url(randomBytes(40))),
  },
  {
    title: 'materials that were not announced',
    number: 2,
    code: 'CONTEXT',
    fatal: true,
    change: (payload) => (at(payload, 'keys', 0, 'wrapped', 0)['materialId'] = '0'.repeat(64)),
  },
  ...badPoints.map(([name, octets]): Forgery => ({
    title: `an offered point ${name}`,
    number: 1,
    code: 'POINT',
    fatal: true,
    change: (payload) => (at(payload, 'rakb')['pt'] = point(octets)),
  })),
  ...badPoints.map(([name, octets]): Forgery => ({
    title: `a transferred point ${name}`,
    number: 2,
    code: 'POINT',
    fatal: true,
    change: (payload) => (at(payload, 'raka')['pt'] = point(octets)),
  })),
  {
    title: 'a point said to be on another curve',
    number: 1,
    code: 'POINT',
    fatal: false,
    change: (payload) => (at(payload, 'rakb')['crv'] = 'P-256'),
  },
];

describe('refusal of what a region has signed and should not have', () => {
  for (const forgery of forgeries) {
    it(`M${forgery.number} with ${forgery.title} is refused as ${forgery.code}`, async () => {
      const scene = await Scene.open();
      const message = await scene.upTo(forgery.number);
      const receiver = scene[forgery.to ?? receivers[forgery.number]];
      const sender = forgery.by ?? (forgery.number % 2 === 0 ? 'a' : 'b');
      const calls = receiver.hsm.calls.get('agree') ?? 0;
      const forged = await resign(
        message,
        signerOf(scene[sender]),
        (payload) => forgery.change(payload, scene),
        forgery.typ,
      );
      expect(await scene.give(receiver, forged)).to.deep.equal([forgery.code]);
      if (forgery.code === 'POINT') expect(receiver.hsm.calls.get('agree') ?? 0).to.equal(calls);
      if (forgery.number === 4 || forgery.fatal === true) {
        if (forgery.fatal === true) {
          await scene.partition.run();
          expect(scene.a.keys.failures.get(`${scene.keyId} ${scene.b.name}`)).to.match(new RegExp(`^${forgery.code}:`));
          expect(scene.b.keys.replicas.has(scene.keyId)).to.equal(false);
        }
        await scene.close();
      } else await scene.finish(message, receiver);
    });
  }

  it('a reflected own point is refused as SELF_POINT before any token call', async () => {
    const scene = await Scene.open();
    const offer = takeApart(await (async () => await scene.upTo(1))());
    await scene.partition.network.deliver(scene.a.name, utf8(offer.jws.compact));
    const transfer = scene.take();
    const own = String(at(offer.payload as Changeable, 'rakb')['pt']);
    const forged = await resign(transfer, signerOf(scene.a), (payload) => (at(payload, 'raka')['pt'] = own));
    expect(await scene.give(scene.b, forged)).to.deep.equal(['SELF_POINT']);
    expect(scene.b.hsm.calls.get('agree') ?? 0).to.equal(0);
    await scene.close();
  });

  it('a data suite that the token cannot do is refused as DATA_SUITE', async () => {
    const scene = await Scene.open();
    const key = scene.a.keys.primaries.get(scene.keyId);
    (scene.b.hsm as { dataSuites: readonly string[] }).dataSuites = ['CBCDATA-GCM'];
    expect(key?.context.dataSuite).to.equal('SP800108-GCM');
    await scene.partition.run();
    expect(scene.b.audit.refusals()).to.deep.equal(['DATA_SUITE']);
    expect(scene.a.keys.failures.get(`${scene.keyId} ${scene.b.name}`)).to.match(/^DATA_SUITE:/);
    await scene.close();
  });

  it('metadata that was announced and is not what was certified is refused as CONTEXT', async () => {
    const scene = await Scene.open();
    const intent = await scene.upTo(0);
    const key = scene.a.keys.exportable(scene.keyId, scene.b.name);
    if (key === undefined) throw new Error('no key');
    const context = encodeContext({ ...key.context, account: '999999999999' });
    const forgedIntent = await resign(
      intent,
      signerOf(scene.a),
      (payload) => (at(payload, 'keys', 0)['metaHash'] = toBase64Url(metadataHash(context))),
    );
    await scene.give(scene.b, forgedIntent);
    const offer = takeApart(scene.take());
    const forged = await signTexts(
      JSON.stringify({ alg: 'ES384', kid: scene.a.kid, typ: 'mrkr1-transfer+jws' }),
      JSON.stringify({
        ...offer.payload,
        t: 'mrkr1-transfer+jws',
        seq: 2,
        role: 'S',
        iss: scene.a.name,
        dst: scene.b.name,
        prev: offer.jws.messageId,
        keys: [
          {
            keyId: scene.keyId,
            gen: '1',
            ctx: toBase64Url(context),
            wrapped: [
              {
                materialId: key.context.materials[0]?.materialId,
                class: 'CKO_SECRET_KEY',
                keyType: 'CKK_AES',
                len: 32,
                blob: toBase64Url(randomBytes(40)),
              },
            ],
          },
        ],
        suite: 'OSKDF-A256KWP',
        raka: { crv: 'P-384', pt: toBase64Url(goodPoint) },
        kcS: toBase64Url(randomBytes(48)),
        rakb: undefined,
        dCap: undefined,
        suitesD: undefined,
      }),
      signerOf(scene.a),
    );
    expect(await scene.give(scene.b, forged)).to.deep.equal(['CONTEXT']);
    await scene.close();
  });
});
