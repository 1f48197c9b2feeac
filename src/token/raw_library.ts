import { createRequire } from 'node:module';
import type * as Pkcs11Js from 'pkcs11js';
import { CKF_RW_SESSION, CKF_SERIAL_SESSION } from './cryptoki.js';
import { callModule } from './module_call.js';
import type { TokenModule } from './module.js';
import { CKR, returnValueName } from './return_value.js';

const require = createRequire(import.meta.url);
const pkcs11js = require('pkcs11js') as typeof Pkcs11Js;

/** What one call of the raw library came to. */
export interface RawAnswer<Result> {
  readonly call: string;
  readonly rv: number;
  readonly rvName: string;
  /** Undefined where the call failed. */
  readonly value: Result | undefined;
}

/** pkcs11js gives most errors a number, and leaves it in the message, `CKR_NAME:number`, of the calls that it does not wrap: C_CreateObject. */
function returnValueIn(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code === 'number' && code > 0) return code;
  const native = /^CKR_\w+:(\d+)$/u.exec(error.message);
  return native === null ? undefined : Number(native[1]);
}

/**
 * Single PKCS#11 calls in the calling thread, also ill-formed ones: for the validation of modules, and for nothing else.
 *
 * HAZARD: a call may crash or hang the process. Handles are octets that nothing checks; arguments with secrets leave copies in JavaScript.
 */
export class RawLibrary {
  readonly #library: Pkcs11Js.PKCS11;

  /** @param module - loaded and initialised: this is a second binding of the same library in the same process */
  constructor(module: TokenModule) {
    this.#library = new pkcs11js.PKCS11();
    callModule('C_GetFunctionList', () => this.#library.load(module.path));
  }

  /**
   * Makes one call; a return value other than `CKR_OK` is an answer, and no error.
   *
   * @throws what pkcs11js says about arguments that it cannot pass on: the module was not called
   */
  call<Result>(name: string, make: (library: Pkcs11Js.PKCS11) => Result): RawAnswer<Result> {
    try {
      return { call: name, rv: CKR.CKR_OK, rvName: returnValueName(CKR.CKR_OK), value: make(this.#library) };
    } catch (error) {
      const rv = returnValueIn(error);
      if (rv === undefined) throw error;
      return { call: name, rv, rvName: returnValueName(rv), value: undefined };
    }
  }

  /**
   * Runs work in a read-write session of its own.
   *
   * @throws {@link TokenError} where no session can be opened
   */
  async withSession<Result>(slot: Buffer, work: (session: Buffer) => Promise<Result> | Result): Promise<Result> {
    const session = callModule('C_OpenSession', () =>
      this.#library.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION),
    );
    try {
      return await work(session);
    } finally {
      this.call('C_CloseSession', (library) => library.C_CloseSession(session));
    }
  }
}
