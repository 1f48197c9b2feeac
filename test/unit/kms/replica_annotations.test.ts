import { expect } from 'chai';
import type { KeyId } from '../../../src/kms/key_id.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { replicateKey } from '../../../src/kms/operations/replicate_key.js';
import { makeSoftwareRegion, type SoftwareRegion } from '../../support/software_region.js';
import { callOverWire } from '../../support/wire_call.js';

const tagsOf = (tags: Readonly<Record<string, string>>): readonly { TagKey: string; TagValue: string }[] =>
  Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));

describe('A replica that is being created', () => {
  let source: SoftwareRegion;
  let destination: SoftwareRegion;
  let KeyId: string;
  /** Brings the transfer in between: before it, the replica is announced only. */
  let transfer: () => void;

  beforeEach(async () => {
    source = makeSoftwareRegion({ name: 'us-east-1' });
    destination = makeSoftwareRegion({ name: 'eu-west-1' });
    KeyId = (await createKey(source.call, { MultiRegion: true })).KeyMetadata.KeyId;
    await replicateKey(source.call, {
      KeyId,
      ReplicaRegion: 'eu-west-1',
      Description: 'as it was asked for',
      Tags: tagsOf({ stage: 'test', team: 'blue' }),
    });
    const key = source.replicatedKeys.exportable(KeyId, 'eu-west-1');
    if (key === undefined) throw new Error('nothing can be exported');
    const { context, birthCertificate } = key;
    const common = { source: 'us-east-1', generation: 1n, birthCertificate } as const;
    destination.replicatedKeys.announce({
      ...common,
      keyId: KeyId,
      keySpec: context.keySpec,
      keyUsage: context.keyUsage,
      origin: context.origin,
      materialIds: context.materials.map(({ materialId }) => materialId),
    });
    const materials = key.materials.map((material) => destination.hsm.adopt(material, source.hsm));
    transfer = () => destination.replicatedKeys.install({ ...common, context, materials });
  });
  afterEach(() => {
    source.close();
    destination.close();
  });

  const call = (operation: string, request: object): Promise<Record<string, unknown>> =>
    callOverWire(destination.call, operation, { KeyId, ...request });
  const told = async (): Promise<unknown> => [
    ((await call('DescribeKey', {}))['KeyMetadata'] as { readonly Description: string }).Description,
    (await call('ListResourceTags', {}))['Tags'],
  ];

  it('takes its description and tags from who asked for it', async () => {
    transfer();
    expect(await told()).to.deep.equal(['as it was asked for', tagsOf({ stage: 'test', team: 'blue' })]);
  });

  it('keeps what it was told meanwhile', async () => {
    await call('UpdateKeyDescription', { Description: 'as its owner says' });
    await call('TagResource', { Tags: tagsOf({ team: 'red', cost: '7' }) });
    await call('CreateAlias', { AliasName: 'alias/early', TargetKeyId: KeyId });
    const { Policy } = await call('GetKeyPolicy', {});
    const policy = String(Policy).replace('key-default-1', 'of its owner');
    await call('PutKeyPolicy', { Policy: policy });
    transfer();
    expect(await told()).to.deep.equal(['as its owner says', tagsOf({ cost: '7', stage: 'test', team: 'red' })]);
    expect(destination.region.aliases.aliasesOf(KeyId as KeyId)).to.have.length(1);
    expect((await call('GetKeyPolicy', {}))['Policy']).to.equal(policy);
  });

  it('is enabled then, and stays disabled where its owner disables it and more comes', async () => {
    transfer();
    await call('DisableKey', {});
    transfer();
    expect((await call('DescribeKey', {}))['KeyMetadata']).to.include({ KeyState: 'Disabled' });
  });
});
