import { authorizeAccount } from '../authorization.js';
import { customKeyStoreNotFound } from '../custom_key_store.js';
import { validationError } from '../errors.js';
import { awaitDependency } from '../dependency_failure.js';
import { refuseRecipient, type Recipient } from '../recipient.js';
import type { Operation } from '../region.js';

export interface GenerateRandomRequest {
  /** 1–1024. */
  readonly NumberOfBytes?: number;
  readonly CustomKeyStoreId?: string;
  readonly Recipient?: Recipient;
}

export interface GenerateRandomResponse {
  readonly Plaintext: Uint8Array;
}

/**
 * Answers octets of the token's random generator.
 *
 * @throws {@link KmsError} `ValidationException`, `CustomKeyStoreNotFoundException`
 * @source AWS KMS API Reference, GenerateRandom
 */
export const generateRandom: Operation<GenerateRandomRequest, GenerateRandomResponse> = async (call, request) => {
  if (request.NumberOfBytes === undefined) throw validationError('NumberOfBytes is required.');
  refuseRecipient(request.Recipient);
  if (request.CustomKeyStoreId !== undefined) throw customKeyStoreNotFound(request.CustomKeyStoreId);
  authorizeAccount(call, 'GenerateRandom');
  return { Plaintext: await awaitDependency('service', call.region.hsm.random(request.NumberOfBytes)) };
};
