import { expect } from 'chai';
import { utf8 } from '../../../src/bytes.js';
import { decodeContext, encodeContext } from '../../../src/replication/context_codec.js';
import type { KeyMetadataContext, RotationContext } from '../../../src/replication/key_context.js';
import { isReject } from '../../../src/wire/refusal.js';

const version = (index: number, state: 'CURRENT' | 'NON_CURRENT') => ({
  materialId: String(index).repeat(64),
  index,
  state,
  createdMs: index,
});

const CONTEXT: KeyMetadataContext = {
  keyId: `mrk-${'0'.repeat(32)}`,
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  origin: 'AWS_KMS',
  dataSuite: 'SP800108-GCM',
  account: '111122223333',
  primaryRegion: 'us-east-1',
  regions: ['us-east-1', 'eu-west-1'],
  materials: [version(0, 'NON_CURRENT'), version(1, 'CURRENT'), version(2, 'NON_CURRENT')],
  replica: { description: '', policy: '{}', tags: [] },
};
const FIRST = { type: null, rotatedMs: null };
const DONE = { type: 'AUTOMATIC', rotatedMs: 5 } as const;
const WAITING = { type: 'ON_DEMAND', rotatedMs: null } as const;

describe('What a transfer says of rotations', () => {
  const decoded = (rotation: unknown, context: object = CONTEXT) =>
    decodeContext(utf8(JSON.stringify({ ...context, rotation })));

  it('comes as it was sent, with a setting and without, or is left out', () => {
    for (const setting of [null, { periodDays: 90, nextMs: 1_800_000_000_000 }]) {
      const rotation: RotationContext = { setting, versions: [FIRST, DONE, WAITING] };
      expect(decodeContext(encodeContext({ ...CONTEXT, rotation }))).to.deep.equal({ ...CONTEXT, rotation });
    }
    expect(decodeContext(encodeContext(CONTEXT))).to.deep.equal(CONTEXT);
  });

  const refusals: readonly (readonly [string, unknown, string])[] = [
    ['fewer versions than materials', { setting: null, versions: [FIRST, DONE] }, 'ctx.rotation.versions'],
    [
      'a date without a rotation',
      { setting: null, versions: [{ type: null, rotatedMs: 1 }, DONE, WAITING] },
      'versions',
    ],
    ['current material that waits', { setting: null, versions: [FIRST, WAITING, DONE] }, 'versions'],
    ['older material that waits', { setting: null, versions: [WAITING, DONE, DONE] }, 'versions'],
    ['another type', { setting: null, versions: [FIRST, { type: 'YEARLY', rotatedMs: 1 }, WAITING] }, 'type'],
    ['a setting without a period', { setting: { nextMs: 1 }, versions: [FIRST, DONE, WAITING] }, 'periodDays'],
    ['something else', { setting: null, versions: [FIRST, DONE, WAITING], more: 1 }, 'more'],
    ['nothing', null, 'rotation'],
  ];
  for (const [title, rotation, field] of refusals) {
    it(`is refused: ${title}`, () => {
      const refused = decoded(rotation);
      if (!isReject(refused)) return expect.fail('it was taken');
      expect(refused.field).to.include(field);
    });
  }

  it('is refused of imported material, whose rotations are told in another place', () => {
    const rotation: RotationContext = { setting: null, versions: [FIRST, DONE, WAITING] };
    const versions = CONTEXT.materials.map(() => ({ description: null, rotatedMs: null }));
    const imported = { ...CONTEXT, origin: 'EXTERNAL', imported: { versions, pending: null } };
    expect(isReject(decodeContext(utf8(JSON.stringify(imported))))).to.equal(false);
    const refused = decoded(rotation, imported);
    expect(isReject(refused) && refused.code).to.equal('SYNTAX');
  });
});
