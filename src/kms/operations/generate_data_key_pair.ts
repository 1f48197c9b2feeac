import { makeDataKeyPair, type DataKeyPairRequest, type DataKeyPairSpec } from '../data_key_pair.js';
import { refuseRecipient, type Recipient } from '../recipient.js';
import type { Operation } from '../region.js';

export interface GenerateDataKeyPairRequest extends DataKeyPairRequest {
  readonly Recipient?: Recipient;
}

export interface GenerateDataKeyPairResponse {
  /** DER PKCS#8, encrypted; Decrypt opens it. */
  readonly PrivateKeyCiphertextBlob: Uint8Array;
  /** DER PKCS#8. */
  readonly PrivateKeyPlaintext: Uint8Array;
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array;
  readonly KeyId: string;
  readonly KeyPairSpec: DataKeyPairSpec;
  readonly KeyMaterialId: string;
}

/**
 * Makes a key pair in the token and answers its private half in clear and encrypted.
 *
 * @throws {@link KmsError} as {@link makeDataKeyPair}
 * @source AWS KMS API Reference, GenerateDataKeyPair
 */
export const generateDataKeyPair: Operation<GenerateDataKeyPairRequest, GenerateDataKeyPairResponse> = async (
  call,
  request,
) => {
  refuseRecipient(request.Recipient);
  const pair = await makeDataKeyPair(call, request, { operation: 'GenerateDataKeyPair', reveal: true });
  if (pair.plaintext === null) throw new Error('the HSM kept the private half of a pair that was to be revealed');
  return {
    PrivateKeyCiphertextBlob: pair.blob,
    PrivateKeyPlaintext: pair.plaintext,
    PublicKey: pair.publicKey,
    KeyId: pair.arn,
    KeyPairSpec: request.KeyPairSpec,
    KeyMaterialId: pair.material.binding.materialId,
  };
};
