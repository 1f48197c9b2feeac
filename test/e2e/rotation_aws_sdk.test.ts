import {
  ConflictException,
  CreateKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyRotationCommand,
  GetKeyRotationStatusCommand,
  ListKeyRotationsCommand,
  RotateKeyOnDemandCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { makeFixtureHsm, makeRegionFixture, type FixtureHsm, type RegionFixture } from '../support/region_fixture.js';

const DAY_MS = 86_400_000;

describe('Rotation by an unmodified AWS SDK', function () {
  this.timeout(20_000);
  let token: FixtureHsm;
  let fixture: RegionFixture;
  let client: KMSClient;
  let KeyId: string;
  let arn: string;

  before(async () => {
    token = await makeFixtureHsm('double');
    fixture = await makeRegionFixture({ hsm: token.hsm, imports: token.imports });
    client = fixture.client();
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    KeyId = KeyMetadata?.KeyId ?? '';
    arn = KeyMetadata?.Arn ?? '';
  });
  after(async () => {
    await fixture.close();
    await token.close();
  });

  it('is enabled, shown, done, listed and disabled', async () => {
    const enabledMs = Date.now();
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    const status = await client.send(new GetKeyRotationStatusCommand({ KeyId }));
    expect(status).to.include({ KeyId: arn, KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    expect(status.NextRotationDate?.getTime()).to.be.closeTo(enabledMs + 90 * DAY_MS, 10_000);
    await fixture.advance(91 * DAY_MS);
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    const { Rotations, Truncated } = await client.send(new ListKeyRotationsCommand({ KeyId }));
    expect(Truncated).to.equal(false);
    expect(Rotations?.map(({ RotationType, KeyMaterialState }) => [RotationType, KeyMaterialState])).to.deep.equal([
      ['AUTOMATIC', 'NON_CURRENT'],
      ['ON_DEMAND', 'CURRENT'],
    ]);
    await client.send(new DisableKeyRotationCommand({ KeyId }));
    const off = await client.send(new GetKeyRotationStatusCommand({ KeyId }));
    expect(off).to.include({ KeyId: arn, KeyRotationEnabled: false });
    expect(off).to.not.have.any.keys('RotationPeriodInDays', 'NextRotationDate', 'OnDemandRotationStartDate');
  });

  it('is refused with the exceptions of the model', async () => {
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    await fixture.advance(90 * DAY_MS - 60_000);
    const refused = await client.send(new RotateKeyOnDemandCommand({ KeyId })).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ConflictException);
    const short = await client
      .send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 89 }))
      .catch((error: unknown) => error);
    expect(short).to.have.property('name', 'ValidationException');
  });

  it('is in the trail with what was asked for', async () => {
    const events = await fixture.events();
    const [enabled] = events.filter(({ eventName }) => eventName === 'EnableKeyRotation');
    expect(enabled).to.deep.include({
      requestParameters: { keyId: KeyId, rotationPeriodInDays: 90 },
      responseElements: { keyId: arn },
      readOnly: false,
      eventType: 'AwsApiCall',
    });
    const read = events.filter(({ eventName }) => eventName === 'GetKeyRotationStatus');
    expect(read.map(({ readOnly }) => readOnly)).to.deep.equal([true, true]);
    const rotated = events.filter(({ eventName }) => eventName === 'RotateKey');
    expect(rotated.map(({ serviceEventDetails }) => serviceEventDetails?.['rotationType'])).to.deep.equal([
      'AUTOMATIC',
      'ON_DEMAND',
    ]);
  });
});
