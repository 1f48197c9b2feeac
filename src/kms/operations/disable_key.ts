import { setEnabled } from '../enabled_key.js';
import type { NoOutput } from '../no_output.js';
import type { Operation } from '../region.js';

export interface DisableKeyRequest {
  readonly KeyId: string;
}

/**
 * Disables a key: cryptography with it is refused from now on, until it is enabled again. Does nothing with a disabled one.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order
 * @source AWS KMS API Reference, DisableKey
 */
export const disableKey: Operation<DisableKeyRequest, NoOutput> = async (call, request) =>
  setEnabled(call, 'DisableKey', request.KeyId, 'Disabled');
