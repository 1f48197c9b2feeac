import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../errors.js';
import { TokenError } from './errors.js';

/** Where a PIN comes from. The addon reads it into locked memory and gives it to the token; it is never a JavaScript value. */
export type PinSource =
  /** A file that only its owner can read; one trailing newline is not part of the PIN. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly name: string }
  /** Asked for on the controlling terminal, without echo. */
  | { readonly kind: 'prompt'; readonly label: string }
  /** The empty PIN: the security officer of a fresh NSS database. */
  | { readonly kind: 'empty' };

/** A PKCS#11 function and what it returned. */
export interface NativeCall {
  readonly call: string;
  readonly rv: number;
}

/** Why the addon did nothing: a PIN source gave no PIN, so that the token was not called; a file could not be read. */
interface Refusal {
  readonly refusal: string;
}

/**
 * Called with the results of jobs that are done.
 *
 * @param results - `count` flat results, one behind another
 * @param state - 0 running, 1 sessions lost, 2 sessions lost and no thread in a job
 * @param lossRv - why they were lost
 * @param epoch - in which these jobs ran
 */
export type DrainListener = (results: ArrayBuffer, count: number, state: number, lossRv: number, epoch: number) => void;

/** The addon's executor: flat programs in, flat results out. Only `executor.ts` uses it. */
export interface NativeExecutorBinding {
  /** Epoch of the sessions; unlike any other executor's in this process. */
  epoch(): number;
  /** Hands over `count` programs that lie one after another; returns how many were taken. */
  submit(programs: Uint8Array, byteLength: number, count: number): number;
  /** Opens the sessions anew, in a new epoch; only while they are lost, and some thread runs no job. */
  reopen(): NativeCall;
  /** Answers all queued jobs with "abandoned". */
  abandon(): void;
  /** Joins the threads and closes the sessions. */
  close(): void;
  /**
   * Leaves the threads to themselves, for a process that is about to end: nothing keeps it alive any more, and it ends without the
   * destructors of its libraries, inside of which a thread still is.
   */
  leave(): void;
}

/** One interface of a module: its name, and the version that its function list begins with. @source PKCS#11 v3.0 section 3.7 */
export interface NativeInterface {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** The part of a PKCS#11 module that the addon calls itself; everything else goes through graphene-pk11 and pkcs11js. */
export interface NativeModule {
  readonly path: string;
  /** `C_GetInterfaceList`: names and versions; null where the library has no such function. */
  interfaces(): (NativeCall & { readonly interfaces: readonly NativeInterface[] }) | null;
  /** Where the module departs from the standard; set before any executor is opened. @source native/src/dialect.h */
  setDialect(dialect: Uint8Array): void;
  /** `C_OpenSession`. */
  openSession(
    slotId: number | bigint,
    options: { readonly readWrite: boolean },
  ): NativeCall & { readonly session: bigint };
  /** `C_CloseSession`. */
  closeSession(session: bigint): NativeCall;
  /** `C_GetSessionInfo`; numbers as PKCS#11 has them. */
  sessionInfo(session: bigint): NativeCall & {
    readonly slotId: bigint;
    readonly state: number;
    readonly flags: number;
    readonly deviceError: number;
  };
  /**
   * `C_Login`, off the event loop.
   *
   * @param userType - `CKU_SO` 0, `CKU_USER` 1
   * @throws {@link ConfigError} `ERR_CONFIG_PIN` where the source gives no PIN; the token was not called then
   */
  login(session: bigint, userType: number, pin: PinSource): Promise<NativeCall>;
  /** `C_InitToken` with the security officer's PIN, off the event loop; `label` at most 32 octets. */
  initToken(slotId: number | bigint, pin: PinSource, label: string): Promise<NativeCall>;
  /** `C_InitPIN` in a session where the security officer is logged in, off the event loop. */
  initPin(session: bigint, pin: PinSource): Promise<NativeCall>;
  /** For `executor.ts`: starts threads that own one read-write session of the slot each. */
  createExecutor(
    slotId: number | bigint,
    options: { readonly threads: number; readonly shortThreadsMax: number; readonly jobsMax: number },
    onDrain: DrainListener,
  ): NativeCall & { readonly executor: NativeExecutorBinding | null };
}

interface AddonExecutorFunctions {
  executorEpoch(id: number): number;
  executorSubmit(id: number, programs: Uint8Array, byteLength: number, count: number): number;
  executorReopen(id: number): NativeCall;
  executorAbandon(id: number): void;
  executorClose(id: number): void;
  executorLeave(id: number): void;
  exitProcess(status: number): void;
}

/** The addon's calls on key material that is on its way to an import; only `material.ts` uses them. */
export interface NativeMaterialFunctions {
  /** Reads a file, or standard input where the path is empty, into locked memory. */
  readMaterial(path: string): Promise<{ readonly handle: object; readonly facts: NativeMaterialFacts } | Refusal>;
  /** @param hash - 1 SHA-1, 2 SHA-256; `withAesKey` wraps under a fresh AES-256 key that goes before it */
  wrapMaterial(
    handle: object,
    publicKey: Uint8Array,
    hash: number,
    withAesKey: boolean,
  ): { readonly wrapped: Uint8Array } | Refusal;
  forgetMaterial(handle: object): void;
}

/** What the addon says about material that it has read: nothing of it is secret. */
export interface NativeMaterialFacts {
  readonly octets: number;
  /** False where the system let no more memory be locked; it is wiped all the same. */
  readonly isLocked: boolean;
  readonly form: 'pem' | 'pkcs8' | 'encrypted-pkcs8' | 'pkcs1' | 'sec1' | 'public-key' | 'octets';
  /** Of PKCS#8: the algorithm's OBJECT IDENTIFIER and its parameters, each with its tag. */
  readonly algorithm: Uint8Array;
  readonly parameters: Uint8Array;
  /** Of an RSA key in PKCS#8; else 0. */
  readonly modulusBits: number;
  readonly hasMorePrimes: boolean;
  readonly hasTrailingOctets: boolean;
}

interface Addon extends AddonExecutorFunctions, NativeMaterialFunctions {
  readonly callNames: readonly string[];
  /** Of the programs that it reads and the results that it writes; absent in an addon of before there was a second one. */
  readonly jobFormat?: number;
  loadModule(path: string, deepBind: boolean): { readonly module: number } | { readonly refusal: string };
  setDialect(module: number, dialect: Uint8Array): void;
  openSession(module: number, slotId: bigint, readWrite: boolean): NativeCall & { readonly session: bigint };
  closeSession(module: number, session: bigint): NativeCall;
  interfaces(module: number): ReturnType<NativeModule['interfaces']>;
  sessionInfo(module: number, session: bigint): ReturnType<NativeModule['sessionInfo']>;
  login(module: number, session: bigint, userType: number, kind: string, where: string): Promise<NativeCall | Refusal>;
  initToken(module: number, slotId: bigint, kind: string, where: string, label: string): Promise<NativeCall | Refusal>;
  initPin(module: number, session: bigint, kind: string, where: string): Promise<NativeCall | Refusal>;
  generatePinFile(path: string): string | null;
  checkProgram(program: Uint8Array): string | null;
  createExecutor(
    module: number,
    slotId: bigint,
    threads: number,
    shortThreadsMax: number,
    jobsMax: number,
    onDrain: DrainListener,
  ): NativeCall & { readonly executor: number };
}

/** What this program knows of; @source native/src/program.h, kJobFormat */
const JOB_FORMAT = 3;

let loaded: Addon | undefined;

/** The addon, loaded once per thread; `KEYFERRY_NATIVE_VARIANT=asan` takes the build under a sanitizer. */
function addon(): Addon {
  if (loaded === undefined) {
    const variant = process.env['KEYFERRY_NATIVE_VARIANT'];
    const file = join(projectDirectory(), 'build', ...(variant === undefined ? [] : [variant]), 'keyferry.node');
    const found = createRequire(import.meta.url)(file) as Addon;
    // It would refuse jobs that it does not know, one by one, as if its queue were full.
    if (found.jobFormat !== JOB_FORMAT) {
      throw new Error(`${file} was built from other sources than this program; build it again with: make native`);
    }
    loaded = found;
  }
  return loaded;
}

/** The folder that has package.json, and the native parts in its `build`. */
export function projectDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error('the native addon is looked for beside package.json, which is not there');
    directory = parent;
  }
  return directory;
}

/** What `PinSource` says, as the two texts that the addon takes. */
function pinPlace(pin: PinSource): readonly [string, string] {
  switch (pin.kind) {
    case 'file':
      return ['file', pin.path];
    case 'environment':
      return ['environment', pin.name];
    case 'prompt':
      return ['prompt', pin.label];
    case 'empty':
      return ['empty', ''];
  }
}

function callOrThrow(answer: NativeCall | Refusal, pin: PinSource): NativeCall {
  if ('call' in answer) return answer;
  const [kind, where] = pinPlace(pin);
  throw new ConfigError('ERR_CONFIG_PIN', `no PIN from ${kind} ${where}: ${answer.refusal}`, {
    details: { kind, where, reason: answer.refusal },
  });
}

/**
 * Loads a PKCS#11 module for this process, before anything else does.
 *
 * The module is bound to its own libraries (`RTLD_DEEPBIND`), not to those of the Node binary. It is not initialised:
 * whoever opens the same path later and calls `C_Initialize` shares the module's state with the addon.
 *
 * @param options - `deepBind` false leaves the deep binding off, as `KEYFERRY_DEEPBIND=off` does (sanitizers refuse it)
 * @throws {@link TokenError} `ERR_TOKEN_MODULE_NOT_LOADED`
 */
export function loadModule(path: string, options: { readonly deepBind?: boolean } = {}): NativeModule {
  const deepBind = options.deepBind ?? process.env['KEYFERRY_DEEPBIND'] !== 'off';
  const native = addon();
  const answer = native.loadModule(path, deepBind);
  if ('refusal' in answer) {
    throw new TokenError('ERR_TOKEN_MODULE_NOT_LOADED', {
      call: 'C_GetFunctionList',
      rv: 0x06,
      details: { path, reason: answer.refusal },
    });
  }
  const id = answer.module;
  return {
    path,
    interfaces: () => native.interfaces(id),
    setDialect: (dialect) => native.setDialect(id, dialect),
    openSession: (slotId, { readWrite }) => native.openSession(id, BigInt(slotId), readWrite),
    closeSession: (session) => native.closeSession(id, session),
    sessionInfo: (session) => native.sessionInfo(id, session),
    login: async (session, userType, pin) =>
      callOrThrow(await native.login(id, session, userType, ...pinPlace(pin)), pin),
    initToken: async (slotId, pin, label) =>
      callOrThrow(await native.initToken(id, BigInt(slotId), ...pinPlace(pin), label), pin),
    initPin: async (session, pin) => callOrThrow(await native.initPin(id, session, ...pinPlace(pin)), pin),
    createExecutor: (slotId, { threads, shortThreadsMax, jobsMax }, onDrain) => {
      const made = native.createExecutor(id, BigInt(slotId), threads, shortThreadsMax, jobsMax, onDrain);
      return { call: made.call, rv: made.rv, executor: made.rv === 0 ? executorBinding(native, made.executor) : null };
    },
  };
}

function executorBinding(native: AddonExecutorFunctions, id: number): NativeExecutorBinding {
  return {
    epoch: () => native.executorEpoch(id),
    submit: (programs, byteLength, count) => native.executorSubmit(id, programs, byteLength, count),
    reopen: () => native.executorReopen(id),
    abandon: () => native.executorAbandon(id),
    close: () => native.executorClose(id),
    leave: () => {
      native.executorLeave(id);
      process.once('exit', (status) => native.exitProcess(status));
    },
  };
}

/**
 * Writes a new random PIN, 32 letters and digits, into a file that must not exist yet, mode 0600.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PIN`
 */
export function generatePinFile(path: string): void {
  const refusal = addon().generatePinFile(path);
  if (refusal !== null) {
    throw new ConfigError('ERR_CONFIG_PIN', `no PIN file ${path}: ${refusal}`, { details: { path, reason: refusal } });
  }
}

/** The calls of the addon on key material; for `material.ts`. */
export function materialFunctions(): NativeMaterialFunctions {
  return addon();
}

/** Names of the PKCS#11 functions by the numbers that flat results have for them. */
export function callNames(): readonly string[] {
  return addon().callNames;
}

/** Decodes a job's program as the executor does, without running it; why it is refused, or null. */
export function programRefusal(program: Uint8Array): string | null {
  return addon().checkProgram(program);
}
