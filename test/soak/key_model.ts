/** What a key is used for here; each kind has one key spec. */
export type KeyKind = 'cipher' | 'signature' | 'mac' | 'imported';

export const SPEC_OF: Readonly<Record<KeyKind, { readonly KeySpec: string; readonly KeyUsage: string }>> = {
  cipher: { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' },
  signature: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  imported: { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' },
};

export type ModelState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport';

/** Something that a key made, base64, and what has to come out of it again. */
export type Product =
  | {
      readonly kind: 'ciphertext';
      readonly blob: string;
      readonly plaintext: string;
      readonly context: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'signature'; readonly message: string; readonly signature: string }
  | { readonly kind: 'mac'; readonly message: string; readonly mac: string };

/** What the service has acknowledged of one key. Changed by one client only, so that its order of changes is the service's. */
export interface ModelKey {
  readonly keyId: string;
  /** Where it was made; its state, tags, grants, aliases and description of this region are looked at. */
  readonly region: string;
  /** The Region of the primary key, in which it is rotated and replicated. */
  primary: string;
  readonly kind: KeyKind;
  readonly isMultiRegion: boolean;
  /** Every client uses it, so it is never disabled or deleted. */
  readonly isShared: boolean;
  state: ModelState;
  description: string;
  readonly tags: Map<string, string>;
  /** Grants by name. */
  readonly grants: Map<string, string>;
  /** On-demand rotations that there are; between the two where a replicated key's rotation was asked for without an answer. */
  rotations: { least: number; most: number };
  /** Whether a replica was seen to be enabled, by region. */
  readonly replicas: Map<string, boolean>;
  /** Imported material, kept because only the same may be imported again; null before and for other keys. */
  material: Buffer | null;
  readonly products: Product[];
}

export function newModelKey(
  of: Pick<ModelKey, 'keyId' | 'region' | 'kind' | 'isMultiRegion' | 'isShared' | 'description'>,
): ModelKey {
  return {
    ...of,
    primary: of.region,
    state: of.kind === 'imported' ? 'PendingImport' : 'Enabled',
    tags: new Map(),
    grants: new Map(),
    rotations: { least: 0, most: 0 },
    replicas: new Map(),
    material: null,
    products: [],
  };
}

/** The regions in which a key can be used. */
export function regionsOf(key: ModelKey): readonly string[] {
  return [key.region, ...[...key.replicas].filter(([, isEnabled]) => isEnabled).map(([region]) => region)];
}

/** What a use of the key in its own region is refused with; undefined where it is not. */
export function refusalOfUse({ state }: ModelKey): string | undefined {
  if (state === 'Enabled') return undefined;
  return state === 'Disabled' ? 'DisabledException' : 'KMSInvalidStateException';
}

/** What a change of tags, description or aliases is refused with. */
export function refusalOfNote({ state }: ModelKey): string | undefined {
  return state === 'PendingDeletion' ? 'KMSInvalidStateException' : undefined;
}
