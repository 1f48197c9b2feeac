import { makeDataKey, type DataKeyRequest } from '../data_key.js';
import { refuseRecipient, type Recipient } from '../recipient.js';
import type { Operation } from '../region.js';

export interface GenerateDataKeyRequest extends DataKeyRequest {
  readonly Recipient?: Recipient;
}

export interface GenerateDataKeyResponse {
  readonly CiphertextBlob: Uint8Array;
  readonly Plaintext: Uint8Array;
  readonly KeyId: string;
  readonly KeyMaterialId: string;
}

/**
 * Makes a random data key in the token and answers it in clear and encrypted.
 *
 * @throws {@link KmsError} as {@link makeDataKey}
 * @source AWS KMS API Reference, GenerateDataKey
 */
export const generateDataKey: Operation<GenerateDataKeyRequest, GenerateDataKeyResponse> = async (call, request) => {
  refuseRecipient(request.Recipient);
  const key = await makeDataKey(call, request, { operation: 'GenerateDataKey', reveal: true });
  if (key.plaintext === null) throw new Error('the HSM kept the plaintext of a data key that was to be revealed');
  return {
    CiphertextBlob: key.blob,
    Plaintext: key.plaintext,
    KeyId: key.arn,
    KeyMaterialId: key.material.binding.materialId,
  };
};
