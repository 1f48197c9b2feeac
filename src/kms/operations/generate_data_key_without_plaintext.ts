import { makeDataKey, type DataKeyRequest } from '../data_key.js';
import type { Operation } from '../region.js';

export interface GenerateDataKeyWithoutPlaintextResponse {
  readonly CiphertextBlob: Uint8Array;
  readonly KeyId: string;
  readonly KeyMaterialId: string;
}

/**
 * Makes a random data key in the token and answers it encrypted only; its plaintext stays in native memory.
 *
 * @throws {@link KmsError} as {@link makeDataKey}
 * @source AWS KMS API Reference, GenerateDataKeyWithoutPlaintext
 */
export const generateDataKeyWithoutPlaintext: Operation<
  DataKeyRequest,
  GenerateDataKeyWithoutPlaintextResponse
> = async (call, request) => {
  const options = { operation: 'GenerateDataKeyWithoutPlaintext', reveal: false };
  const key = await makeDataKey(call, request, options);
  return { CiphertextBlob: key.blob, KeyId: key.arn, KeyMaterialId: key.material.binding.materialId };
};
