import { expect } from 'chai';
import { ConfigError } from '../../../../src/errors.js';
import type { KeyId } from '../../../../src/kms/key_id.js';
import { createKey, createKeyWithId } from '../../../../src/kms/operations/create_key.js';
import { createChosenKey } from '../../../../src/surfaces/admin/chosen_key.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const UUID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const MRK = 'mrk-1234abcd12ab34cd56ef1234567890ab';

describe('keys whose id is chosen', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  it('are made under it, the single-Region key without and the multi-Region key with a certificate', async () => {
    const single = await createKeyWithId(fixture.call, {}, { keyId: UUID, birthCertificate: null });
    expect(single.KeyMetadata).to.include({ KeyId: UUID, KeyState: 'Enabled' });
    const chosen = { keyId: MRK, birthCertificate: 'certified' };
    const multi = await createKeyWithId(fixture.call, { MultiRegion: true }, chosen);
    expect(multi.KeyMetadata).to.include({ KeyId: MRK, MultiRegion: true });
    expect(fixture.region.store.key(multi.KeyMetadata.KeyId as KeyId)?.multiRegion?.birthCertificate).to.equal(
      'certified',
    );
  });

  for (const [what, request, chosen] of [
    ['a multi-Region id without a certificate', { MultiRegion: true }, { keyId: MRK, birthCertificate: null }],
    ['a certificate that is not the authority’s', { MultiRegion: true }, { keyId: MRK, birthCertificate: 'forged' }],
    ['a multi-Region id for a single-Region key', {}, { keyId: MRK, birthCertificate: 'certified' }],
    ['a UUID for a multi-Region key', { MultiRegion: true }, { keyId: UUID, birthCertificate: 'certified' }],
    ['a certificate of a single-Region key', {}, { keyId: UUID, birthCertificate: 'certified' }],
    ['an id of no form', {}, { keyId: 'orders', birthCertificate: null }],
  ] as const) {
    it(`are refused with ${what}, and nothing is made`, async () => {
      const refusal = await refusalOf(createKeyWithId(fixture.call, request, chosen));
      expect(refusal.code).to.equal('ValidationException');
      expect(fixture.hsm.calls).to.deep.equal([]);
    });
  }

  it('are refused where the id is taken', async () => {
    const KeyId = (await createKey(fixture.call, {})).KeyMetadata.KeyId;
    const refusal = await refusalOf(createKeyWithId(fixture.call, {}, { keyId: KeyId, birthCertificate: null }));
    expect(refusal.code).to.equal('AlreadyExistsException');
  });

  it('are for laboratories', async () => {
    const chosen = { keyId: UUID, birthCertificate: null, request: {} };
    const refusal = await createChosenKey(fixture.region, chosen, false).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(ConfigError);
    expect(fixture.region.store.key(UUID as KeyId)).to.equal(undefined);
  });
});
