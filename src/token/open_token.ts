import { TokenError } from './errors.js';
import { Executor, type ExecutorLoss, type ExecutorOptions } from './executor.js';
import { openLoggedInSession } from './login.js';
import type { TokenModule, TokenSelector } from './module.js';
import type { PinSource } from './native.js';
import type { PinTarget } from './pin_refusal.js';
import { CKR, severityOf } from './return_value.js';
import type { Slot } from './slot.js';

/** Which token to open, and how. */
export interface TokenOpening {
  readonly token: TokenSelector;
  readonly userPin: PinSource;
  /** Threads and queue of the executor. */
  readonly executor?: Omit<ExecutorOptions, 'module' | 'slotId' | 'recover'>;
}

/**
 * A token where the user is logged in, with the executor that runs jobs on it: everything a region has of its token.
 *
 * Lost sessions and a lost module heal by themselves: the user is logged in again, and the module initialised again if need be.
 * Handles of before are stale then ({@link Executor.epoch}).
 */
export class OpenToken {
  readonly module: TokenModule;
  readonly slot: Slot;
  readonly executor: Executor;
  readonly #keeper: LoginKeeper;
  #closing: Promise<'closed' | 'left'> | undefined;

  private constructor(module: TokenModule, slot: Slot, executor: Executor, keeper: LoginKeeper) {
    this.module = module;
    this.slot = slot;
    this.executor = executor;
    this.#keeper = keeper;
  }

  /**
   * Finds the token, logs the user in and starts the executor.
   *
   * @param module - initialised
   * @throws {@link TokenError} as {@link openLoggedInSession} and {@link TokenModule.findToken}
   */
  static async open(module: TokenModule, opening: TokenOpening): Promise<OpenToken> {
    const slot = module.findToken(opening.token);
    const keeper = new LoginKeeper(module, slot, opening.userPin);
    await keeper.login();
    module.addUser(keeper);
    try {
      const executor = await Executor.open({
        ...opening.executor,
        module: module.native,
        slotId: slot.slotId,
        recover: (loss) => keeper.recover(loss),
      });
      return new OpenToken(module, slot, executor, keeper);
    } catch (error) {
      module.removeUser(keeper);
      keeper.close();
      throw error;
    }
  }

  /**
   * Logs the user in again after somebody in this process has logged out: checks of modules do that. Private session objects are gone.
   *
   * @throws {@link TokenError} as {@link logIn}
   */
  logInAgain(): Promise<void> {
    return this.#keeper.logInAgain();
  }

  /**
   * Ends the executor after its jobs, and logs out by closing the last session. The module stays initialised.
   *
   * @param options - as for {@link Executor.close}; a token whose jobs were left stays in use, and its module open
   */
  close(options: { readonly patienceMs?: number } = {}): Promise<'closed' | 'left'> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: { readonly patienceMs?: number }): Promise<'closed' | 'left'> {
    let end: 'closed' | 'left' = 'closed';
    try {
      end = await this.executor.close(options);
      return end;
    } finally {
      if (end === 'closed') {
        this.#keeper.close();
        this.module.removeUser(this.#keeper);
      }
    }
  }
}

/** Holds the session that keeps a token's login, and gets the login back when it was lost. */
class LoginKeeper {
  readonly #module: TokenModule;
  readonly #slot: Slot;
  readonly #userPin: PinSource;
  readonly #target: PinTarget;
  #session: bigint | undefined;
  #generation: number;
  #isClosed = false;

  constructor(module: TokenModule, slot: Slot, userPin: PinSource) {
    this.#module = module;
    this.#slot = slot;
    this.#userPin = userPin;
    const { serial, label } = slot.token();
    this.#target = { modulePath: module.path, serial, label };
    this.#generation = module.generation;
  }

  async login(): Promise<void> {
    try {
      this.#session = await openLoggedInSession(this.#module, this.#slot.slotId, this.#target, this.#userPin);
    } catch (error) {
      throw this.#withoutUserPin(error);
    }
    this.#generation = this.#module.generation;
  }

  /**
   * Gets the login back after the sessions were lost; the executor calls it a bounded number of times, and pauses between.
   * A lost module is finalised and initialised anew, unless that has been done for another of its tokens since;
   * so is one where logging in again did not help.
   *
   * HAZARD: another token of the same module that is open in this process loses its sessions by that, and recovers by itself.
   */
  async recover(loss: ExecutorLoss): Promise<void> {
    if (this.#isClosed) throw new TokenError('ERR_TOKEN_CLOSED', { call: 'C_OpenSession', rv: loss.rv });
    this.#closeSession();
    const isModuleLost = severityOf(loss.rv) === 'module' || loss.attempt > 1;
    if (isModuleLost && this.#generation === this.#module.generation) this.#reinitialise();
    await this.login();
  }

  async logInAgain(): Promise<void> {
    this.#closeSession();
    await this.login();
  }

  close(): void {
    this.#isClosed = true;
    this.#closeSession();
  }

  /** NSS softoken answers a login before the user PIN was set with CKR_USER_TYPE_INVALID; what is wrong, the token's flags say. */
  #withoutUserPin(error: unknown): unknown {
    if (!(error instanceof TokenError) || error.code !== 'ERR_TOKEN_CALL' || error.call !== 'C_Login') return error;
    if (this.#slot.token().isUserPinSet) return error;
    return new TokenError('ERR_TOKEN_PIN_NOT_SET', { call: error.call, rv: error.rv, cause: error });
  }

  /** The token must come back in the slot it was in: sessions are opened by slot. */
  #reinitialise(): void {
    this.#module.reinitialise();
    this.#generation = this.#module.generation;
    const token = this.#slot.token();
    if (token.serial !== this.#target.serial || token.label !== this.#target.label) {
      throw new TokenError('ERR_TOKEN_NOT_PRESENT', {
        call: 'C_GetTokenInfo',
        rv: CKR.CKR_TOKEN_NOT_PRESENT,
        details: { wanted: this.#target.label, present: token.label },
      });
    }
  }

  #closeSession(): void {
    if (this.#session === undefined) return;
    // Its return value says nothing: the session may be gone, and that is why it is closed.
    this.#module.native.closeSession(this.#session);
    this.#session = undefined;
  }
}
