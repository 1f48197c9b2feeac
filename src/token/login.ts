import { CKU_SO, CKU_USER } from './cryptoki.js';
import { TokenError } from './errors.js';
import { checkCall } from './module_call.js';
import type { TokenModule } from './module.js';
import type { PinSource } from './native.js';
import { forgetRefusal, rememberRefusal, refusalMarker, wasRefused, type PinTarget } from './pin_refusal.js';
import { CKR } from './return_value.js';

/** Return values after which the same PIN must not be given to the token again. */
const pinIsWrong: ReadonlySet<number> = new Set([CKR.CKR_PIN_INCORRECT, CKR.CKR_PIN_INVALID, CKR.CKR_PIN_LEN_RANGE]);

/**
 * `C_Login`. "Already logged in" is success. A PIN that this token refused once is not given to it again: not in this process,
 * and, where it comes from a file that has not changed since, not in a later one either.
 *
 * @param session - of the token that `target` describes
 * @throws {@link TokenError} `ERR_TOKEN_PIN_REFUSED`, `ERR_TOKEN_PIN_LOCKED`, `ERR_TOKEN_PIN_NOT_SET`
 * @throws {@link ConfigError} `ERR_CONFIG_PIN` where the source gives no PIN
 * @source PKCS#11 v2.40 section 5.6 (C_Login)
 */
export async function logIn(module: TokenModule, session: bigint, target: PinTarget, pin: PinSource): Promise<void> {
  if (wasRefused(target, pin)) throw refusal(CKR.CKR_PIN_INCORRECT, target, pin, { isRemembered: true });
  const userType = target.user === 'so' ? CKU_SO : CKU_USER;
  const { call, rv } = await module.native.login(session, userType, pin);
  if (pinIsWrong.has(rv)) {
    const isMarked = rememberRefusal(target, pin);
    throw refusal(rv, target, pin, { isRemembered: false, isMarked });
  }
  if (rv !== CKR.CKR_USER_ALREADY_LOGGED_IN) checkCall({ call, rv });
  forgetRefusal(target, pin);
}

/**
 * Opens a session and logs the user in on it. The login is the whole process's, and lasts as long as one session of the token does.
 *
 * @returns the session, read-write; whoever holds it keeps the login
 * @throws {@link TokenError} as {@link logIn}, and `ERR_TOKEN_NOT_PRESENT`, `ERR_TOKEN_SESSION_COUNT`
 */
export async function openLoggedInSession(
  module: TokenModule,
  slotId: number,
  target: PinTarget,
  userPin: PinSource,
): Promise<bigint> {
  const opened = module.native.openSession(slotId, { readWrite: true });
  checkCall(opened);
  try {
    // Somebody in this process may be logged in already; then no PIN is read at all.
    if (isUserLoggedIn(module, opened.session)) return opened.session;
    await logIn(module, opened.session, target, userPin);
    return opened.session;
  } catch (error) {
    module.native.closeSession(opened.session);
    throw error;
  }
}

const CKS_RO_USER_FUNCTIONS = 1;
const CKS_RW_USER_FUNCTIONS = 3;

function isUserLoggedIn(module: TokenModule, session: bigint): boolean {
  const info = module.native.sessionInfo(session);
  checkCall(info);
  return info.state === CKS_RW_USER_FUNCTIONS || info.state === CKS_RO_USER_FUNCTIONS;
}

function refusal(
  rv: number,
  target: PinTarget,
  source: PinSource,
  how: { readonly isRemembered: boolean; readonly isMarked?: boolean },
): TokenError {
  return new TokenError('ERR_TOKEN_PIN_REFUSED', {
    call: 'C_Login',
    rv,
    details: {
      label: target.label,
      user: target.user ?? 'user',
      pinSource: source.kind,
      // True: the token was not asked this time.
      remembered: how.isRemembered,
      ...(source.kind === 'file' ? { pinFile: source.path } : {}),
      ...(source.kind === 'file' && how.isMarked === true ? { marker: refusalMarker(source.path) } : {}),
    },
  });
}
