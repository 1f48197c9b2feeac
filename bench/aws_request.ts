import { randomBytes } from 'node:crypto';
import { SoftwareKeyHsm } from '../test/support/software_key_hsm.js';

/** Octets of a ciphertext blob of 32 octets. */
export const BLOB_OCTETS = 184;
export const PLAINTEXT_OCTETS = 32;

/** One request that is sent over and over. */
export interface LoadedRequest {
  /** Operation of AWS KMS. */
  readonly operation: string;
  /** JSON document. */
  readonly body: string;
}

/** A double whose Encrypt costs nothing, so that what is left is the server. */
export class ConstantHsm extends SoftwareKeyHsm {
  readonly #blob = randomBytes(BLOB_OCTETS);

  override async encrypt(): Promise<Uint8Array> {
    return this.#blob;
  }
}

/** An Encrypt of 32 octets. */
export function encryptRequest(keyArn: string): LoadedRequest {
  const plaintext = randomBytes(PLAINTEXT_OCTETS).toString('base64');
  return { operation: 'Encrypt', body: JSON.stringify({ KeyId: keyArn, Plaintext: plaintext }) };
}
