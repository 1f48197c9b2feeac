import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { concat, utf8 } from '../../../src/bytes.js';
import type { RefusalCode } from '../../../src/wire/refusal.js';
import { flipBit, signerOf, signTexts, takeApart, withSignature } from '../../support/forge.js';
import { receivers, Scene } from '../../support/replication_scene.js';

const N = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

function scalar(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(96, '0'), 'hex');
}

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
    const header = (members: object): string =>
      JSON.stringify({ alg: 'ES384', kid: jws.kid, typ: jws.typ, ...members });
    const cases: [RefusalCode, Uint8Array][] = [
      ['ALG', await signTexts(header({ alg: 'none' }), text, signer)],
      ['ALG', await signTexts(header({ alg: 'ES256' }), text, signer)],
      ['HEADER', await signTexts(header({ jwk: scene.b.jwk }), text, signer)],
      ['HEADER', await signTexts(header({ crit: ['b64'] }), text, signer)],
      [
        'JSON_DUP',
        await signTexts(`{"alg":"ES384","alg":"ES384","kid":"${jws.kid}","typ":"${jws.typ}"}`, text, signer),
      ],
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
    expect(
      await scene.give(
        scene.a,
        await signTexts(header({ alg: 'HS384' }), text, { kid: jws.kid, sign: async () => concat(derived, derived) }),
      ),
    ).to.deep.equal(['ALG']);
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
