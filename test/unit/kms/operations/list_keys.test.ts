import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { listKeys } from '../../../../src/kms/operations/list_keys.js';
import { makeSoftwareRegion, refusalOf } from '../../../support/software_region.js';

describe('ListKeys', () => {
  it('pages through all keys in order, and says when there are no more', async () => {
    const fixture = makeSoftwareRegion();
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.push((await createKey(fixture.call, {})).KeyMetadata.KeyId);
    made.sort((a, b) => (a < b ? -1 : 1));
    const first = await listKeys(fixture.call, { Limit: 3 });
    expect(first.Truncated).to.equal(true);
    const second = await listKeys(fixture.call, { Limit: 3, Marker: first.NextMarker ?? '' });
    expect(second).to.include({ Truncated: false }).and.not.have.property('NextMarker');
    const listed = [...first.Keys, ...second.Keys];
    expect(listed.map(({ KeyId }) => KeyId)).to.deep.equal(made);
    expect(listed[0]?.KeyArn).to.equal(`arn:aws:kms:us-east-1:111122223333:key/${made[0]}`);
    fixture.close();
  });

  it('refuses markers that it did not give', async () => {
    const fixture = makeSoftwareRegion();
    for (const Marker of ['x', 'djE6YQ==', Buffer.from('v2:a').toString('base64url')]) {
      expect((await refusalOf(listKeys(fixture.call, { Marker }))).code).to.equal('InvalidMarkerException');
    }
    fixture.close();
  });
});
