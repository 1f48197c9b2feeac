import { createECDH, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { concat, toBase64Url, utf8 } from '../../../src/bytes.js';
import type { RefusalCode } from '../../../src/wire/refusal.js';
import { encodeContext } from '../../../src/replication/context_codec.js';
import { metadataHash } from '../../../src/wire/fixed_info.js';
import { at, flipBit, resign, signerOf, signTexts, takeApart, withSignature, type Changeable } from '../../support/forge.js';
import { TestPartition, type TestRegion } from '../../support/replication_partition.js';

const N = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

function scalar(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(96, '0'), 'hex');
}

/** Two honest regions and a third, C, whose RSK the attacker has. */
class Scene {
  readonly partition: TestPartition;
  readonly a: TestRegion;
  readonly b: TestRegion;
  readonly c: TestRegion;
  keyId = '';

  constructor(partition: TestPartition) {
    this.partition = partition;
    this.a = partition.region('us-east-1');
    this.b = partition.region('eu-west-1');
    this.c = partition.region('ap-south-1');
  }

  static async open(args: Partial<Parameters<typeof TestPartition.create>[0]> = {}): Promise<Scene> {
    const partition = await TestPartition.create({ regions: ['us-east-1', 'eu-west-1', 'ap-south-1'], ...args });
    const scene = new Scene(partition);
    await partition.start();
    scene.keyId = await partition.createKey(scene.a);
    partition.replicate(scene.a, scene.keyId, scene.b.name);
    await scene.a.agent.settled();
    return scene;
  }

  /** Takes the next waiting message away from the network. */
  take(): Uint8Array {
    const message = this.partition.network.waiting.shift();
    if (message === undefined) throw new Error('no message waits');
    return message.octets;
  }

  /** Runs the exchange up to a message and takes that one: M0 is 0. */
  async upTo(number: 0 | 1 | 2 | 3 | 4): Promise<Uint8Array> {
    for (let message = 0; message < number; message += 1) {
      await this.partition.network.deliver(message % 2 === 0 ? this.b.name : this.a.name, this.take());
    }
    return this.take();
  }

  /** Gives octets to a region and says which refusals that made. */
  async give(region: TestRegion, octets: Uint8Array): Promise<readonly string[]> {
    const before = region.audit.refusals().length;
    await this.partition.network.deliver(region.name, octets);
    await region.agent.settled();
    return region.audit.refusals().slice(before);
  }

  /** The rest of the exchange is delivered, and the replica must be there: what came before has changed nothing. */
  async finish(octets: Uint8Array, region: TestRegion): Promise<void> {
    await this.partition.network.deliver(region.name, octets);
    await this.partition.run();
    await this.partition.advance(5_000);
    expect(this.b.keys.replicas.get(this.keyId)?.state).to.equal('Enabled');
    expect(this.a.keys.confirmations.get(`${this.keyId} ${this.b.name}`)).to.not.equal(undefined);
    await this.close();
  }

  async close(): Promise<void> {
    await this.partition.stop();
    for (const region of [this.a, this.b, this.c]) expect(region.hsm.heldObjects).to.equal(0);
  }
}

const receivers = ['b', 'a', 'b', 'a', 'b'] as const;

describe('refusal of what no region has signed', () => {
  for (const number of [0, 1, 2, 3, 4] as const) {
    it(`M${number} with a flipped bit in header, payload or signature is refused and changes nothing`, async () => {
      const scene = await Scene.open();
      const message = await scene.upTo(number);
      const receiver = scene[receivers[number]];
      const ephemerals = receiver.hsm.heldObjects;
      for (const part of [0, 1, 2] as const) {
        const refusals = await scene.give(receiver, flipBit(message, part, 8 * 20 + 1));
        expect(refusals).to.have.length(1);
        if (part > 0) expect(refusals).to.deep.equal(['SIG_INVALID']);
      }
      expect(receiver.hsm.heldObjects).to.equal(ephemerals);
      if (number < 4) await scene.finish(message, receiver);
      else await scene.close();
    });
  }

  it('other algorithms, further headers, duplicate members and lax base64url are refused', async () => {
    const scene = await Scene.open();
    const message = await scene.upTo(1);
    const { jws, payload } = takeApart(message);
    const signer = signerOf(scene.b);
    const text = JSON.stringify(payload);
    const header = (members: object): string => JSON.stringify({ alg: 'ES384', kid: jws.kid, typ: jws.typ, ...members });
    const cases: [RefusalCode, Uint8Array][] = [
      ['ALG', await signTexts(header({ alg: 'none' }), text, signer)],
      ['ALG', await signTexts(header({ alg: 'ES256' }), text, signer)],
      ['HEADER', await signTexts(header({ jwk: scene.b.jwk }), text, signer)],
      ['HEADER', await signTexts(header({ crit: ['b64'] }), text, signer)],
      ['JSON_DUP', await signTexts(`{"alg":"ES384","alg":"ES384","kid":"${jws.kid}","typ":"${jws.typ}"}`, text, signer)],
      ['JSON_DUP', await signTexts(header({}), text.replace('"dst":', '"dst":"us-east-1","dst":'), signer)],
      ['SYNTAX', await signTexts(header({}), text.replace('"v":1', '"v":1.0'), signer)],
      ['SYNTAX', await signTexts(header({}), text.replace('"v":1', '"v":2'), signer)],
      ['SYNTAX', await signTexts(header({}), text.replace('{', '{"more":1,'), signer)],
      ['ENCODING', utf8(`${jws.compact}=`)],
      ['ENCODING', utf8(jws.compact.replace('.', '=.'))],
      ['ENCODING', utf8(` ${jws.compact}`)],
      ['LIMIT', new Uint8Array(65_537).fill(65)],
      ['LIMIT', await signTexts(header({}), `${'['.repeat(1_000)}${']'.repeat(1_000)}`, signer)],
    ];
    for (const [code, octets] of cases) expect(await scene.give(scene.a, octets)).to.deep.equal([code]);
    const derived = createHmac('sha384', JSON.stringify(scene.b.jwk)).update(jws.signingInput).digest();
    expect(await scene.give(scene.a, await signTexts(header({ alg: 'HS384' }), text, { kid: jws.kid, sign: async () => concat(derived, derived) }))).to.deep.equal(['ALG']);
    await scene.finish(message, scene.a);
  });

  it('signature scalars out of range are refused', async () => {
    const scene = await Scene.open();
    const message = await scene.upTo(1);
    const { jws } = takeApart(message);
    const r = jws.signature.subarray(0, 48);
    const s = jws.signature.subarray(48);
    for (const [first, second] of [
      [scalar(0n), s],
      [r, scalar(0n)],
      [scalar(N), s],
      [r, scalar(N + 1n)],
      [scalar(0n), scalar(0n)],
    ] as const) {
      expect(await scene.give(scene.a, withSignature(message, concat(first, second)))).to.deep.equal(['SIG_INVALID']);
    }
    await scene.finish(message, scene.a);
  });

  it('the other valid signature (r, n - s) is the same message', async () => {
    const scene = await Scene.open();
    const message = await scene.upTo(2);
    await scene.partition.network.deliver(scene.b.name, message);
    const installed = scene.b.hsm.calls.get('unwrap');
    const { jws } = takeApart(message);
    const s = BigInt(`0x${Buffer.from(jws.signature.subarray(48)).toString('hex')}`);
    const twin = withSignature(message, concat(jws.signature.subarray(0, 48), scalar(N - s)));
    expect(await scene.give(scene.b, twin)).to.deep.equal([]);
    expect(scene.b.hsm.calls.get('unwrap')).to.equal(installed);
    await scene.finish(message, scene.b);
  });
});

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
  { title: 'a region name in another case', number: 1, code: 'SYNTAX', change: (payload) => (payload['iss'] = 'Eu-west-1') },
  { title: 'a region name with a trailing dot', number: 1, code: 'SYNTAX', change: (payload) => (payload['dst'] = 'us-east-1.') },
  { title: 'a region name with NUL', number: 1, code: 'SYNTAX', change: (payload) => (payload['dst'] = 'us-east-1\0') },
  { title: 'the key of another region', number: 1, code: 'KID_REGION', by: 'c', change: () => undefined },
  { title: 'this region as issuer and destination', number: 1, code: 'SELF', by: 'a', change: (payload) => (payload['iss'] = 'us-east-1') },
  { title: 'another destination', number: 1, code: 'DST', change: (payload) => (payload['dst'] = 'ap-south-1') },
  { title: 'the offer re-signed by a third region', number: 1, code: 'DST', by: 'c', change: (payload) => (payload['iss'] = 'ap-south-1') },
  { title: 'the type of another message', number: 1, code: 'TYP', typ: 'mrkr1-transfer+jws', change: () => undefined },
  { title: 'the type of another flow', number: 1, code: 'TYP', typ: 'mrkr1-birth+jws', change: () => undefined },
  { title: 'the own message, reflected', number: 0, code: 'TYP', by: 'a', to: 'a', change: () => undefined },
  { title: 'another roster of the same epoch', number: 1, code: 'ROSTER_FORK', change: (payload) => (payload['rosterHash'] = toBase64Url(randomBytes(48))) },
  { title: 'an epoch that is not there yet', number: 1, code: 'EPOCH_AHEAD', change: (payload) => (payload['epoch'] = '9') },
  { title: 'an epoch before the first', number: 1, code: 'EPOCH_STALE', change: (payload) => (payload['epoch'] = '0') },
  { title: 'an unknown previous message', number: 1, code: 'PREV', change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))) },
  { title: 'a sid that nobody offered', number: 2, code: 'SID', change: (payload) => (payload['sid'] = toBase64Url(randomBytes(32))) },
  { title: 'the right sid and another previous message', number: 2, code: 'PREV', change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))) },
  { title: 'the session of another source', number: 2, code: 'DST', by: 'c', change: (payload) => (payload['iss'] = 'ap-south-1') },
  { title: 'a confirmation of another session', number: 3, code: 'SID', change: (payload) => (payload['sid'] = toBase64Url(randomBytes(32))) },
  { title: 'a confirmation of another transcript', number: 3, code: 'KC', change: (payload) => (payload['kcD'] = toBase64Url(randomBytes(48))) },
  {
    title: 'no confirmation',
    number: 3,
    code: 'KC',
    change: (payload) => {
      delete payload['kcD'];
    },
  },
  { title: 'a confirmation of other materials', number: 3, code: 'CONTEXT', change: (payload) => (at(payload, 'keys', 0)['installed'] = ['0'.repeat(64)]) },
  { title: 'a close that answers nothing', number: 4, code: 'PREV', change: (payload) => (payload['prev'] = toBase64Url(randomBytes(48))) },
  { title: "a key that is another region's", number: 0, code: 'ORIGIN', by: 'c', change: (payload) => (payload['iss'] = 'ap-south-1') },
  { title: 'a key id that is not the certificate’s', number: 0, code: 'ORIGIN', change: (payload) => (at(payload, 'keys', 0)['keyId'] = `mrk-${'0'.repeat(32)}`) },
  { title: 'a roster in place of the certificate', number: 0, code: 'TYP', change: (payload, scene) => (at(payload, 'keys', 0)['birthCert'] = scene.partition.roster?.compact ?? '') },
  { title: 'another floor than the roster’s', number: 0, code: 'FLOOR', change: (payload) => (payload['policyFloor'] = 'OSKDF-A256KWP') },
  { title: 'too many materials', number: 0, code: 'LIMIT', change: (payload) => (at(payload, 'keys', 0)['materialIds'] = Array.from({ length: 65 }, () => '0'.repeat(64))) },
  { title: 'other keys than were announced', number: 1, code: 'CONTEXT', fatal: true, change: (payload) => (at(payload, 'keys', 0)['gen'] = '7') },
  { title: 'a worse suite than the best', number: 2, code: 'SUITE_CHOICE', fatal: true, change: (payload) => (payload['suite'] = 'CBCDERIVE-A256KWP') },
  { title: 'other metadata than was announced', number: 2, code: 'CONTEXT', fatal: true, change: (payload) => (at(payload, 'keys', 0)['ctx'] = toBase64Url(utf8('{}'))) },
  { title: 'a source’s confirmation that is wrong', number: 2, code: 'KC', fatal: true, change: (payload) => (payload['kcS'] = toBase64Url(randomBytes(48))) },
  { title: 'a wrapped blob that was exchanged', number: 2, code: 'KC', fatal: true, change: (payload) => (at(payload, 'keys', 0, 'wrapped', 0)['blob'] = toBase64Url(randomBytes(40))) },
  { title: 'materials that were not announced', number: 2, code: 'CONTEXT', fatal: true, change: (payload) => (at(payload, 'keys', 0, 'wrapped', 0)['materialId'] = '0'.repeat(64)) },
  ...badPoints.map(([name, octets]): Forgery => ({ title: `an offered point ${name}`, number: 1, code: 'POINT', fatal: true, change: (payload) => (at(payload, 'rakb')['pt'] = point(octets)) })),
  ...badPoints.map(([name, octets]): Forgery => ({ title: `a transferred point ${name}`, number: 2, code: 'POINT', fatal: true, change: (payload) => (at(payload, 'raka')['pt'] = point(octets)) })),
  { title: 'a point said to be on another curve', number: 1, code: 'POINT', fatal: false, change: (payload) => (at(payload, 'rakb')['crv'] = 'P-256') },
];

describe('refusal of what a region has signed and should not have', () => {
  for (const forgery of forgeries) {
    it(`M${forgery.number} with ${forgery.title} is refused as ${forgery.code}`, async () => {
      const scene = await Scene.open();
      const message = await scene.upTo(forgery.number);
      const receiver = scene[forgery.to ?? receivers[forgery.number]];
      const sender = forgery.by ?? (forgery.number % 2 === 0 ? 'a' : 'b');
      const calls = receiver.hsm.calls.get('agree') ?? 0;
      const forged = await resign(message, signerOf(scene[sender]), (payload) => forgery.change(payload, scene), forgery.typ);
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
    const offer = takeApart(await (async () => (await scene.upTo(1)))());
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
    const forgedIntent = await resign(intent, signerOf(scene.a), (payload) => (at(payload, 'keys', 0)['metaHash'] = toBase64Url(metadataHash(context))));
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
            wrapped: [{ materialId: key.context.materials[0]?.materialId, class: 'CKO_SECRET_KEY', keyType: 'CKK_AES', len: 32, blob: toBase64Url(randomBytes(40)) }],
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
