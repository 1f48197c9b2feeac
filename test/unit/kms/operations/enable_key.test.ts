import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';
import { callOverWire } from '../../../support/wire_call.js';

describe('EnableKey and DisableKey', () => {
  let software: SoftwareRegion;
  let KeyId: string;
  const call = (operation: string, request: object = {}): Promise<Record<string, unknown>> =>
    callOverWire(software.call, operation, { KeyId, ...request });
  const encrypt = (): Promise<Record<string, unknown>> => call('Encrypt', { Plaintext: Buffer.from('x') });

  beforeEach(async () => {
    software = makeSoftwareRegion();
    KeyId = (await createKey(software.call, {})).KeyMetadata.KeyId;
  });
  afterEach(() => software.close());

  it('take effect with the next request, also for a key that is in use', async () => {
    const { CiphertextBlob, KeyId: arn } = await encrypt();
    await call('DisableKey');
    for (const attempt of [encrypt(), callOverWire(software.call, 'Decrypt', { CiphertextBlob })]) {
      expect(await refusalOf(attempt)).to.deep.equal({
        code: 'DisabledException',
        message: `${String(arn)} is disabled.`,
      });
    }
    expect((await call('DescribeKey'))['KeyMetadata']).to.include({ KeyState: 'Disabled', Enabled: false });
    await call('EnableKey');
    expect(await callOverWire(software.call, 'Decrypt', { CiphertextBlob })).to.include({ KeyId: arn });
  });

  it('do nothing where there is nothing to do, and answer nothing', async () => {
    expect(await call('EnableKey')).to.deep.equal({});
    await call('DisableKey');
    expect(await call('DisableKey')).to.deep.equal({});
    expect((await call('DescribeKey'))['KeyMetadata']).to.include({ KeyState: 'Disabled' });
  });

  it('leave a key alone whose deletion was scheduled, and enable it after that was taken back', async () => {
    await call('ScheduleKeyDeletion');
    for (const operation of ['EnableKey', 'DisableKey']) {
      expect((await refusalOf(call(operation))).code).to.equal('KMSInvalidStateException');
    }
    expect((await call('DescribeKey'))['KeyMetadata']).to.have.property('DeletionDate');
    await call('CancelKeyDeletion');
    expect((await call('DescribeKey'))['KeyMetadata']).to.include({ KeyState: 'Disabled' });
    await call('EnableKey');
    await encrypt();
  });

  it('hold for one key of a multi-Region set', async () => {
    const { KeyMetadata } = await createKey(software.call, { MultiRegion: true });
    await call('DisableKey', { KeyId: KeyMetadata.KeyId });
    const described = await call('DescribeKey', { KeyId: KeyMetadata.KeyId });
    expect(described['KeyMetadata']).to.include({ KeyState: 'Disabled', MultiRegion: true });
    expect(software.replicator.begun).to.deep.equal([]);
  });
});
