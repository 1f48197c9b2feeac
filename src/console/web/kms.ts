import { callAws } from './api.js';

/** `KeyMetadata` of the AWS KMS API in JSON: times are seconds since the epoch. */
export interface KeyMetadata {
  readonly KeyId: string;
  readonly Arn: string;
  readonly CreationDate: number;
  readonly Enabled: boolean;
  readonly Description: string;
  readonly KeyUsage: string;
  readonly KeyState: string;
  readonly DeletionDate?: number;
  readonly ValidTo?: number;
  readonly Origin: string;
  readonly ExpirationModel?: string;
  readonly KeySpec: string;
  readonly EncryptionAlgorithms?: readonly string[];
  readonly SigningAlgorithms?: readonly string[];
  readonly MacAlgorithms?: readonly string[];
  readonly KeyAgreementAlgorithms?: readonly string[];
  readonly MultiRegion: boolean;
  readonly MultiRegionConfiguration?: {
    readonly MultiRegionKeyType: 'PRIMARY' | 'REPLICA';
    readonly PrimaryKey: { readonly Arn: string; readonly Region: string };
    readonly ReplicaKeys: readonly { readonly Arn: string; readonly Region: string }[];
  };
  readonly PendingDeletionWindowInDays?: number;
  readonly CurrentKeyMaterialId?: string;
}

/** An alias of a key. */
export interface Alias {
  readonly AliasName: string;
  readonly AliasArn: string;
  readonly TargetKeyId: string;
  readonly CreationDate: number;
  readonly LastUpdatedDate: number;
}

/** A key's material: `RotationsListEntry` of the AWS KMS API. */
export interface KeyMaterial {
  readonly KeyMaterialId: string;
  readonly KeyMaterialDescription?: string;
  readonly ImportState?: string;
  readonly KeyMaterialState: string;
  readonly ExpirationModel?: string;
  readonly ValidTo?: number;
  readonly RotationDate?: number;
  readonly RotationType?: string;
}

interface Page {
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/** Ids of all keys of a region, in order. */
export async function listKeyIds(region: string, signal?: AbortSignal): Promise<readonly string[]> {
  const pages = await allPages<Page & { Keys: readonly { KeyId: string }[] }>(
    region,
    'ListKeys',
    { Limit: 1000 },
    signal,
  );
  return pages.flatMap(({ Keys }) => Keys.map(({ KeyId }) => KeyId));
}

/** All aliases of a region, or of one key. */
export async function listAliases(region: string, keyId?: string, signal?: AbortSignal): Promise<readonly Alias[]> {
  const input = { Limit: 100, ...(keyId !== undefined && { KeyId: keyId }) };
  const pages = await allPages<Page & { Aliases: readonly Alias[] }>(region, 'ListAliases', input, signal);
  return pages.flatMap(({ Aliases }) => Aliases);
}

/** All material that a symmetric encryption key knows, the oldest first. @throws {@link Refusal} */
export async function listMaterials(
  region: string,
  keyId: string,
  signal?: AbortSignal,
): Promise<readonly KeyMaterial[]> {
  const input = { KeyId: keyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' };
  const pages = await allPages<Page & { Rotations: readonly KeyMaterial[] }>(region, 'ListKeyRotations', input, signal);
  return pages.flatMap(({ Rotations }) => Rotations);
}

/** A key's metadata. @throws {@link Refusal} */
export async function describeKey(region: string, keyId: string, signal?: AbortSignal): Promise<KeyMetadata> {
  const call = { region, operation: 'DescribeKey', input: { KeyId: keyId } };
  return (await callAws<{ KeyMetadata: KeyMetadata }>(call, signal)).KeyMetadata;
}

/** All pages of a list. @throws {@link Refusal} */
export async function allPages<Result extends Page>(
  region: string,
  operation: string,
  input: object,
  signal?: AbortSignal,
): Promise<readonly Result[]> {
  const pages: Result[] = [];
  let marker: string | undefined;
  do {
    const more = marker === undefined ? {} : { Marker: marker };
    const page = await callAws<Result>({ region, operation, input: { ...input, ...more } }, signal);
    pages.push(page);
    marker = page.Truncated ? page.NextMarker : undefined;
  } while (marker !== undefined);
  return pages;
}

const ORIGINS: Readonly<Record<string, string>> = {
  AWS_KMS: 'AWS KMS',
  EXTERNAL: 'External (Import key material)',
  AWS_CLOUDHSM: 'AWS CloudHSM',
  EXTERNAL_KEY_STORE: 'External key store',
};

const USAGES: Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: 'Encrypt and decrypt',
  SIGN_VERIFY: 'Sign and verify',
  GENERATE_VERIFY_MAC: 'Generate and verify MAC',
  KEY_AGREEMENT: 'Key agreement',
};

/** Where a key's material comes from, in the console's words. */
export function originText(origin: string): string {
  return ORIGINS[origin] ?? origin;
}

/** What a key is for, in the console's words. */
export function usageText(usage: string): string {
  return USAGES[usage] ?? usage;
}

/** Symmetric, HMAC or asymmetric, by its spec. */
export function keyTypeText(keySpec: string): string {
  if (keySpec === 'SYMMETRIC_DEFAULT') return 'Symmetric';
  return keySpec.startsWith('HMAC_') ? 'HMAC' : 'Asymmetric';
}

/** Whether a key is a single-Region, primary or replica key. */
export function regionalityText({ MultiRegionConfiguration: set }: KeyMetadata): string {
  if (set === undefined) return 'Single-Region';
  return set.MultiRegionKeyType === 'PRIMARY' ? 'Multi-Region primary' : 'Multi-Region replica';
}

/** `alias/orders` as people call it. */
export function aliasText(name: string): string {
  return name.replace(/^alias\//u, '');
}
