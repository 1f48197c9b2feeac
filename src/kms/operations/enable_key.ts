import { setEnabled } from '../enabled_key.js';
import type { NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface EnableKeyRequest {
  readonly KeyId: string;
}

/**
 * Enables a disabled key; does nothing with an enabled one.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order
 * @source AWS KMS API Reference, EnableKey
 */
export const enableKey: Operation<EnableKeyRequest, NoOutput> = async (call, request) =>
  setEnabled(call, 'EnableKey', request.KeyId, 'Enabled');
