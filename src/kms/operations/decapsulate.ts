import { refuseEncapsulation, type EncapsulationRequest } from '../encapsulation.js';
import type { Operation } from '../region.js';

export interface DecapsulateRequest extends EncapsulationRequest {
  /** 1–6,144 octets. */
  readonly SharedSecretCiphertextBlob: Uint8Array;
}

/**
 * Answers as AWS KMS does for a key that is not for encapsulation, which is every key here.
 *
 * @throws {@link KmsError} as {@link refuseEncapsulation}
 * @source AWS KMS API Reference, Decapsulate
 */
export const decapsulate: Operation<DecapsulateRequest, never> = async (call, request) =>
  refuseEncapsulation(call, 'Decapsulate', request);
