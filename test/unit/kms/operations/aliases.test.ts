import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { KeyId } from '../../../../src/kms/key_id.js';
import { createKey, type CreateKeyRequest } from '../../../../src/kms/operations/create_key.js';
import type { CallNote } from '../../../../src/kms/region.js';
import { LIMITS } from '../../../../src/limits.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';
import { plantState } from '../../../support/state_matrix.js';
import { callOverWire } from '../../../support/wire_call.js';

const ALIAS_ARN = 'arn:aws:kms:us-east-1:111122223333:alias/payroll';
const DAY_MS = 86_400_000;

describe('Aliases', () => {
  let software: SoftwareRegion;
  const call = (operation: string, request: object): Promise<Record<string, unknown>> =>
    callOverWire(software.call, operation, request);
  const refused = (operation: string, request: object): ReturnType<typeof refusalOf> =>
    refusalOf(call(operation, request));
  const makeKey = async (request: CreateKeyRequest = {}): Promise<string> =>
    (await createKey(software.call, request)).KeyMetadata.KeyId;
  const aliased = async (AliasName = 'alias/payroll', request: CreateKeyRequest = {}): Promise<string> => {
    const TargetKeyId = await makeKey(request);
    await call('CreateAlias', { AliasName, TargetKeyId });
    return TargetKeyId;
  };

  beforeEach(() => {
    software = makeSoftwareRegion();
  });
  afterEach(() => software.close());

  for (const [form, KeyId] of [
    ['name', 'alias/payroll'],
    ['ARN', ALIAS_ARN],
  ] as const) {
    it(`name a key by their ${form} in cryptography, DescribeKey and GetPublicKey`, async () => {
      const keyId = await aliased();
      const { CiphertextBlob, KeyId: arn } = await call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
      expect(arn).to.equal(`arn:aws:kms:us-east-1:111122223333:key/${keyId}`);
      expect(await call('Decrypt', { KeyId, CiphertextBlob })).to.include({ KeyId: arn });
      expect(
        (await call('ReEncrypt', { CiphertextBlob, SourceKeyId: KeyId, DestinationKeyId: KeyId }))['KeyId'],
      ).to.equal(arn);
      expect(await call('DescribeKey', { KeyId })).to.have.nested.property('KeyMetadata.KeyId', keyId);
      expect((await refused('GetPublicKey', { KeyId })).code).to.equal('UnsupportedOperationException');
    });
  }

  it('are refused as KeyId by everything else', async () => {
    await aliased();
    for (const operation of [
      'DisableKey',
      'ListResourceTags',
      'GetKeyLastUsage',
      'ScheduleKeyDeletion',
      'ListAliases',
    ]) {
      expect(await refused(operation, { KeyId: 'alias/payroll' })).to.deep.equal({
        code: 'NotFoundException',
        message: "Invalid keyId 'alias/payroll'",
      });
    }
    const request = { AliasName: 'alias/second', TargetKeyId: ALIAS_ARN };
    expect(await refused('CreateAlias', request)).to.include({ code: 'NotFoundException' });
  });

  it('name nothing where they do not exist, or belong to another account or region', async () => {
    await aliased();
    const elsewhere = ALIAS_ARN.replace('111122223333', '999999999999');
    for (const [KeyId, message] of [
      ['alias/Payroll', `Alias ${ALIAS_ARN.replace('payroll', 'Payroll')} is not found.`],
      [elsewhere, `Alias ${elsewhere} is not found.`],
      [ALIAS_ARN.replace('us-east-1', 'eu-west-1'), 'Invalid arn eu-west-1'],
    ] as const) {
      expect(await refused('DescribeKey', { KeyId })).to.deep.equal({ code: 'NotFoundException', message });
    }
  });

  for (const [what, AliasName, code, message] of [
    [
      'without the prefix',
      'payroll',
      'ValidationException',
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    ],
    ['with a colon', 'alias/a:b', 'ValidationException', 'alias/a:b contains invalid characters for an alias'],
    ['without a name', 'alias/', 'InvalidAliasNameException', 'The alias has no name behind its prefix.'],
    ['that is reserved', 'alias/aws/s3', 'InvalidAliasNameException', 'The prefix "alias/aws/" is reserved.'],
    ['that is the reserved prefix', 'alias/aws', 'InvalidAliasNameException', 'The prefix "alias/aws/" is reserved.'],
    [
      'with characters that no alias has',
      'alias/a b',
      'ValidationException',
      "1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ],
  ] as const) {
    it(`are refused a name ${what}`, async () => {
      const TargetKeyId = await makeKey();
      expect(await refused('CreateAlias', { AliasName, TargetKeyId })).to.deep.equal({ code, message });
    });
  }

  it('may begin with the letters of the reserved prefix', async () => {
    expect(await aliased('alias/awsome')).to.be.a('string');
  });

  it('are unique in the region', async () => {
    const TargetKeyId = await aliased();
    expect(await refused('CreateAlias', { AliasName: 'alias/payroll', TargetKeyId })).to.deep.equal({
      code: 'AlreadyExistsException',
      message: `An alias with the name ${ALIAS_ARN} already exists`,
    });
  });

  it('are at most fifty a key, also when they come from another key', async () => {
    const full = await makeKey();
    for (let count = 0; count < LIMITS.kmsAliasesPerKeyMax; count += 1) {
      await call('CreateAlias', { AliasName: `alias/full-${count}`, TargetKeyId: full });
    }
    const more = { AliasName: 'alias/more', TargetKeyId: full };
    expect((await refused('CreateAlias', more)).code).to.equal('LimitExceededException');
    await aliased('alias/more');
    expect((await refused('UpdateAlias', more)).code).to.equal('LimitExceededException');
    await call('UpdateAlias', { AliasName: 'alias/full-1', TargetKeyId: full });
  });

  it('are given to another key, which is then the one that they name', async () => {
    const first = await aliased();
    const second = await makeKey();
    await call('Encrypt', { KeyId: 'alias/payroll', Plaintext: Buffer.from('x') });
    software.clock.ms += DAY_MS;
    await call('UpdateAlias', { AliasName: 'alias/payroll', TargetKeyId: second });
    expect(await call('DescribeKey', { KeyId: 'alias/payroll' })).to.have.nested.property('KeyMetadata.KeyId', second);
    expect(await call('ListAliases', { KeyId: first })).to.deep.equal({ Aliases: [], Truncated: false });
    expect(await call('ListAliases', { KeyId: second })).to.deep.equal({
      Aliases: [
        {
          AliasName: 'alias/payroll',
          AliasArn: ALIAS_ARN,
          TargetKeyId: second,
          CreationDate: new Date(software.clock.ms - DAY_MS),
          LastUpdatedDate: new Date(software.clock.ms),
        },
      ],
      Truncated: false,
    });
  });

  for (const [what, request, message] of [
    [
      'usage',
      { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
      'key usage ENCRYPT_DECRYPT to a CMK with key usage SIGN_VERIFY',
    ],
    [
      'type',
      { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
      'key spec SYMMETRIC_DEFAULT to a CMK with key spec RSA_2048',
    ],
  ] as const) {
    it(`are not given to a key of another ${what}`, async () => {
      const keyId = await aliased();
      const TargetKeyId = await makeKey(request);
      expect(await refused('UpdateAlias', { AliasName: 'alias/payroll', TargetKeyId })).to.deep.equal({
        code: 'ValidationException',
        message: `Alias ${ALIAS_ARN} cannot be changed from a CMK with ${message}`,
      });
      expect(await call('DescribeKey', { KeyId: ALIAS_ARN })).to.have.nested.property('KeyMetadata.KeyId', keyId);
    });
  }

  it('name nothing once they were deleted, and can be made again', async () => {
    const TargetKeyId = await aliased();
    const AliasName = 'alias/payroll';
    await call('DescribeKey', { KeyId: AliasName });
    await call('DeleteAlias', { AliasName });
    for (const [operation, request] of [
      ['DescribeKey', { KeyId: AliasName }],
      ['DeleteAlias', { AliasName }],
      ['UpdateAlias', { AliasName, TargetKeyId }],
    ] as const) {
      expect(await refused(operation, request)).to.deep.equal({
        code: 'NotFoundException',
        message: `Alias ${ALIAS_ARN} is not found.`,
      });
    }
    await call('CreateAlias', { AliasName, TargetKeyId });
  });

  it('go with their key, and their names are free then', async () => {
    const keyId = await aliased();
    await call('DescribeKey', { KeyId: 'alias/payroll' });
    await call('ScheduleKeyDeletion', { KeyId: keyId, PendingWindowInDays: 7 });
    software.clock.ms += 7 * DAY_MS;
    await software.deadlines.runDue();
    expect((await refused('DescribeKey', { KeyId: 'alias/payroll' })).message).to.equal(
      `Alias ${ALIAS_ARN} is not found.`,
    );
    expect(await call('ListAliases', {})).to.deep.equal({ Aliases: [], Truncated: false });
    await aliased();
  });

  it('are listed in the order of their names, page by page, whatever comes and goes between the pages', async () => {
    const keyId = await makeKey();
    for (const name of ['d', 'b', 'e', 'a', 'c']) {
      await call('CreateAlias', { AliasName: `alias/${name}`, TargetKeyId: keyId });
    }
    const first = await call('ListAliases', { Limit: 2 });
    expect(first).to.have.nested.property('Aliases[1].AliasName', 'alias/b');
    await call('CreateAlias', { AliasName: 'alias/aa', TargetKeyId: keyId });
    await call('DeleteAlias', { AliasName: 'alias/b' });
    const rest = await call('ListAliases', { Limit: 3, Marker: first['NextMarker'] });
    expect(rest).to.have.property('Truncated', false);
    const namesOf = ({ Aliases }: Record<string, unknown>): unknown =>
      (Aliases as readonly { readonly AliasName: string }[]).map(({ AliasName }) => AliasName);
    expect(namesOf(rest)).to.deep.equal(['alias/c', 'alias/d', 'alias/e']);
    const ofKey = await call('ListAliases', { KeyId: keyId, Limit: 1 });
    expect(namesOf(await call('ListAliases', { KeyId: keyId, Marker: ofKey['NextMarker'] }))).to.deep.equal([
      'alias/aa',
      'alias/c',
      'alias/d',
      'alias/e',
    ]);
  });

  it('are listed fifty at once where no limit is given, and a hundred at most', async () => {
    for (let key = 0; key < 3; key += 1) {
      const TargetKeyId = await makeKey();
      for (let count = 0; count < 40; count += 1) {
        await call('CreateAlias', { AliasName: `alias/${key}-${count}`, TargetKeyId });
      }
    }
    expect((await call('ListAliases', {}))['Aliases']).to.have.length(50);
    expect((await call('ListAliases', { Limit: 1000 }))['Aliases']).to.have.length(100);
  });

  it('are not listed from markers of other lists', async () => {
    await makeKey();
    await makeKey();
    const { NextMarker: Marker } = await call('ListKeys', { Limit: 1 });
    expect((await refused('ListAliases', { Marker })).code).to.equal('InvalidMarkerException');
    await aliased('alias/a');
    await aliased('alias/b');
    const aliases = await call('ListAliases', { Limit: 1 });
    expect((await refused('ListKeys', { Marker: aliases['NextMarker'] })).code).to.equal('InvalidMarkerException');
  });

  it('are out of reach of other accounts', async () => {
    const KeyId = await aliased();
    const stranger = software.callAs('arn:aws:iam::999999999999:user/eve');
    const request = { AliasName: 'alias/payroll', TargetKeyId: KeyId };
    for (const operation of ['CreateAlias', 'UpdateAlias', 'DeleteAlias']) {
      const attempt = callOverWire(stranger, operation, {
        ...request,
        TargetKeyId: `arn:aws:kms:us-east-1:111122223333:key/${KeyId}`,
      });
      expect((await refusalOf(attempt)).code).to.equal('AccessDeniedException');
    }
    expect(await call('DescribeKey', { KeyId: 'alias/payroll' })).to.have.nested.property('KeyMetadata.KeyId', KeyId);
  });

  it('are shown to the audit trail with their keys', async () => {
    const notes: CallNote[] = [];
    const noted = { ...software.call, note: (note: CallNote) => notes.push(note) };
    const TargetKeyId = await makeKey();
    await callOverWire(noted, 'CreateAlias', { AliasName: 'alias/payroll', TargetKeyId });
    expect(notes.flatMap(({ aliasArn, keyArn }) => aliasArn ?? keyArn ?? [])).to.deep.equal([
      ALIAS_ARN,
      `arn:aws:kms:us-east-1:111122223333:key/${TargetKeyId}`,
    ]);
  });

  it('are read from memory where they name the key of an encryption', async () => {
    const keyId = await aliased();
    await call('Encrypt', { KeyId: 'alias/payroll', Plaintext: Buffer.from('x') });
    const { aliases } = software.region;
    expect(aliases.alias('alias/payroll')).to.equal(aliases.alias('alias/payroll'));
    expect(aliases.aliasesOf(keyId as KeyId)).to.equal(aliases.aliasesOf(keyId as KeyId));
  });

  it('are there again when the region is opened again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keyferry-aliases-'));
    const database = join(directory, 'region.db');
    const before = makeSoftwareRegion({ database });
    const { KeyId } = (await createKey(before.call, {})).KeyMetadata;
    await callOverWire(before.call, 'CreateAlias', { AliasName: 'alias/payroll', TargetKeyId: KeyId });
    before.close();
    const after = makeSoftwareRegion({ database });
    const described = await callOverWire(after.call, 'DescribeKey', { KeyId: ALIAS_ARN });
    expect(described).to.have.nested.property('KeyMetadata.KeyId', KeyId);
    after.close();
    await rm(directory, { recursive: true });
  });

  it('may leave a key that is pending deletion', async () => {
    const keyId = await aliased();
    plantState(software, keyId, 'PendingDeletion');
    const TargetKeyId = await makeKey();
    await call('UpdateAlias', { AliasName: 'alias/payroll', TargetKeyId });
    expect(await call('DescribeKey', { KeyId: ALIAS_ARN })).to.have.nested.property('KeyMetadata.KeyId', TargetKeyId);
  });
});
