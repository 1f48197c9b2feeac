import { validationError } from './errors.js';

/** An enclave that asks for its answer under its own public key. */
export interface Recipient {
  readonly KeyEncryptionAlgorithm?: 'RSAES_OAEP_SHA_256';
  /** 1–262,144 octets. */
  readonly AttestationDocument?: Uint8Array;
}

/**
 * Refuses requests of enclaves: attestation documents are signed by a vendor whose roots Keyferry does not hold, and answering
 * in clear instead would break what the caller asked for.
 *
 * @throws {@link KmsError} `ValidationException`
 */
export function refuseRecipient(recipient: Recipient | undefined): void {
  if (recipient !== undefined) throw validationError('Recipient is not supported here.');
}
