import type { ModelKey } from './key_model.js';
import type { Asker } from './soak_world.js';

/** What `DescribeKey` says. */
export interface Description {
  readonly KeyState: string;
  readonly Description: string;
  readonly MultiRegionConfiguration?: {
    readonly MultiRegionKeyType: 'PRIMARY' | 'REPLICA';
    readonly ReplicaKeys: readonly { readonly Region: string }[];
  };
}

type KeyName = Pick<ModelKey, 'keyId' | 'region'>;

/** The key's metadata in a region; null where it is not there. */
export async function describe(asker: Asker, region: string, keyId: string): Promise<Description | null> {
  const answer = await asker.read(region, 'DescribeKey', { KeyId: keyId }, 'NotFoundException');
  return answer === null ? null : (answer['KeyMetadata'] as Description);
}

export async function stateOf(asker: Asker, { region, keyId }: KeyName): Promise<string> {
  return (await describe(asker, region, keyId))?.KeyState ?? 'absent';
}

export async function descriptionOf(asker: Asker, { region, keyId }: KeyName): Promise<string> {
  return (await describe(asker, region, keyId))?.Description ?? 'absent';
}

export async function replicaRegionsOf(asker: Asker, { primary, keyId }: ModelKey): Promise<readonly string[]> {
  const description = await describe(asker, primary, keyId);
  return (description?.MultiRegionConfiguration?.ReplicaKeys ?? []).map(({ Region }) => Region).sort();
}

/** Tags by name. */
export async function tagsOf(asker: Asker, { region, keyId }: KeyName): Promise<ReadonlyMap<string, string>> {
  const answer = await asker.read(region, 'ListResourceTags', { KeyId: keyId });
  const tags = (answer?.['Tags'] ?? []) as readonly { readonly TagKey: string; readonly TagValue: string }[];
  return new Map(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
}

/** Ids of grants by name. */
export async function grantsOf(asker: Asker, { region, keyId }: KeyName): Promise<ReadonlyMap<string, string>> {
  const answer = await asker.read(region, 'ListGrants', { KeyId: keyId, Limit: 100 });
  const grants = (answer?.['Grants'] ?? []) as readonly { readonly Name: string; readonly GrantId: string }[];
  return new Map(grants.map(({ Name, GrantId }) => [Name, GrantId]));
}

/** How often the key was rotated on demand. */
export async function rotationsOf(asker: Asker, { primary, keyId }: ModelKey): Promise<number> {
  const answer = await asker.read(primary, 'ListKeyRotations', { KeyId: keyId, Limit: 1000 });
  const rotations = (answer?.['Rotations'] ?? []) as readonly { readonly RotationType: string }[];
  return rotations.filter(({ RotationType }) => RotationType === 'ON_DEMAND').length;
}

/** The key that an alias names; `none` where there is no such alias. */
export async function keyOfAlias(asker: Asker, region: string, alias: string): Promise<string> {
  const answer = await asker.read(region, 'DescribeKey', { KeyId: alias }, 'NotFoundException');
  return answer === null ? 'none' : (answer['KeyMetadata'] as { readonly KeyId: string }).KeyId;
}
