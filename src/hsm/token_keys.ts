import { randomBytes } from 'node:crypto';
import { concat, toHex, u32be, utf8 } from '../bytes.js';
import { LIMITS } from '../limits.js';
import { CKA_CLASS, CKA_ID, CKA_LABEL, CKA_TOKEN, CKA_TRUSTED, CKO_SECRET_KEY } from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { isShape, readBack, type KeyShape } from './key_shape.js';

const NOTHING = new Uint8Array();

/** Labels of the token objects that Keyferry makes. */
export const KEY_LABELS = {
  domainKey: 'keyferry:domain-key',
  singleRegionDomainKey: 'keyferry:single-region-domain-key',
  recordKey: 'keyferry:record-key',
  replicationSigningKey: 'keyferry:replication-signing-key',
  importSigningKey: 'keyferry:import-signing-key',
  partitionAuthorityKey: 'keyferry:partition-authority-key',
} as const;

/** The label of one kind of token object. */
export type KeyLabel = (typeof KEY_LABELS)[keyof typeof KEY_LABELS];

/** The label that a key carries until it is known to be whole and to work; such keys are swept away, never used. */
export function pendingLabel(label: KeyLabel): string {
  return `keyferry:pending:${label.slice('keyferry:'.length)}`;
}

/** The label of a key that the security officer made as a public object, which some tokens keep in clear until it is copied. */
export function clearLabel(label: KeyLabel): string {
  return `keyferry:clear:${label.slice('keyferry:'.length)}`;
}

/** One token object of ours. */
export interface TokenKey {
  readonly handle: ObjectHandle;
  /** `CKA_ID`, 16 octets: the generation as 32 bits, big-endian, and 12 random octets. */
  readonly id: Uint8Array;
  /** The same in hexadecimal. */
  readonly idHex: string;
}

/**
 * `CKA_ID` for a new key.
 *
 * @param existing - keys of the same label, the newest first
 */
export function nextKeyId(existing: readonly TokenKey[]): Uint8Array {
  const newest = existing[0]?.id;
  const generation = newest === undefined || newest.length < 4 ? 0 : Buffer.from(newest).readUInt32BE(0);
  return concat(u32be(generation + 1), randomBytes(12));
}

/**
 * Finds the token objects of one class and label, the newest generation first.
 *
 * @param objectClass - `CKO_`
 */
export async function findTokenKeys(jobs: HsmJobs, objectClass: number, label: string): Promise<readonly TokenKey[]> {
  const search = new Job('find token keys', label);
  const found = search.findObjects(
    template([CKA_CLASS, objectClass], [CKA_TOKEN, true], [CKA_LABEL, utf8(label)]),
    LIMITS.hsmTokenKeysMax,
  );
  const handles = (await jobs.run(search)).handles(found);
  const keys: TokenKey[] = [];
  for (const handle of handles) {
    const reading = new Job('read key id', label);
    const attributes = reading.getAttributes(handle, [CKA_ID]);
    const id = (await jobs.run(reading)).attributes(attributes).get(CKA_ID)?.octets ?? new Uint8Array();
    keys.push({ handle, id, idHex: toHex(id) });
  }
  return keys.toSorted((a, b) => (a.idHex < b.idHex ? 1 : -1));
}

/**
 * Finds secret keys and works with session copies of them, where the token makes such copies with all their restrictions.
 *
 * A token may have to read and decrypt a token object at each use: softoken needs 30 ms for that when two of them take turns.
 * The copies go with their sessions, as every session object does.
 *
 * @param shapeOf - what a key with this `CKA_ID` must be
 */
export async function findForUse(
  jobs: HsmJobs,
  capabilities: HsmCapabilities,
  label: string,
  shapeOf: (id: Uint8Array) => KeyShape,
): Promise<readonly TokenKey[]> {
  const keys = await findTokenKeys(jobs, CKO_SECRET_KEY, label);
  return Promise.all(
    keys.map(async (key) => ({ ...key, handle: await sessionCopyOf(jobs, capabilities, key, shapeOf(key.id)) })),
  );
}

/** The session copy of a token key, or the key itself where the token makes none that is restricted in the same way. */
export async function sessionCopyOf(
  jobs: HsmJobs,
  capabilities: HsmCapabilities,
  key: Pick<TokenKey, 'handle'>,
  tokenShape: KeyShape,
): Promise<ObjectHandle> {
  const shape = { ...tokenShape, onToken: false };
  const job = new Job('copy token key', tokenShape.label);
  const copy = job.copyObject(key.handle, template([CKA_TOKEN, false]));
  const attributes = readBack(job, copy, shape, capabilities);
  const trust = [job.getAttributes(key.handle, [CKA_TRUSTED]), job.getAttributes(copy, [CKA_TRUSTED])];
  const kept = job.keep(copy);
  try {
    const result = await jobs.run(job);
    const handle = result.object(kept);
    const [own, copied] = trust.map((output) => toHex(result.attributes(output).get(CKA_TRUSTED)?.octets ?? NOTHING));
    if (own === copied && isShape(result.attributes(attributes), shape, capabilities)) return handle;
    await jobs.destroy(handle, 'destroy token key copy');
    return key.handle;
  } catch (error) {
    // Not every token copies; one that does not is used as it is.
    if (error instanceof HsmError && error.cause instanceof TokenError && error.cause.severity === 'call')
      return key.handle;
    throw error;
  }
}

/** Finds once what an epoch's handles name, and again after the handles died. */
export class Remembered<Found> {
  readonly #find: () => Promise<Found>;
  readonly #jobs: HsmJobs;
  #found: { readonly epoch: number; readonly value: Promise<Found> } | undefined;

  constructor(jobs: HsmJobs, find: () => Promise<Found>) {
    this.#jobs = jobs;
    this.#find = find;
    jobs.onLost(() => this.forget());
  }

  /** What was found; looks for it where that has not been done in this epoch. */
  get(): Promise<Found> {
    if (this.#found?.epoch === this.#jobs.epoch) return this.#found.value;
    const epoch = this.#jobs.epoch;
    const value = this.#find();
    const found = { epoch, value };
    this.#found = found;
    value.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return value;
  }

  /** Looks again at the next {@link get}. */
  forget(): void {
    this.#found = undefined;
  }
}
