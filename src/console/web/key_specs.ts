import type { Choice } from './components/form.js';

/** Whether one key does both directions, or a pair does one each. */
export type KeyType = 'symmetric' | 'asymmetric';

interface UsageRow {
  readonly type: KeyType;
  readonly usage: string;
  readonly hint: string;
  readonly specs: readonly string[];
}

const RSA = ['RSA_2048', 'RSA_3072', 'RSA_4096'];
const NIST_CURVES = ['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'];

/** What keys are for, by type, with the specs of each; the first one is proposed. @source AWS KMS Developer Guide, "Key spec reference" */
const USAGES: readonly UsageRow[] = [
  {
    type: 'symmetric',
    usage: 'ENCRYPT_DECRYPT',
    hint: 'For data and for data keys.',
    specs: ['SYMMETRIC_DEFAULT'],
  },
  {
    type: 'symmetric',
    usage: 'GENERATE_VERIFY_MAC',
    hint: 'For authentication codes (HMAC).',
    specs: ['HMAC_256', 'HMAC_224', 'HMAC_384', 'HMAC_512'],
  },
  {
    type: 'asymmetric',
    usage: 'ENCRYPT_DECRYPT',
    hint: 'Anybody encrypts under the public key, the key decrypts.',
    specs: RSA,
  },
  {
    type: 'asymmetric',
    usage: 'SIGN_VERIFY',
    hint: 'The key signs, anybody verifies with the public key.',
    specs: [...RSA, ...NIST_CURVES, 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'],
  },
  {
    type: 'asymmetric',
    usage: 'KEY_AGREEMENT',
    hint: 'Derives secrets that two parties share (ECDH).',
    specs: NIST_CURVES,
  },
];

/** What keys of a type can be for. */
export function usagesOf(type: KeyType): readonly UsageRow[] {
  return USAGES.filter((row) => row.type === type);
}

/** Specs of keys of a type and a usage. */
export function specsOf(type: KeyType, usage: string): readonly string[] {
  return usagesOf(type).find((row) => row.usage === usage)?.specs ?? [];
}

/** Key specs whose material cannot be imported. */
const NEVER_IMPORTED: ReadonlySet<string> = new Set(['ECC_NIST_EDWARDS25519']);

/** Why a key of a spec cannot have imported material; undefined where it can. */
export function importRefusal(keySpec: string): string | undefined {
  return NEVER_IMPORTED.has(keySpec) ? `Material of ${keySpec} cannot be imported here.` : undefined;
}

/** Kinds of RSA keys under which material is wrapped. */
export const WRAPPING_KEY_SPECS: readonly Choice[] = [
  { value: 'RSA_4096', label: 'RSA_4096 (recommended)' },
  { value: 'RSA_3072', label: 'RSA_3072' },
  { value: 'RSA_2048', label: 'RSA_2048' },
];

interface WrappingRow {
  readonly value: string;
  readonly hint: string;
  readonly withAesKey: boolean;
}

const WRAPPING_ALGORITHMS: readonly WrappingRow[] = [
  {
    value: 'RSAES_OAEP_SHA_256',
    hint: 'The material is encrypted under the wrapping key.',
    withAesKey: false,
  },
  { value: 'RSAES_OAEP_SHA_1', hint: 'The same with SHA-1, for HSMs that have nothing else.', withAesKey: false },
  {
    value: 'RSA_AES_KEY_WRAP_SHA_256',
    hint: 'The material is wrapped under an AES key of yours, and that under the wrapping key.',
    withAesKey: true,
  },
  {
    value: 'RSA_AES_KEY_WRAP_SHA_1',
    hint: 'The same with SHA-1, for HSMs that have nothing else.',
    withAesKey: true,
  },
];

/**
 * Algorithms under which material of a key spec is wrapped, with why some of them cannot be.
 *
 * @source AWS KMS Developer Guide, "Importing key material step 2: Select a wrapping algorithm"
 */
export function wrappingChoices(keySpec: string, wrappingKeySpec: string): readonly Choice[] {
  return WRAPPING_ALGORITHMS.map(({ value, hint, withAesKey }) => {
    const refusal = wrappingRefusal(keySpec, { wrappingKeySpec, withAesKey });
    return { value, label: value, hint, ...(refusal !== undefined && { refusal }) };
  });
}

function wrappingRefusal(
  keySpec: string,
  { wrappingKeySpec, withAesKey }: { readonly wrappingKeySpec: string; readonly withAesKey: boolean },
): string | undefined {
  const isSecret = keySpec === 'SYMMETRIC_DEFAULT' || keySpec.startsWith('HMAC_');
  if (isSecret && withAesKey) return 'For private keys only.';
  if (keySpec.startsWith('RSA_') && !withAesKey) return 'An RSA private key is too long for it.';
  if (keySpec === 'ECC_NIST_P521' && wrappingKeySpec === 'RSA_2048' && !withAesKey) {
    return 'A P-521 private key is too long for it under RSA_2048.';
  }
  return undefined;
}
