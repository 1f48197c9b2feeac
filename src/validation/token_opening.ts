import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TokenModule } from '../token/module.js';
import { generatePinFile } from '../token/native.js';
import { OpenToken } from '../token/open_token.js';
import { initialiseToken } from '../token/token_initialisation.js';
import { prepareTokenDirectory } from '../token/token_directory.js';
import { ValidationError } from './errors.js';
import type { TokenReference } from './token_reference.js';

/** Threads of the executor that checks use; those that need more sessions open their own. */
const THREADS = 2;

/**
 * Loads the module and opens the token of a run, logged in; a scratch token is made where it is missing.
 *
 * A token that is initialised already is never initialised again.
 *
 * @throws {@link TokenError} and {@link ConfigError} as the token floor has them; {@link ValidationError} `ERR_VALIDATION_REQUEST`
 */
export async function openReferredToken(reference: TokenReference): Promise<OpenToken> {
  const { scratch } = reference;
  const label = reference.selector.label ?? reference.initialiseAs ?? 'keyferry validation';
  const settings =
    scratch === null
      ? reference.settings
      : prepareTokenDirectory(scratch.kind, join(scratch.directory, 'token'), label);
  const module = TokenModule.load(reference.module);
  if (reference.dialect !== undefined) module.speak(reference.dialect);
  module.initialise(settings);
  if (scratch !== null) {
    for (const pin of [reference.userPin, reference.soPin]) {
      if (pin?.kind === 'file' && !existsSync(pin.path)) generatePinFile(pin.path);
    }
  }
  if (reference.initialiseAs !== null) await initialiseWhereEmpty(module, reference, reference.initialiseAs);
  return OpenToken.open(module, {
    token: reference.selector,
    userPin: reference.userPin,
    executor: { threads: THREADS, shortThreadsMax: THREADS },
  });
}

async function initialiseWhereEmpty(module: TokenModule, reference: TokenReference, label: string): Promise<void> {
  const slots = module.slots().map((slot) => ({ slot, token: slot.token() }));
  if (slots.some(({ token }) => token.isInitialised && token.label === label && token.isUserPinSet)) return;
  const empty = slots.find(
    ({ slot, token }) =>
      (!token.isInitialised || (token.label === label && !token.isUserPinSet)) &&
      (reference.selector.slotId === undefined || reference.selector.slotId === slot.slotId),
  );
  if (empty === undefined) {
    throw new ValidationError('ERR_VALIDATION_REQUEST', 'there is no empty token that could be initialised', {
      remedy: 'give --slot of a token that is not initialised; one that is initialised is never erased here',
    });
  }
  await initialiseToken(module, {
    slotId: empty.slot.slotId,
    label,
    soPin: reference.soPin ?? { kind: 'empty' },
    userPin: reference.userPin,
  });
}
