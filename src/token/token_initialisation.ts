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
 * @returns the slot in which the token is now: SoftHSM2 moves it to another one
 * @throws {@link TokenError} `ERR_TOKEN_CALL` if the token is initialised already; otherwise by return value
 * @source PKCS#11 v2.40 section 5.5 (C_InitToken), 5.6 (C_InitPIN)
 */
export async function initialiseToken(module: TokenModule, initialisation: TokenInitialisation): Promise<Slot> {
  const { slotId, label, soPin, userPin } = initialisation;
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
  if (Buffer.byteLength(label, 'utf8') > LABEL_BYTES_MAX) {
    throw new TokenError('ERR_TOKEN_CALL', {
      call: 'C_InitToken',
      rv: CKR.CKR_ARGUMENTS_BAD,
      details: { label, labelBytesMax: LABEL_BYTES_MAX },
    });
  }
  if (soPin.kind === 'empty') {
    await setUserPin(module, slotId, soPin, userPin);
    return module.findToken({ slotId });
  }
  checkCall(await module.native.initToken(slotId, soPin, label));
  // The token may be in another slot now; its label is the one just given, and the only one without a user PIN.
  const initialised = module.slots().filter((candidate) => {
    const info = candidate.token();
    return info.isInitialised && info.label === label && !info.isUserPinSet;
  });
  const [only] = initialised;
  if (only === undefined || initialised.length > 1) return module.findToken({ label });
  await setUserPin(module, only.slotId, soPin, userPin);
  return module.findToken({ slotId: only.slotId });
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
