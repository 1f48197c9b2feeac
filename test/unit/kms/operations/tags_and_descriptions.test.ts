import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';
import { callOverWire } from '../../../support/wire_call.js';

interface TagPage {
  readonly Tags: readonly { readonly TagKey: string; readonly TagValue: string }[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

describe('Tags', () => {
  let software: SoftwareRegion;
  let KeyId: string;
  const call = (operation: string, request: object): Promise<Record<string, unknown>> =>
    callOverWire(software.call, operation, { KeyId, ...request });
  const tag = (tags: Readonly<Record<string, string>>): Promise<unknown> =>
    call('TagResource', { Tags: Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })) });
  const list = async (request: object = {}): Promise<TagPage> =>
    (await call('ListResourceTags', request)) as unknown as TagPage;

  beforeEach(async () => {
    software = makeSoftwareRegion();
    KeyId = (await createKey(software.call, { Tags: [{ TagKey: 'team', TagValue: 'blue' }] })).KeyMetadata.KeyId;
  });
  afterEach(() => software.close());

  it('are added, changed, and taken away, unknown ones passed over', async () => {
    await tag({ team: 'green', Team: '' });
    expect((await list()).Tags).to.deep.equal([
      { TagKey: 'Team', TagValue: '' },
      { TagKey: 'team', TagValue: 'green' },
    ]);
    await call('UntagResource', { TagKeys: ['team', 'nobody has this'] });
    expect(await list()).to.deep.equal({ Tags: [{ TagKey: 'Team', TagValue: '' }], Truncated: false });
  });

  for (const [what, Tags, message] of [
    [
      'twice the same tag key',
      [
        { TagKey: 'a', TagValue: '1' },
        { TagKey: 'a', TagValue: '2' },
      ],
      'Duplicate tag keys',
    ],
    ['reserved tag keys', [{ TagKey: 'aws:a', TagValue: '1' }], 'Tags beginning with aws: are reserved'],
    [
      'more than fifty with those that the key has',
      Array.from({ length: 50 }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' })),
      'Too many tags',
    ],
  ] as const) {
    it(`are refused where there are ${what}, and nothing is changed`, async () => {
      expect(await refusalOf(call('TagResource', { Tags }))).to.deep.equal({ code: 'TagException', message });
      expect((await list()).Tags).to.have.length(1);
    });
  }

  it('are fifty at most, of which each can still be changed', async () => {
    const others = Object.fromEntries(Array.from({ length: 49 }, (_, index) => [`k${index}`, 'a']));
    await tag(others);
    await tag({ team: 'red', ...others });
    expect((await list()).Tags).to.have.length(50);
    expect((await list({ Limit: 1000 })).Truncated).to.equal(false);
  });

  it('name the place of what is wrong in a request', async () => {
    const Tags = [
      { TagKey: 'a', TagValue: '' },
      { TagKey: '', TagValue: 'x'.repeat(257) },
    ];
    expect((await refusalOf(call('TagResource', { Tags }))).message).to.equal(
      `2 validation errors detected: Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '${'x'.repeat(257)}' at 'tags.2.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256`,
    );
  });

  it('are listed in the order of their tag keys, page by page, whatever comes and goes between the pages', async () => {
    await tag({ d: '', b: '', a: '', c: '' });
    const first = await list({ Limit: 2 });
    expect(first.Tags.map(({ TagKey }) => TagKey)).to.deep.equal(['a', 'b']);
    await tag({ aa: '', b: 'changed' });
    await call('UntagResource', { TagKeys: ['c'] });
    const rest = await list({ Limit: 2, Marker: first.NextMarker });
    expect(rest.Tags.map(({ TagKey }) => TagKey)).to.deep.equal(['d', 'team']);
    expect(rest).to.include({ Truncated: false }).and.not.have.property('NextMarker');
    expect((await refusalOf(list({ Marker: 'of another list' }))).code).to.equal('InvalidMarkerException');
  });

  it('of one key are not those of another', async () => {
    const other = (await createKey(software.call, {})).KeyMetadata.KeyId;
    await tag({ mine: 'yes' });
    expect(await callOverWire(software.call, 'ListResourceTags', { KeyId: other })).to.deep.equal({
      Tags: [],
      Truncated: false,
    });
  });
});

describe('UpdateKeyDescription', () => {
  it('replaces the description, also by none at all', async () => {
    const software = makeSoftwareRegion();
    const { KeyId } = (await createKey(software.call, { Description: 'first' })).KeyMetadata;
    for (const Description of ['second', '', 'd'.repeat(8192)]) {
      await callOverWire(software.call, 'UpdateKeyDescription', { KeyId, Description });
      const described = await callOverWire(software.call, 'DescribeKey', { KeyId });
      expect(described).to.have.nested.property('KeyMetadata.Description', Description);
    }
    const tooLong = { KeyId, Description: 'd'.repeat(8193) };
    expect((await refusalOf(callOverWire(software.call, 'UpdateKeyDescription', tooLong))).code).to.equal(
      'ValidationException',
    );
    const missing = refusalOf(callOverWire(software.call, 'UpdateKeyDescription', { KeyId }));
    expect((await missing).message).to.equal(
      "1 validation error detected: Value null at 'description' failed to satisfy constraint: Member must not be null",
    );
    software.close();
  });
});
