import { expect } from 'chai';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { decrypt } from '../../../src/kms/operations/decrypt.js';
import { describeKey } from '../../../src/kms/operations/describe_key.js';
import { encrypt } from '../../../src/kms/operations/encrypt.js';
import { listKeys } from '../../../src/kms/operations/list_keys.js';
import { replicateKey } from '../../../src/kms/operations/replicate_key.js';
import type { ExportableKey } from '../../../src/replication/ports.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../support/software_region.js';

describe('The keys of a region as replication sees them', () => {
  let source: SoftwareRegion;
  let destination: SoftwareRegion;
  let keyId: string;
  beforeEach(async () => {
    source = makeSoftwareRegion({ name: 'us-east-1' });
    destination = makeSoftwareRegion({ name: 'eu-west-1' });
    keyId = (await createKey(source.call, { MultiRegion: true, Description: 'primary' })).KeyMetadata.KeyId;
    await replicateKey(source.call, {
      KeyId: keyId,
      ReplicaRegion: 'eu-west-1',
      Description: 'replica',
      Tags: [{ TagKey: 'a', TagValue: 'b' }],
    });
  });
  afterEach(() => {
    source.close();
    destination.close();
  });

  function exported(): ExportableKey {
    const key = source.replicatedKeys.exportable(keyId, 'eu-west-1');
    if (key === undefined) throw new Error('nothing can be exported');
    return key;
  }

  function announcement(key: ExportableKey) {
    return {
      keyId: key.keyId,
      source: 'us-east-1',
      generation: 1n,
      keySpec: key.context.keySpec,
      keyUsage: key.context.keyUsage,
      birthCertificate: key.birthCertificate,
      origin: 'AWS_KMS',
      materialIds: key.context.materials.map((version) => version.materialId),
    };
  }

  function install(key: ExportableKey, from = 'us-east-1'): void {
    destination.replicatedKeys.install({
      source: from,
      generation: 1n,
      birthCertificate: key.birthCertificate,
      context: key.context,
      materials: key.materials.map((material) => destination.hsm.adopt(material, source.hsm)),
    });
  }

  it('exports what the destination has to know, and what the caller chose for the replica', () => {
    const key = exported();
    expect(key.context).to.deep.include({
      keyId,
      dataSuite: 'SP800108-GCM',
      account: '111122223333',
      primaryRegion: 'us-east-1',
      regions: ['us-east-1', 'eu-west-1'],
    });
    expect(key.context.replica).to.deep.include({ description: 'replica', tags: [{ TagKey: 'a', TagValue: 'b' }] });
    expect(key.context.materials).to.deep.equal([
      {
        materialId: key.materials[0]?.binding.materialId,
        index: 0,
        state: 'CURRENT',
        createdMs: source.clock.ms,
      },
    ]);
  });

  it('exports nothing to a region that nobody asked for, no single-Region key and no unknown one', async () => {
    const single = (await createKey(source.call, {})).KeyMetadata.KeyId;
    expect(source.replicatedKeys.exportable(keyId, 'ap-south-1')).to.equal(undefined);
    expect(source.replicatedKeys.exportable(single, 'eu-west-1')).to.equal(undefined);
    expect(source.replicatedKeys.exportable('no key id', 'eu-west-1')).to.equal(undefined);
  });

  it('shows an announced replica as being created until its material comes, then as enabled', async () => {
    const key = exported();
    destination.replicatedKeys.announce(announcement(key));
    const creating = await describeKey(destination.call, { KeyId: keyId });
    expect(creating.KeyMetadata).to.include({ KeyState: 'Creating', Enabled: false, MultiRegion: true });
    const early = await refusalOf(encrypt(destination.call, { KeyId: keyId, Plaintext: Buffer.of(1) }));
    expect(early.code).to.equal('KMSInvalidStateException');
    install(key);
    const [primary, replica] = [
      (await describeKey(source.call, { KeyId: keyId })).KeyMetadata,
      (await describeKey(destination.call, { KeyId: keyId })).KeyMetadata,
    ];
    expect(replica).to.include({ KeyState: 'Enabled', Enabled: true, Description: 'replica' });
    expect(replica.CurrentKeyMaterialId).to.equal(primary.CurrentKeyMaterialId);
    expect(replica.MultiRegionConfiguration?.PrimaryKey).to.deep.equal({ Arn: primary.Arn, Region: 'us-east-1' });
    expect(replica.MultiRegionConfiguration?.ReplicaKeys).to.deep.equal(primary.MultiRegionConfiguration?.ReplicaKeys);
    expect(destination.region.store.tags(keyId as never)).to.deep.equal([{ TagKey: 'a', TagValue: 'b' }]);
  });

  it('lets each region decrypt what the other encrypted', async () => {
    install(exported());
    for (const [here, there] of [
      [source, destination],
      [destination, source],
    ] as const) {
      const { CiphertextBlob } = await encrypt(here.call, { KeyId: keyId, Plaintext: Buffer.from('both') });
      const { Plaintext, KeyId } = await decrypt(there.call, { CiphertextBlob });
      expect(Buffer.from(Plaintext).toString()).to.equal('both');
      expect(KeyId).to.contain(there.region.home.region);
    }
  });

  it('changes shared members only when more material comes to a replica that has some', async () => {
    install(exported());
    const first = exported();
    const current = first.materials[0];
    const made = await source.hsm.createMaterial({
      keyId,
      keySpec: 'SYMMETRIC_DEFAULT',
      keyUsage: 'ENCRYPT_DECRYPT',
      multiRegion: true,
      dataSuite: 'SP800108-GCM',
    });
    if (current === undefined) throw new Error('no material');
    const [old] = first.context.materials;
    if (old === undefined) throw new Error('no version');
    install({
      ...first,
      context: {
        ...first.context,
        regions: ['us-east-1', 'ap-south-1', 'eu-west-1'],
        materials: [
          { ...old, state: 'NON_CURRENT' },
          { materialId: made.binding.materialId, index: 1, state: 'CURRENT', createdMs: 5 },
        ],
        replica: { description: 'overwritten', policy: '{}', tags: [] },
      },
      materials: [current, made],
    });
    const { KeyMetadata } = await describeKey(destination.call, { KeyId: keyId });
    expect(KeyMetadata).to.include({ Description: 'replica', CurrentKeyMaterialId: made.binding.materialId });
    expect(KeyMetadata.MultiRegionConfiguration?.ReplicaKeys.map(({ Region }) => Region)).to.deep.equal([
      'ap-south-1',
      'eu-west-1',
    ]);
    expect(destination.region.store.tags(keyId as never)).to.have.length(1);
    const older = await encrypt(source.call, { KeyId: keyId, Plaintext: Buffer.from('older') });
    const opened = await decrypt(destination.call, { CiphertextBlob: older.CiphertextBlob });
    expect(opened.KeyMaterialId).to.equal(current.binding.materialId);
  });

  it('tells replication whether a key id is free, its replica, or somebody else’s', () => {
    const standing = (region: SoftwareRegion, from: string) => region.replicatedKeys.standing(keyId, from);
    expect(standing(destination, 'us-east-1')).to.deep.equal({ state: 'unknown', materialIds: [] });
    const key = exported();
    install(key);
    expect(standing(destination, 'us-east-1')).to.deep.equal({
      state: 'replica',
      materialIds: key.materials.map((material) => material.binding.materialId),
    });
    expect(standing(destination, 'ap-south-1').state).to.equal('conflict');
    expect(standing(source, 'eu-west-1').state).to.equal('conflict');
  });

  it('withdraws a replica that never got material, and no other', async () => {
    destination.replicatedKeys.announce(announcement(exported()));
    destination.replicatedKeys.withdraw(keyId);
    expect((await listKeys(destination.call, {})).Keys).to.deep.equal([]);
    install(exported());
    destination.replicatedKeys.withdraw(keyId);
    expect((await listKeys(destination.call, {})).Keys).to.have.length(1);
  });

  it('installs twice what comes twice, with the same result', async () => {
    install(exported());
    const before = await describeKey(destination.call, { KeyId: keyId });
    install(exported());
    expect(await describeKey(destination.call, { KeyId: keyId })).to.deep.equal(before);
  });

  it('forgets an install whose transaction fails', async () => {
    const key = exported();
    expect(() =>
      destination.region.store.transaction(() => {
        install(key);
        expect(destination.replicatedKeys.standing(keyId, 'us-east-1').state).to.equal('replica');
        throw new Error('the journal refused');
      }),
    ).to.throw('the journal refused');
    expect(destination.replicatedKeys.standing(keyId, 'us-east-1').state).to.equal('unknown');
    const { CiphertextBlob } = await encrypt(source.call, { KeyId: keyId, Plaintext: Buffer.of(1) });
    expect((await refusalOf(decrypt(destination.call, { CiphertextBlob }))).code).to.equal('AccessDeniedException');
  });

  it('refuses installs from another source, of another account, and without all material', () => {
    const key = exported();
    install(key);
    expect(() => install(key, 'ap-south-1')).to.throw('no replica of ap-south-1');
    expect(() => install({ ...key, context: { ...key.context, account: '999988887777' } })).to.throw('account');
    expect(() => install({ ...key, materials: [] })).to.throw('0 materials');
  });

  it('keeps a confirmed replica where a later transfer fails', () => {
    source.replicatedKeys.confirmed(keyId, 'eu-west-1', 1n, { materialIds: [], context: new Uint8Array() });
    source.replicatedKeys.failed(keyId, 'eu-west-1', 'later');
    expect(source.region.store.replica(keyId as never, 'eu-west-1')?.standing).to.equal('ACTIVE');
  });
});
