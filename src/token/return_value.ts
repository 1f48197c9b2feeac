import type { TokenErrorCode } from './errors.js';

/**
 * How much has to be thrown away after a return value: nothing but the call, the session, or the module's whole state.
 */
export type Severity = 'call' | 'session' | 'module';

/**
 * The return values of PKCS#11, by name.
 *
 * @source PKCS#11 v2.40 base specification appendix B; v3.1 section 5.1; v3.2
 */
export const CKR = {
  CKR_OK: 0x000,
  CKR_CANCEL: 0x001,
  CKR_HOST_MEMORY: 0x002,
  CKR_SLOT_ID_INVALID: 0x003,
  CKR_GENERAL_ERROR: 0x005,
  CKR_FUNCTION_FAILED: 0x006,
  CKR_ARGUMENTS_BAD: 0x007,
  CKR_NO_EVENT: 0x008,
  CKR_NEED_TO_CREATE_THREADS: 0x009,
  CKR_CANT_LOCK: 0x00a,
  CKR_ATTRIBUTE_READ_ONLY: 0x010,
  CKR_ATTRIBUTE_SENSITIVE: 0x011,
  CKR_ATTRIBUTE_TYPE_INVALID: 0x012,
  CKR_ATTRIBUTE_VALUE_INVALID: 0x013,
  CKR_ACTION_PROHIBITED: 0x01b,
  CKR_DATA_INVALID: 0x020,
  CKR_DATA_LEN_RANGE: 0x021,
  CKR_DEVICE_ERROR: 0x030,
  CKR_DEVICE_MEMORY: 0x031,
  CKR_DEVICE_REMOVED: 0x032,
  CKR_ENCRYPTED_DATA_INVALID: 0x040,
  CKR_ENCRYPTED_DATA_LEN_RANGE: 0x041,
  CKR_AEAD_DECRYPT_FAILED: 0x042,
  CKR_FUNCTION_CANCELED: 0x050,
  CKR_FUNCTION_NOT_PARALLEL: 0x051,
  CKR_FUNCTION_NOT_SUPPORTED: 0x054,
  CKR_KEY_HANDLE_INVALID: 0x060,
  CKR_KEY_SIZE_RANGE: 0x062,
  CKR_KEY_TYPE_INCONSISTENT: 0x063,
  CKR_KEY_NOT_NEEDED: 0x064,
  CKR_KEY_CHANGED: 0x065,
  CKR_KEY_NEEDED: 0x066,
  CKR_KEY_INDIGESTIBLE: 0x067,
  CKR_KEY_FUNCTION_NOT_PERMITTED: 0x068,
  CKR_KEY_NOT_WRAPPABLE: 0x069,
  CKR_KEY_UNEXTRACTABLE: 0x06a,
  CKR_KEY_PARAMS_INVALID: 0x06b,
  CKR_MECHANISM_INVALID: 0x070,
  CKR_MECHANISM_PARAM_INVALID: 0x071,
  CKR_OBJECT_HANDLE_INVALID: 0x082,
  CKR_OPERATION_ACTIVE: 0x090,
  CKR_OPERATION_NOT_INITIALIZED: 0x091,
  CKR_PIN_INCORRECT: 0x0a0,
  CKR_PIN_INVALID: 0x0a1,
  CKR_PIN_LEN_RANGE: 0x0a2,
  CKR_PIN_EXPIRED: 0x0a3,
  CKR_PIN_LOCKED: 0x0a4,
  CKR_SESSION_CLOSED: 0x0b0,
  CKR_SESSION_COUNT: 0x0b1,
  CKR_SESSION_HANDLE_INVALID: 0x0b3,
  CKR_SESSION_PARALLEL_NOT_SUPPORTED: 0x0b4,
  CKR_SESSION_READ_ONLY: 0x0b5,
  CKR_SESSION_EXISTS: 0x0b6,
  CKR_SESSION_READ_ONLY_EXISTS: 0x0b7,
  CKR_SESSION_READ_WRITE_SO_EXISTS: 0x0b8,
  CKR_SIGNATURE_INVALID: 0x0c0,
  CKR_SIGNATURE_LEN_RANGE: 0x0c1,
  CKR_TEMPLATE_INCOMPLETE: 0x0d0,
  CKR_TEMPLATE_INCONSISTENT: 0x0d1,
  CKR_TOKEN_NOT_PRESENT: 0x0e0,
  CKR_TOKEN_NOT_RECOGNIZED: 0x0e1,
  CKR_TOKEN_WRITE_PROTECTED: 0x0e2,
  CKR_UNWRAPPING_KEY_HANDLE_INVALID: 0x0f0,
  CKR_UNWRAPPING_KEY_SIZE_RANGE: 0x0f1,
  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: 0x0f2,
  CKR_USER_ALREADY_LOGGED_IN: 0x100,
  CKR_USER_NOT_LOGGED_IN: 0x101,
  CKR_USER_PIN_NOT_INITIALIZED: 0x102,
  CKR_USER_TYPE_INVALID: 0x103,
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: 0x104,
  CKR_USER_TOO_MANY_TYPES: 0x105,
  CKR_WRAPPED_KEY_INVALID: 0x110,
  CKR_WRAPPED_KEY_LEN_RANGE: 0x112,
  CKR_WRAPPING_KEY_HANDLE_INVALID: 0x113,
  CKR_WRAPPING_KEY_SIZE_RANGE: 0x114,
  CKR_WRAPPING_KEY_TYPE_INCONSISTENT: 0x115,
  CKR_RANDOM_SEED_NOT_SUPPORTED: 0x120,
  CKR_RANDOM_NO_RNG: 0x121,
  CKR_DOMAIN_PARAMS_INVALID: 0x130,
  CKR_CURVE_NOT_SUPPORTED: 0x140,
  CKR_BUFFER_TOO_SMALL: 0x150,
  CKR_SAVED_STATE_INVALID: 0x160,
  CKR_INFORMATION_SENSITIVE: 0x170,
  CKR_STATE_UNSAVEABLE: 0x180,
  CKR_CRYPTOKI_NOT_INITIALIZED: 0x190,
  CKR_CRYPTOKI_ALREADY_INITIALIZED: 0x191,
  CKR_MUTEX_BAD: 0x1a0,
  CKR_MUTEX_NOT_LOCKED: 0x1a1,
  CKR_NEW_PIN_MODE: 0x1b0,
  CKR_NEXT_OTP: 0x1b1,
  CKR_EXCEEDED_MAX_ITERATIONS: 0x1b5,
  CKR_FIPS_SELF_TEST_FAILED: 0x1b6,
  CKR_LIBRARY_LOAD_FAILED: 0x1b7,
  CKR_PIN_TOO_WEAK: 0x1b8,
  CKR_PUBLIC_KEY_INVALID: 0x1b9,
  CKR_FUNCTION_REJECTED: 0x200,
  CKR_TOKEN_RESOURCE_EXCEEDED: 0x201,
  CKR_OPERATION_CANCEL_FAILED: 0x202,
  CKR_KEY_EXHAUSTED: 0x203,
  CKR_PENDING: 0x204,
  CKR_SESSION_ASYNC_NOT_SUPPORTED: 0x205,
  CKR_SEED_RANDOM_REQUIRED: 0x206,
  CKR_OPERATION_NOT_VALIDATED: 0x207,
  CKR_TOKEN_NOT_INITIALIZED: 0x208,
  CKR_PARAMETER_SET_NOT_SUPPORTED: 0x209,
} as const;

/** The name of a return value of the standard. */
export type ReturnValueName = keyof typeof CKR;

const VENDOR_DEFINED = 0x80000000;
const nameByValue = new Map<number, ReturnValueName>(
  Object.entries(CKR).map(([name, value]) => [value, name as ReturnValueName]),
);

function hex(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(8, '0')}`;
}

/**
 * Name of a return value.
 *
 * @returns `CKR_PIN_INCORRECT`; `CKR_VENDOR_DEFINED+0x…` and `CKR_0x…` for values the standard does not name
 */
export function returnValueName(rv: number): string {
  const name = nameByValue.get(rv);
  if (name !== undefined) return name;
  return rv >= VENDOR_DEFINED ? `CKR_VENDOR_DEFINED+${hex(rv - VENDOR_DEFINED)}` : `CKR_${hex(rv)}`;
}

const sessionIsGone: ReadonlySet<number> = new Set([
  CKR.CKR_SESSION_HANDLE_INVALID,
  CKR.CKR_SESSION_CLOSED,
  CKR.CKR_USER_NOT_LOGGED_IN,
  CKR.CKR_OPERATION_ACTIVE,
  CKR.CKR_OPERATION_CANCEL_FAILED,
  CKR.CKR_DEVICE_ERROR,
]);

const moduleIsGone: ReadonlySet<number> = new Set([
  CKR.CKR_CRYPTOKI_NOT_INITIALIZED,
  CKR.CKR_DEVICE_REMOVED,
  CKR.CKR_TOKEN_NOT_PRESENT,
  CKR.CKR_TOKEN_NOT_RECOGNIZED,
  CKR.CKR_SLOT_ID_INVALID,
  CKR.CKR_MUTEX_BAD,
  CKR.CKR_MUTEX_NOT_LOCKED,
  CKR.CKR_FIPS_SELF_TEST_FAILED,
]);

/**
 * What has to be rebuilt after a return value. The only place that decides it.
 *
 * `CKR_GENERAL_ERROR` is the call's: SoftHSM answers it for a forged ciphertext, and a caller must not be able to tear sessions down with one.
 */
export function severityOf(rv: number): Severity {
  if (moduleIsGone.has(rv)) return 'module';
  return sessionIsGone.has(rv) ? 'session' : 'call';
}

const codeByReturnValue: Partial<Record<ReturnValueName, TokenErrorCode>> = {
  CKR_PIN_INCORRECT: 'ERR_TOKEN_PIN_REFUSED',
  CKR_PIN_INVALID: 'ERR_TOKEN_PIN_REFUSED',
  CKR_PIN_LEN_RANGE: 'ERR_TOKEN_PIN_REFUSED',
  CKR_PIN_LOCKED: 'ERR_TOKEN_PIN_LOCKED',
  CKR_PIN_EXPIRED: 'ERR_TOKEN_PIN_LOCKED',
  CKR_USER_PIN_NOT_INITIALIZED: 'ERR_TOKEN_PIN_NOT_SET',
  CKR_SESSION_COUNT: 'ERR_TOKEN_SESSION_COUNT',
  CKR_TOKEN_NOT_PRESENT: 'ERR_TOKEN_NOT_PRESENT',
  CKR_TOKEN_NOT_RECOGNIZED: 'ERR_TOKEN_NOT_PRESENT',
  CKR_TOKEN_NOT_INITIALIZED: 'ERR_TOKEN_NOT_PRESENT',
  CKR_SLOT_ID_INVALID: 'ERR_TOKEN_NOT_PRESENT',
};

/** The code of the error that a return value becomes, where the caller knows nothing more. */
export function errorCodeFor(rv: number): TokenErrorCode {
  const known = codeByReturnValue[returnValueName(rv) as ReturnValueName];
  if (known !== undefined) return known;
  const severity = severityOf(rv);
  if (severity === 'module') return 'ERR_TOKEN_MODULE_LOST';
  return severity === 'session' ? 'ERR_TOKEN_SESSION_LOST' : 'ERR_TOKEN_CALL';
}

const remedyByCode: Partial<Record<TokenErrorCode, string>> = {
  ERR_TOKEN_MODULE_NOT_LOADED:
    'check that the path names a PKCS#11 library of this machine’s architecture, and that what it links to is installed',
  ERR_TOKEN_PIN_NOT_SET: 'the security officer has to set the user PIN first: run "keyferry token init"',
  ERR_TOKEN_BUSY: 'more jobs wait than the executor takes; repeat the call a little later',
  ERR_TOKEN_SESSION_COUNT: 'close other programs that use the token, or use fewer token threads',
  ERR_TOKEN_STALE_HANDLE: 'the sessions were opened anew since; find or load the key again and repeat the call',
  ERR_TOKEN_REFERENCE: 'an earlier step of the job failed and made nothing to go on with; see that step',
  ERR_TOKEN_NOT_DESTROYED: 'the token claims that it destroyed the key and still has it; stop using this token',
  ERR_TOKEN_CLOSED: 'the token was closed; start the region again',
  ERR_TOKEN_SELF_TEST:
    'the token computes something else than the standard says; do not use it, and probe its profile again',
};

const remedyByCall: Readonly<Record<string, string>> = {
  'C_Initialize CKR_GENERAL_ERROR':
    'the module cannot read its own configuration: check SOFTHSM2_CONF or the library parameters, and that no other process opens the same database right now',
  'C_Initialize CKR_ARGUMENTS_BAD': 'the module does not take these library parameters',
  'C_Initialize CKR_CANT_LOCK': 'the module cannot use operating system locks, which Keyferry needs',
  'C_Login CKR_GENERAL_ERROR':
    'the module could not read the token; check who owns the token directory and its free space',
  'C_OpenSession CKR_TOKEN_NOT_RECOGNIZED': 'the token is not initialised; run "keyferry token init"',
  'C_DecryptInit CKR_KEY_FUNCTION_NOT_PERMITTED': 'the key was made without CKA_DECRYPT',
  'C_EncryptInit CKR_KEY_FUNCTION_NOT_PERMITTED': 'the key was made without CKA_ENCRYPT',
  'C_SignInit CKR_KEY_FUNCTION_NOT_PERMITTED': 'the key was made without CKA_SIGN',
  'C_WrapKey CKR_KEY_FUNCTION_NOT_PERMITTED': 'the wrapping key was made without CKA_WRAP',
  'C_UnwrapKey CKR_KEY_FUNCTION_NOT_PERMITTED': 'the unwrapping key was made without CKA_UNWRAP',
  'C_DeriveKey CKR_KEY_FUNCTION_NOT_PERMITTED': 'the base key was made without CKA_DERIVE',
  'C_UnwrapKey CKR_GENERAL_ERROR': 'the wrapped octets are damaged, or were wrapped under another key',
  'C_Decrypt CKR_GENERAL_ERROR': 'the ciphertext is damaged, or was made under another key or additional data',
  'C_DeriveKey CKR_GENERAL_ERROR': 'the token refused the peer’s public key or the mechanism parameter',
};

const remedyByReturnValue: Partial<Record<ReturnValueName, string>> = {
  CKR_OK: 'nothing is wrong with the call itself',
  CKR_HOST_MEMORY: 'the process ran out of memory',
  CKR_SLOT_ID_INVALID: 'list the slots with "keyferry token list" and correct the slot or label in the configuration',
  CKR_GENERAL_ERROR: 'the token does not say why; look at its own log',
  CKR_FUNCTION_FAILED: 'the token does not say why; look at its own log',
  CKR_ARGUMENTS_BAD: 'the token does not take this combination of arguments',
  CKR_ATTRIBUTE_READ_ONLY: 'the token does not let this user set one of the attributes in the template',
  CKR_ATTRIBUTE_SENSITIVE: 'the attribute cannot be read from the token, as it should be',
  CKR_ATTRIBUTE_TYPE_INVALID: 'the token does not know one of the attributes in the template',
  CKR_ATTRIBUTE_VALUE_INVALID: 'the token does not take the value of one of the attributes in the template',
  CKR_ACTION_PROHIBITED: 'the token’s policy or the object’s own attributes forbid it',
  CKR_DATA_LEN_RANGE: 'the token does not take data of this length with this mechanism',
  CKR_DEVICE_ERROR: 'check the device, its connection and its own log; the session is opened anew',
  CKR_DEVICE_MEMORY: 'the token is full; remove objects that are no longer needed',
  CKR_DEVICE_REMOVED: 'connect the device again',
  CKR_ENCRYPTED_DATA_INVALID: 'the ciphertext is damaged, or was made under another key',
  CKR_FUNCTION_NOT_SUPPORTED: 'the token does not have this function; "keyferry token profile" shows what it can do',
  CKR_KEY_HANDLE_INVALID: 'the key is no longer in the token, or its session was closed',
  CKR_OBJECT_HANDLE_INVALID: 'the object is no longer in the token, or its session was closed',
  CKR_KEY_SIZE_RANGE: 'the token does not take a key of this size',
  CKR_KEY_TYPE_INCONSISTENT: 'the mechanism needs a key of another type',
  CKR_KEY_FUNCTION_NOT_PERMITTED: 'the key was made without the attribute that permits this use',
  CKR_KEY_NOT_WRAPPABLE: 'the key may only be wrapped by a trusted key',
  CKR_KEY_UNEXTRACTABLE: 'the key was made not extractable',
  CKR_MECHANISM_INVALID:
    'the token does not have this mechanism, or not for this key; "keyferry token profile" shows what it can do',
  CKR_MECHANISM_PARAM_INVALID: 'the token does not take this parameter; "keyferry token profile" shows what it can do',
  CKR_OPERATION_ACTIVE: 'an operation was left open on the session; the session is opened anew',
  CKR_PIN_INCORRECT: 'put the right PIN into the PIN source; it was tried once and is not tried again',
  CKR_PIN_INVALID: 'the PIN has characters that the token does not take',
  CKR_PIN_LEN_RANGE: 'the PIN is too short or too long for this token',
  CKR_PIN_EXPIRED: 'set a new PIN with the vendor’s tool',
  CKR_PIN_LOCKED: 'the PIN is locked after too many failures; the security officer has to set a new one',
  CKR_PIN_TOO_WEAK: 'choose a longer PIN with more kinds of characters',
  CKR_SESSION_CLOSED: 'the session is opened anew',
  CKR_SESSION_HANDLE_INVALID: 'the session is opened anew',
  CKR_SESSION_COUNT: 'close other programs that use the token, or use fewer token threads',
  CKR_SIGNATURE_INVALID: 'the signature is not of this key over this data',
  CKR_SIGNATURE_LEN_RANGE: 'the signature is not of this key over this data',
  CKR_TEMPLATE_INCOMPLETE: 'the token needs another attribute in the template; probe its profile again',
  CKR_TEMPLATE_INCONSISTENT: 'two attributes of the template contradict one another for this token',
  CKR_TOKEN_NOT_PRESENT: 'insert the token or connect the device',
  CKR_TOKEN_NOT_RECOGNIZED: 'initialise the token with "keyferry token init", or check that it is the right one',
  CKR_TOKEN_NOT_INITIALIZED: 'initialise the token with "keyferry token init"',
  CKR_TOKEN_WRITE_PROTECTED: 'remove the token’s write protection, or check who owns its files',
  CKR_USER_NOT_LOGGED_IN: 'Keyferry logs in again by itself',
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: 'another user of this process is logged in to the token; log out first',
  CKR_WRAPPED_KEY_INVALID: 'the wrapped octets are damaged, or were wrapped under another key',
  CKR_WRAPPED_KEY_LEN_RANGE: 'the wrapped octets have a length that this mechanism cannot have made',
  CKR_DOMAIN_PARAMS_INVALID: 'the token does not have this curve',
  CKR_CURVE_NOT_SUPPORTED: 'the token does not have this curve',
  CKR_BUFFER_TOO_SMALL: 'the token wants more room than the mechanism can need; look for a newer version of the module',
  CKR_CRYPTOKI_NOT_INITIALIZED: 'the module is initialised anew',
  CKR_FIPS_SELF_TEST_FAILED: 'the module failed its own self-test; do not use it',
  CKR_PUBLIC_KEY_INVALID: 'the peer’s public key is not a point of the curve',
  CKR_FUNCTION_REJECTED: 'the device refused; look at its own log',
};

/**
 * One sentence that says what to do about a failure, without a full stop.
 *
 * @param call - the PKCS#11 function: `C_Login`
 */
export function remedyFor(code: TokenErrorCode, rv: number, call: string): string {
  const name = returnValueName(rv);
  const known = remedyByCode[code] ?? remedyByCall[`${call} ${name}`] ?? remedyByReturnValue[name as ReturnValueName];
  if (known !== undefined) return known;
  if (code === 'ERR_TOKEN_NOT_PRESENT')
    return 'list the slots with "keyferry token list" and correct the configuration';
  if (rv >= VENDOR_DEFINED) return 'look the value up in the vendor’s manual';
  return 'look at the token’s own log';
}
