import { authorizeKey } from './authorization.js';
import { findKey } from './key_lookup.js';
import { requireState } from './key_state.js';
import { NO_OUTPUT, type NoOutput } from './no_output.js';
import type { Call } from './region.js';

/**
 * Puts a key that is enabled or disabled into one of the two states; whatever is asked of the key next sees it.
 *
 * @throws {@link KmsError} lookup, authorisation, state, in this order
 */
export function setEnabled(
  call: Call,
  operation: 'EnableKey' | 'DisableKey',
  keyId: string,
  state: 'Enabled' | 'Disabled',
): NoOutput {
  const { store, deadlines } = call.region;
  const record = findKey(call, keyId, 'key');
  authorizeKey(call, operation, record);
  requireState('enable', record.state, record.arn);
  if (record.state === state) return NO_OUTPUT;
  store.transaction(() => store.setState(record.keyId, state, null));
  // What a disabled key has missed may be due now.
  deadlines.changed();
  return NO_OUTPUT;
}
