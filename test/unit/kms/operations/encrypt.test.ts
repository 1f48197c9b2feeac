import { expect } from 'chai';
import { createKey } from '../../../../src/kms/operations/create_key.js';
import { describeKey } from '../../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../../src/kms/operations/encrypt.js';
import type { KeyState } from '../../../../src/kms/key_state.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

describe('Encrypt', () => {
  let fixture: SoftwareRegion;
  let arn: string;
  let keyId: string;
  beforeEach(async () => {
    fixture = makeSoftwareRegion();
    const { KeyMetadata } = await createKey(fixture.call, {});
    arn = KeyMetadata.Arn;
    keyId = KeyMetadata.KeyId;
  });
  afterEach(() => fixture.close());

  const Plaintext = Buffer.from('plain');
  const attempt = (KeyId: string, more: object = {}) => encrypt(fixture.call, { KeyId, Plaintext, ...more });

  it('answers a blob and the key’s ARN for a key id and for an ARN', async () => {
    for (const named of [keyId, arn]) {
      const answer = await attempt(named);
      expect(answer.KeyId).to.equal(arn);
      expect(answer.CiphertextBlob.length).to.be.within(Plaintext.length + 1, 6144);
    }
  });

  it('keeps the longest plaintext within the longest blob', async () => {
    const { CiphertextBlob } = await encrypt(fixture.call, { KeyId: keyId, Plaintext: Buffer.alloc(4096) });
    expect(CiphertextBlob.length).to.be.at.most(6144);
  });

  const unknown = '12345678-1234-1234-1234-123456789012';
  for (const [what, named, message] of [
    ['a text that is no identifier', 'fake-key-id', "Invalid keyId 'fake-key-id'"],
    ['a UUID without dashes', '12345678123412341234123456789012', "Invalid keyId '12345678123412341234123456789012'"],
    ['a malformed multi-Region id', 'mrk-fake-key-id', "Invalid keyId 'mrk-fake-key-id'"],
    ['an unknown key id', unknown, `Key 'arn:aws:kms:us-east-1:111122223333:key/${unknown}' does not exist`],
    ['an ARN of another region', `arn:aws:kms:eu-west-1:111122223333:key/${unknown}`, 'Invalid arn eu-west-1'],
    ['an unknown alias', 'alias/none', 'Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.'],
    [
      'an unknown alias ARN',
      'arn:aws:kms:us-east-1:111122223333:alias/none',
      'Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.',
    ],
    ['half an ARN', 'arn:aws:kms', "Invalid keyId 'arn:aws:kms'"],
    ['an ARN of a malformed id', 'arn:aws:kms:us-east-1:111122223333:key/x', "Invalid keyId 'x'"],
    [
      'an ARN of something else',
      'arn:aws:s3:us-east-1:111122223333:key/x',
      'Invalid arn arn:aws:s3:us-east-1:111122223333:key/x',
    ],
  ] as const) {
    it(`does not find ${what}`, async () => {
      expect(await refusalOf(attempt(named))).to.deep.equal({ code: 'NotFoundException', message });
    });
  }

  it('does not find the same key id in another account', async () => {
    const foreign = arn.replace('111122223333', '999988887777');
    expect(await refusalOf(attempt(foreign))).to.deep.equal({
      code: 'NotFoundException',
      message: `Key '${foreign}' does not exist`,
    });
  });

  const states: readonly [KeyState, string, string][] = [
    ['Disabled', 'DisabledException', 'is disabled.'],
    ['Creating', 'KMSInvalidStateException', 'is creating.'],
    ['PendingImport', 'KMSInvalidStateException', 'is pending import.'],
    ['PendingDeletion', 'KMSInvalidStateException', 'is pending deletion.'],
    ['PendingReplicaDeletion', 'KMSInvalidStateException', 'is pending deletion (or pending replica deletion).'],
  ];
  for (const [state, code, words] of states) {
    it(`refuses a key that ${words.slice(0, -1)}, which DescribeKey still shows`, async () => {
      putState(state);
      expect(await refusalOf(attempt(keyId))).to.deep.equal({ code, message: `${arn} ${words}` });
      const { KeyMetadata } = await describeKey(fixture.call, { KeyId: arn });
      expect(KeyMetadata).to.include({ KeyState: state, Enabled: false });
    });
  }

  it('goes on while the primary region changes', async () => {
    putState('Updating');
    expect((await attempt(keyId)).KeyId).to.equal(arn);
  });

  it('checks authorisation before state, state before usage, and the dry run last', async () => {
    putState('Disabled');
    const wrongUse = { EncryptionAlgorithm: 'SM2PKE', DryRun: true } as const;
    const stranger = fixture.callAs('arn:aws:iam::999988887777:user/eve');
    const denied = await refusalOf(encrypt(stranger, { KeyId: arn, Plaintext, ...wrongUse }));
    expect(denied.code).to.equal('AccessDeniedException');
    expect((await refusalOf(attempt(keyId, wrongUse))).code).to.equal('DisabledException');
    putState('Enabled');
    expect((await refusalOf(attempt(keyId, wrongUse))).code).to.equal('InvalidKeyUsageException');
    expect((await refusalOf(attempt(keyId, { DryRun: true }))).code).to.equal('DryRunOperationException');
    expect(fixture.hsm.calls).to.deep.equal(['createMaterial']);
  });

  function putState(state: KeyState): void {
    const record = fixture.region.store.key(keyId as never);
    if (record === undefined) throw new Error('the key is gone');
    fixture.region.store.installKey({ record: { ...record, state }, materials: [] });
  }
});
