import { makeDataKeyPair, type DataKeyPairRequest, type DataKeyPairSpec } from '../data_key_pair.js';
import type { Operation } from '../region.js';

export interface GenerateDataKeyPairWithoutPlaintextResponse {
  /** DER PKCS#8, encrypted; Decrypt opens it. */
  readonly PrivateKeyCiphertextBlob: Uint8Array;
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array;
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly KeyMaterialId: string;
}

/**
 * Makes a key pair in the token and answers its private half encrypted only; in clear it stays in native memory.
 *
 * @throws {@link KmsError} as {@link makeDataKeyPair}
 * @source AWS KMS API Reference, GenerateDataKeyPairWithoutPlaintext
 */
export const generateDataKeyPairWithoutPlaintext: Operation<
  DataKeyPairRequest,
  GenerateDataKeyPairWithoutPlaintextResponse
> = async (call, request) => {
  const options = { operation: 'GenerateDataKeyPairWithoutPlaintext', reveal: false };
  const pair = await makeDataKeyPair(call, request, options);
  return {
    PrivateKeyCiphertextBlob: pair.blob,
    PublicKey: pair.publicKey,
    KeyId: pair.arn,
    KeyPairSpec: request.KeyPairSpec,
    KeyMaterialId: pair.material.binding.materialId,
  };
};
