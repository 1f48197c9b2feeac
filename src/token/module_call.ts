import { TokenError } from './errors.js';
import type { NativeCall } from './native.js';
import { CKR, errorCodeFor } from './return_value.js';

function returnValueOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === 'number' && code > 0 ? code : undefined;
}

/**
 * Makes one call through pkcs11js or graphene-pk11 and turns their failure into ours.
 *
 * Their message is not kept: pkcs11js names every value of PKCS#11 v3 `CKR_VENDOR_DEFINED`.
 *
 * @param call - the PKCS#11 function, for the error: `C_GetTokenInfo`
 * @throws {@link TokenError} with the code that the return value decides
 */
export function callModule<Result>(call: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const rv = returnValueOf(error) ?? CKR.CKR_GENERAL_ERROR;
    throw new TokenError(errorCodeFor(rv), { call, rv, cause: error });
  }
}

/**
 * Passes a call of the addon that returned `CKR_OK`.
 *
 * @throws {@link TokenError} with the code that the return value decides
 */
export function checkCall(answer: NativeCall): void {
  if (answer.rv !== CKR.CKR_OK) throw new TokenError(errorCodeFor(answer.rv), { call: answer.call, rv: answer.rv });
}
