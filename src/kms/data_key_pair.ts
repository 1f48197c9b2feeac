import type { KeySpec, StoredMaterial } from '../hsm/material.js';
import { awaitDependency } from './dependency_failure.js';
import { findEncryptingKey } from './encrypting_key.js';
import { dryRunSucceeded, KmsError } from './errors.js';
import type { EncryptionContext } from './ports.js';
import type { Call } from './region.js';

/** Every data key pair spec of the AWS KMS model, in the model's order. */
export const DATA_KEY_PAIR_SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'SM2',
  'ECC_NIST_EDWARDS25519',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
] as const;
export type DataKeyPairSpec = (typeof DATA_KEY_PAIR_SPECS)[number];

/** Specs that Keyferry makes with no token, and the mechanism that it would take. */
const NOT_MADE = {
  SM2: 'CKM_EC_KEY_PAIR_GEN on the curve sm2p256v1',
  ML_KEM_512: 'CKM_ML_KEM_KEY_PAIR_GEN',
  ML_KEM_768: 'CKM_ML_KEM_KEY_PAIR_GEN',
  ML_KEM_1024: 'CKM_ML_KEM_KEY_PAIR_GEN',
} as const satisfies Readonly<Record<Exclude<DataKeyPairSpec, KeySpec>, string>>;

/** What every request for a data key pair says. */
export interface DataKeyPairRequest {
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly EncryptionContext?: EncryptionContext;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
}

/** A data key pair and the key that its private half was encrypted under. */
export interface DataKeyPair {
  readonly arn: string;
  readonly material: StoredMaterial;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** The private half, DER PKCS#8, encrypted. */
  readonly blob: Uint8Array;
  /** The private half in clear; null unless it was to be revealed. */
  readonly plaintext: Uint8Array | null;
}

/**
 * Makes a data key pair in the token.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} as Encrypt; `UnsupportedOperationException` for a spec that this region's token cannot make, naming the
 * mechanism
 */
export async function makeDataKeyPair(
  call: Call,
  request: DataKeyPairRequest,
  options: { readonly operation: string; readonly reveal: boolean },
): Promise<DataKeyPair> {
  const { arn, material } = findEncryptingKey(call, options.operation, {
    keyId: request.KeyId,
    grantTokens: request.GrantTokens,
    algorithm: undefined,
    context: request.EncryptionContext,
    conditions: () => ({ 'kms:DataKeyPairSpec': request.KeyPairSpec }),
  });
  const keySpec = requireMade(call, request.KeyPairSpec);
  if (request.DryRun === true) throw dryRunSucceeded();
  const made = await awaitDependency(
    'key',
    call.region.hsm.generateDataKeyPair(material, request.EncryptionContext ?? {}, { keySpec, reveal: options.reveal }),
  );
  return { arn, material, ...made };
}

function requireMade(call: Call, spec: DataKeyPairSpec): KeySpec {
  const refusal = isMade(spec)
    ? call.region.hsm.refusalOfDataKeyPair(spec)
    : `no token that Keyferry works with has ${NOT_MADE[spec]}`;
  if (refusal === undefined && isMade(spec)) return spec;
  throw new KmsError('UnsupportedOperationException', `KeyPairSpec ${spec} is not supported here: ${refusal}.`);
}

function isMade(spec: DataKeyPairSpec): spec is Exclude<DataKeyPairSpec, keyof typeof NOT_MADE> {
  return !Object.hasOwn(NOT_MADE, spec);
}
