import { equalOctets } from '../bytes.js';
import type { ObjectHandle } from '../token/object.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import type { LoadedKey } from './key_storage.js';
import type { StoredMaterial } from './material.js';

interface Entry {
  readonly material: StoredMaterial;
  readonly handle: Promise<ObjectHandle>;
  loaded: ObjectHandle | undefined;
  leases: number;
  isEvicted: boolean;
  /** Called when the object is gone. */
  readonly whenGone: (() => void)[];
}

const NO_OCTETS = new Uint8Array();

/** Two keys may hold the same material: each is loaded by itself. */
function nameOf({ binding }: StoredMaterial): string {
  return `${binding.keyId} ${binding.materialId}`;
}

/** Whether two records are the same: one of them was found to be as stored, and only the same one may use what it loaded. */
function isSameRecord(a: StoredMaterial, b: StoredMaterial): boolean {
  return (
    a === b ||
    (a.binding.keyId === b.binding.keyId &&
      a.binding.multiRegion === b.binding.multiRegion &&
      a.binding.dataSuite === b.binding.dataSuite &&
      a.binding.keySpec === b.binding.keySpec &&
      a.binding.keyUsage === b.binding.keyUsage &&
      a.domainKeyId === b.domainKeyId &&
      equalOctets(a.publicKey ?? NO_OCTETS, b.publicKey ?? NO_OCTETS) &&
      equalOctets(a.recordMac, b.recordMac) &&
      equalOctets(a.exportedKeyToken, b.exportedKeyToken))
  );
}

/**
 * Backing keys that are loaded into the token, the least recently used thrown out first.
 *
 * A key that is thrown out while somebody uses it is destroyed when the last one gives it back. Handles of an earlier epoch are
 * dropped: their objects went with their sessions.
 */
export class LoadedKeys {
  readonly #jobs: HsmJobs;
  readonly #countMax: number;
  readonly #load: (material: StoredMaterial) => Promise<ObjectHandle>;
  readonly #unload: (handle: ObjectHandle) => Promise<void>;
  readonly #entries = new Map<string, Entry>();
  #destroying: Promise<unknown> = Promise.resolve();

  /** @param options.unload - what is done to a key that is thrown out; it is destroyed if left out */
  constructor(
    jobs: HsmJobs,
    options: {
      readonly countMax: number;
      readonly load: (material: StoredMaterial) => Promise<ObjectHandle>;
      readonly unload?: (handle: ObjectHandle) => Promise<void>;
    },
  ) {
    this.#jobs = jobs;
    this.#countMax = options.countMax;
    this.#load = options.load;
    this.#unload = options.unload ?? ((handle) => jobs.destroy(handle, 'unload backing key'));
    jobs.onLost(() => this.#evictAll());
  }

  /** Keys that are loaded now. */
  get count(): number {
    return this.#entries.size;
  }

  /** The loaded key of a record; loads it where it is not loaded yet, once however many ask for it. */
  async acquire(material: StoredMaterial): Promise<LoadedKey> {
    const entry = this.#entryFor(material);
    entry.leases += 1;
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      entry.leases -= 1;
      if (entry.isEvicted && entry.leases === 0) this.#destroy(entry);
    };
    try {
      return { handle: entry.loaded ?? (await entry.handle), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Destroys every key that nobody uses and waits until they are gone. */
  async clear(): Promise<void> {
    this.#evictAll();
    await this.#destroying;
  }

  /** Destroys the loaded key of one material and waits until it is gone; a key that is in use goes when it is given back. */
  async unload(material: StoredMaterial): Promise<void> {
    const name = nameOf(material);
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const gone = new Promise<void>((resolve) => entry.whenGone.push(resolve));
    this.#evict(name, entry);
    await gone;
  }

  #entryFor(material: StoredMaterial): Entry {
    const name = nameOf(material);
    const known = this.#entries.get(name);
    if (known !== undefined) {
      const isAlive = known.loaded === undefined || known.loaded.epoch === this.#jobs.epoch;
      if (isAlive && isSameRecord(known.material, material)) {
        this.#entries.delete(name);
        this.#entries.set(name, known);
        return known;
      }
      this.#evict(name, known);
    }
    const handle = this.#load(material);
    const entry: Entry = { material, handle, loaded: undefined, leases: 0, isEvicted: false, whenGone: [] };
    void this.#settle(name, entry);
    this.#entries.set(name, entry);
    for (const [oldestName, oldest] of this.#entries) {
      if (this.#entries.size <= this.#countMax) break;
      this.#evict(oldestName, oldest);
    }
    return entry;
  }

  /** A key that could not be loaded is no key that is loaded; whoever asked for it is told by the promise. */
  async #settle(name: string, entry: Entry): Promise<void> {
    try {
      entry.loaded = await entry.handle;
    } catch {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    }
  }

  #evictAll(): void {
    for (const [name, entry] of this.#entries) this.#evict(name, entry);
  }

  #evict(name: string, entry: Entry): void {
    this.#entries.delete(name);
    entry.isEvicted = true;
    if (entry.leases === 0) this.#destroy(entry);
  }

  #destroy(entry: Entry): void {
    const destroyed = entry.handle.then(
      (handle) => this.#unload(handle),
      () => undefined,
    );
    // A key that the token does not let go of is counted in the HSM's health and shown in its status; nobody waits for it here.
    const settled = destroyed.catch((error: unknown) => {
      if (!(error instanceof HsmError)) throw error;
    });
    void settled.finally(() => entry.whenGone.forEach((tell) => tell()));
    this.#destroying = Promise.all([this.#destroying, settled]);
  }
}
