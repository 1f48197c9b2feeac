import { randomBytes } from 'node:crypto';
import { toHex } from '../bytes.js';
import { LIMITS } from '../limits.js';
import { CKA_CLASS, CKA_ID, CKA_TOKEN } from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';

const OBJECT_ID_OCTETS = 16;
const OBJECT_ID = /^[0-9a-f]{32}$/u;
/** Two halves of a pair at most, and what a token may have made besides. */
const OBJECTS_OF_ID_MAX = 8;

/**
 * Which token objects were made for keys, written down before they are made: one that no record uses is destroyed.
 * Ids are `CKA_ID`s in hexadecimal, 32 digits.
 */
export interface TokenObjectLedger {
  /** Durable when it returns. */
  note(objectId: string): void;
  forget(objectId: string): void;
  /** What was noted and no record uses. */
  unused(): readonly string[];
  /** How many are noted. */
  count(): number;
}

/** The files of a token that answers before what it wrote is on the disk. */
export interface TokenFiles {
  /** Resolves when everything is on the disk that the token had answered before. */
  sync(): Promise<void>;
}

/** Token objects that keys are: made, found, destroyed, and none of them left over. */
export class TokenObjects {
  readonly #jobs: HsmJobs;
  readonly #ledger: TokenObjectLedger;
  readonly #files: TokenFiles | null;
  /** When this process has begun to make an object, by a monotonic clock, milliseconds: its record may still be on its way. */
  readonly #begunMs = new Map<string, number>();

  /** @param files - null for a token that syncs what it writes, and where nobody knows its files */
  constructor(jobs: HsmJobs, ledger: TokenObjectLedger, files: TokenFiles | null = null) {
    this.#jobs = jobs;
    this.#ledger = ledger;
    this.#files = files;
  }

  /** How many there are, those that are to be destroyed included. */
  get count(): number {
    return this.#ledger.count();
  }

  /** `CKA_ID` for an object that is to be made; it is written down. */
  begin(): Uint8Array {
    const id = randomBytes(OBJECT_ID_OCTETS);
    const objectId = toHex(id);
    this.#begunMs.set(objectId, performance.now());
    this.#ledger.note(objectId);
    return id;
  }

  /**
   * The object of an id.
   *
   * @param objectClass - `CKO_`
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`; `ERR_HSM_RECORD` where several have this id
   */
  async find(objectId: string, objectClass: number): Promise<ObjectHandle> {
    const handles = await this.#search(objectId, objectClass);
    const [handle] = handles;
    if (handle === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no key ${objectId}`, { details: { objectId } });
    }
    if (handles.length > 1) {
      throw new HsmError('ERR_HSM_RECORD', `the token holds several keys ${objectId}`, { details: { objectId } });
    }
    return handle;
  }

  /**
   * Destroys every object of an id, and forgets it when they are gone.
   *
   * @throws {@link HsmError} `ERR_HSM_NOT_DESTROYED`; the id stays in the ledger
   */
  async destroy(objectId: string): Promise<void> {
    await this.#jobs.healing(async () => {
      for (const handle of await this.#search(objectId)) {
        const job = new Job('destroy token key', 'C_DestroyObject');
        job.destroyObject(handle);
        await this.#jobs.run(job);
      }
    });
    // An object that a power cut brings back must still be known.
    await this.makeDurable();
    this.#ledger.forget(objectId);
    this.#begunMs.delete(objectId);
  }

  /**
   * Puts on the disk what the token has answered so far, where it does not do that itself.
   *
   * @throws {@link HsmError} `ERR_HSM_UNAVAILABLE`
   */
  async makeDurable(): Promise<void> {
    try {
      await this.#files?.sync();
    } catch (cause) {
      throw new HsmError('ERR_HSM_UNAVAILABLE', "the token's files cannot be synced", { cause });
    }
  }

  /** Destroys an object whose making failed; where that fails too, {@link destroyUnused} does it later. */
  async discard(id: Uint8Array): Promise<void> {
    const objectId = toHex(id);
    this.#begunMs.delete(objectId);
    await this.destroy(objectId).catch((error: unknown) => {
      if (!(error instanceof HsmError)) throw error;
    });
  }

  /**
   * Destroys what was made and no record uses: by a process that was killed in between, or for a transaction that failed.
   *
   * @returns how many were destroyed
   */
  async destroyUnused(): Promise<number> {
    const settledMs = performance.now() - LIMITS.hsmTokenObjectSettleMs;
    for (const [objectId, begunMs] of this.#begunMs) if (begunMs <= settledMs) this.#begunMs.delete(objectId);
    let destroyed = 0;
    for (const objectId of this.#ledger.unused()) {
      if (this.#begunMs.has(objectId)) continue;
      await this.destroy(objectId);
      destroyed += 1;
    }
    return destroyed;
  }

  async #search(objectId: string, objectClass?: number): Promise<readonly ObjectHandle[]> {
    if (!OBJECT_ID.test(objectId)) throw new HsmError('ERR_HSM_RECORD', 'the record names no object of the token');
    const search = new Job('find token key', 'C_FindObjects');
    const found = search.findObjects(
      template(
        [CKA_TOKEN, true],
        [CKA_ID, Buffer.from(objectId, 'hex')],
        ...(objectClass === undefined ? [] : ([[CKA_CLASS, objectClass]] as const)),
      ),
      OBJECTS_OF_ID_MAX,
    );
    return (await this.#jobs.run(search)).handles(found);
  }
}
