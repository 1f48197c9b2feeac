import { CKR } from './return_value.js';
import { CKU_SO } from './cryptoki.js';
import { TokenError } from './errors.js';
import { checkCall } from './module_call.js';
import type { TokenModule } from './module.js';
import type { PinSource } from './native.js';
import type { Slot } from './slot.js';

/** A token that is to be initialised, and the PINs that it gets. */
export interface TokenInitialisation {
  /** The slot of the token that is not initialised yet. */
  readonly slotId: number;
  /** At most 32 octets. */
  readonly label: string;
  /**
   * The security officer's PIN, which `C_InitToken` sets.
   * `empty` for tokens that exist without it and whose security officer has none, such as an NSS softoken database: only the user PIN is set then.
   */
  readonly soPin: PinSource;
  readonly userPin: PinSource;
}

const LABEL_BYTES_MAX = 32;

/**
 * Initialises a token and sets its user PIN.
 *
 * HAZARD: `C_InitToken` destroys every object in a token that was initialised before; such a token is refused here.
 *
 * The module is finalised and initialised anew at the end, because SoftHSM2 gives a new token its lasting slot only then:
 * no token of the module may be open.
 *
 * @returns the slot in which the token is from now on
 * @throws {@link TokenError} `ERR_TOKEN_CALL` if the token is initialised already; or one of the module is open; otherwise by return value
 * @source PKCS#11 v2.40 section 5.5 (C_InitToken), 5.6 (C_InitPIN)
 */
export async function initialiseToken(module: TokenModule, initialisation: TokenInitialisation): Promise<Slot> {
  const { slotId, label, soPin, userPin } = initialisation;
  if (module.isInUse) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_InitToken',
      rv: CKR.CKR_SESSION_EXISTS,
      details: { reason: 'a token of this module is open in this process' },
    });
  }
  const slot = module.slots().find((candidate) => candidate.slotId === slotId);
  if (slot === undefined) {
    throw new TokenError('ERR_TOKEN_NOT_PRESENT', { call: 'C_GetSlotList', rv: CKR.CKR_SLOT_ID_INVALID });
  }
  const token = slot.token();
  if (token.isInitialised && (token.isUserPinSet || soPin.kind !== 'empty')) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_InitToken',
      rv: CKR.CKR_ACTION_PROHIBITED,
      details: { label: token.label, reason: 'the token is initialised already and may hold keys' },
    });
  }
  if (
    module
      .slots()
      .some((other) => other.slotId !== slotId && other.token().isInitialised && other.token().label === label)
  ) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_InitToken',
      rv: CKR.CKR_ACTION_PROHIBITED,
      details: { label, reason: 'another token of the module has this label already' },
    });
  }
  if (Buffer.byteLength(label, 'utf8') > LABEL_BYTES_MAX) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_InitToken',
      rv: CKR.CKR_ARGUMENTS_BAD,
      details: { label, labelBytesMax: LABEL_BYTES_MAX },
    });
  }
  if (soPin.kind === 'empty') {
    await setUserPin(module, slotId, soPin, userPin);
    module.reinitialise();
    return module.findToken({ label });
  }
  checkCall(await module.native.initToken(slotId, soPin, label));
  await setUserPin(module, slotId, soPin, userPin);
  module.reinitialise();
  return module.findToken({ label });
}

async function setUserPin(module: TokenModule, slotId: number, soPin: PinSource, userPin: PinSource): Promise<void> {
  const opened = module.native.openSession(slotId, { readWrite: true });
  checkCall(opened);
  try {
    checkCall(await module.native.login(opened.session, CKU_SO, soPin));
    checkCall(await module.native.initPin(opened.session, userPin));
  } finally {
    // The last session of the token: closing it logs the security officer out.
    module.native.closeSession(opened.session);
  }
}
