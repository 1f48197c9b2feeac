import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type * as Graphene from 'graphene-pk11';
import type * as Pkcs11Js from 'pkcs11js';
import { CKF_OS_LOCKING_OK } from './cryptoki.js';
import { TokenError } from './errors.js';
import { callModule } from './module_call.js';
import { dialectDigest, encodeDialect, type ModuleDialect } from './dialect.js';
import { findModule } from './module_path.js';
import { loadModule, type NativeModule } from './native.js';
import { CKR } from './return_value.js';
import { Slot, versionText, type TokenInfo } from './slot.js';

// Both are CommonJS. Required instead of imported they load in half the time: an import first reads each of their files for its exports.
const require = createRequire(import.meta.url);
const graphene = require('graphene-pk11') as typeof Graphene;
const pkcs11js = require('pkcs11js') as typeof Pkcs11Js;

/** What a module needs to be told before it can be initialised. */
export interface ModuleSettings {
  /** `pReserved` of `CK_C_INITIALIZE_ARGS`: how NSS softoken is told its directory. */
  readonly libraryParameters?: string;
  /** Environment variables the library reads while it is initialised: `SOFTHSM2_CONF`. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a module says about itself. */
export interface ModuleInfo {
  readonly path: string;
  readonly manufacturer: string;
  readonly description: string;
  readonly libraryVersion: string;
  readonly cryptokiVersion: string;
}

/** Which token is meant: each given member must match. */
export interface TokenSelector {
  readonly label?: string;
  readonly serial?: string;
  readonly slotId?: number;
}

const modulesByPath = new Map<string, TokenModule>();

/**
 * Finalises every module that has no open token. Runs by itself when the process ends: SoftHSM2 that was not finalised
 * can crash in its destructors, after its work was done.
 */
function finaliseIdleModules(): void {
  for (const module of modulesByPath.values()) {
    if (module.isInUse || !module.isInitialised) continue;
    try {
      module.finalise();
    } catch {
      // The process is ending; there is nobody left to tell.
    }
  }
}

/**
 * One PKCS#11 library of this process: loaded once, initialised with operating system locks, and shared by everything in the process.
 *
 * HAZARD: PKCS#11 keeps one state per process and library. Finalising it takes the sessions and keys of every user of the module away.
 *
 * @source PKCS#11 v2.40 section 5.4
 */
export class TokenModule {
  readonly path: string;
  /** The calls of the addon on this module: those that carry a PIN, and the executor's. */
  readonly native: NativeModule;
  readonly #library: Pkcs11Js.PKCS11;
  readonly #graphene: Graphene.Module;
  #settings: ModuleSettings = {};
  #dialect: string | undefined;
  #isInitialised = false;
  #isClosed = false;
  #generation = 0;
  readonly #users = new Set<object>();

  private constructor(path: string) {
    this.path = path;
    // The addon opens the library first, with deep binding; otherwise the Node binary's OpenSSL takes the place of the token's own.
    this.native = loadModule(path);
    this.#library = new pkcs11js.PKCS11();
    callModule('C_GetFunctionList', () => this.#library.load(path));
    this.#graphene = new graphene.Module(this.#library);
  }

  /**
   * Loads a module, or returns it where this process has it already.
   *
   * @param pathOrName - path of the library, or `softhsm2` or `nss`
   * @throws {@link TokenError} `ERR_TOKEN_MODULE_NOT_LOADED`
   */
  static load(pathOrName: string): TokenModule {
    const path = findModule(pathOrName);
    const loaded = modulesByPath.get(path);
    if (loaded !== undefined) return loaded;
    let module: TokenModule;
    try {
      module = new TokenModule(path);
    } catch (cause) {
      if (cause instanceof TokenError && cause.code === 'ERR_TOKEN_MODULE_NOT_LOADED') throw cause;
      throw new TokenError('ERR_TOKEN_MODULE_NOT_LOADED', {
        call: 'C_GetFunctionList',
        rv: CKR.CKR_LIBRARY_LOAD_FAILED,
        details: { module: path },
        cause,
      });
    }
    // A worker's end is not the end of the process, whose modules it shares.
    if (modulesByPath.size === 0 && isMainThread && !process.listeners('exit').includes(finaliseIdleModules)) {
      process.on('exit', finaliseIdleModules);
    }
    modulesByPath.set(path, module);
    return module;
  }

  /**
   * Says where this module departs from the standard; before any of its tokens is opened.
   *
   * @throws {@link ConfigError} for a name that PKCS#11 does not have
   */
  speak(dialect: ModuleDialect): void {
    this.native.setDialect(encodeDialect(dialect));
    this.#dialect = dialectDigest(dialect);
  }

  /** Digest of the dialect that it is spoken to in; undefined for the standard. */
  get dialect(): string | undefined {
    return this.#dialect;
  }

  /** What it was initialised with last: a process of its own needs the same. */
  get settings(): ModuleSettings {
    return this.#settings;
  }

  /** Counts initialisations: sessions and keys of an earlier generation are gone. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether a token of the module is open. */
  get isInUse(): boolean {
    return this.#users.size > 0;
  }

  /** Says that somebody has sessions in this module; it is not closed under them. */
  addUser(user: object): void {
    this.#users.add(user);
  }

  /** Says that their sessions are closed. */
  removeUser(user: object): void {
    this.#users.delete(user);
  }

  /** Whether this object initialised the module and has not finalised it since. */
  get isInitialised(): boolean {
    return this.#isInitialised;
  }

  /**
   * `C_Initialize` with `CKF_OS_LOCKING_OK`. A module that is initialised already stays as it is.
   *
   * @throws {@link TokenError} `ERR_TOKEN_CALL`: the library cannot read its configuration
   */
  initialise(settings: ModuleSettings = {}): void {
    this.#assertOpen();
    // Also kept where it fails: a device that is away now may come back to the same settings.
    this.#settings = settings;
    for (const [name, value] of Object.entries(settings.environment ?? {})) process.env[name] = value;
    try {
      callModule('C_Initialize', () =>
        this.#library.C_Initialize({
          flags: CKF_OS_LOCKING_OK,
          // pkcs11js drops the last character of the parameters.
          ...(settings.libraryParameters === undefined ? {} : { libraryParameters: `${settings.libraryParameters} ` }),
        }),
      );
    } catch (error) {
      if (!(error instanceof TokenError) || error.rv !== CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error;
    }
    this.#isInitialised = true;
    this.#generation += 1;
  }

  /** `C_Finalize` and `C_Initialize` with the settings of the first time: what is left to do when a device was taken away. */
  reinitialise(): void {
    this.finalise();
    this.initialise(this.#settings);
  }

  /** `C_Finalize`. Executors on this module must have been closed. A module that is not initialised is left alone. */
  finalise(): void {
    this.#assertOpen();
    this.#isInitialised = false;
    try {
      callModule('C_Finalize', () => this.#library.C_Finalize());
    } catch (error) {
      if (!(error instanceof TokenError) || error.rv !== CKR.CKR_CRYPTOKI_NOT_INITIALIZED) throw error;
    }
  }

  /**
   * Finalises the module and forgets it; the next {@link TokenModule.load} starts anew.
   *
   * @throws {@link TokenError} `ERR_TOKEN_CALL` while a token of it is open: its threads may be inside the library
   */
  close(): void {
    if (this.#isClosed) return;
    if (this.isInUse) {
      throw new TokenError('ERR_TOKEN_CALL', {
        call: 'C_Finalize',
        rv: CKR.CKR_SESSION_EXISTS,
        details: { reason: 'a token of this module is open in this process' },
      });
    }
    this.finalise();
    this.#isClosed = true;
    modulesByPath.delete(this.path);
  }

  /** `C_GetInfo`. */
  info(): ModuleInfo {
    this.#assertOpen();
    const info = callModule('C_GetInfo', () => this.#library.C_GetInfo());
    return {
      path: this.path,
      manufacturer: info.manufacturerID.trim(),
      description: info.libraryDescription.trim(),
      libraryVersion: versionText(info.libraryVersion),
      cryptokiVersion: versionText(info.cryptokiVersion),
    };
  }

  /** The slots of the module; only those with a token unless `withoutToken` is given. */
  slots(options: { readonly withoutToken?: boolean } = {}): readonly Slot[] {
    this.#assertOpen();
    const found = callModule('C_GetSlotList', () => this.#graphene.getSlots(options.withoutToken !== true));
    const slots: Slot[] = [];
    for (let index = 0; index < found.length; index++) {
      slots.push(new Slot(callModule('C_GetSlotInfo', () => found.items(index))));
    }
    return slots;
  }

  /**
   * Finds a token by its label, serial number or slot.
   *
   * @throws {@link TokenError} `ERR_TOKEN_NOT_PRESENT`, with the labels that there are; also where several tokens match
   */
  findToken(selector: TokenSelector): Slot {
    const present = this.slots().flatMap((slot) => {
      const token = tokenIn(slot);
      return token === undefined ? [] : [{ slot, token }];
    });
    const matching = present.filter(
      ({ slot, token }) =>
        (selector.slotId === undefined || selector.slotId === slot.slotId) &&
        (selector.label === undefined || (token.isInitialised && selector.label === token.label)) &&
        (selector.serial === undefined || selector.serial === token.serial),
    );
    const [only] = matching;
    if (only !== undefined && matching.length === 1) return only.slot;
    throw new TokenError('ERR_TOKEN_NOT_PRESENT', {
      call: 'C_GetSlotList',
      rv: CKR.CKR_TOKEN_NOT_PRESENT,
      details: {
        module: this.path,
        wanted: Object.entries(selector).map(([member, value]) => `${member}=${value}`),
        matching: matching.length,
        present: present.map(
          ({ slot, token }) => `slot ${slot.slotId}: ${token.isInitialised ? token.label : 'not initialised'}`,
        ),
      },
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) {
      throw new TokenError('ERR_TOKEN_CLOSED', { call: 'C_Finalize', rv: CKR.CKR_CRYPTOKI_NOT_INITIALIZED });
    }
  }
}

function tokenIn(slot: Slot): TokenInfo | undefined {
  try {
    return slot.token();
  } catch (error) {
    if (error instanceof TokenError && error.code === 'ERR_TOKEN_NOT_PRESENT') return undefined;
    throw error;
  }
}
