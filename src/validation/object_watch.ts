import { equalOctets, utf8 } from '../bytes.js';
import { TokenError } from '../token/errors.js';
import { CKA_CLASS, CKA_LABEL, CKA_TOKEN, CKO_SECRET_KEY } from '../token/cryptoki.js';
import type { Executor } from '../token/executor.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import { LIMITS } from '../limits.js';

/** Label of every object that a check makes, so that what one leaves behind can be found and removed. */
export const VALIDATION_LABEL = 'keyferry validation';

/** Objects that a login sees. */
export interface ObjectCount {
  readonly token: number;
  readonly session: number;
}

/** Counts the objects of a token and of this process's sessions by `C_FindObjects`. */
export async function countObjects(executor: Executor): Promise<ObjectCount> {
  const job = new Job('count objects', 'validation');
  const token = job.findObjects(template([CKA_TOKEN, true]), LIMITS.validationObjectsMax);
  const session = job.findObjects(template([CKA_TOKEN, false]), LIMITS.validationObjectsMax);
  const result = await executor.run(job);
  return { token: result.handles(token).length, session: result.handles(session).length };
}

/** Destroys every object that carries the label of the validation; returns how many there were. */
export async function destroyLeftovers(executor: Executor): Promise<number> {
  const search = new Job('find leftovers', 'validation');
  const found = search.findObjects(template([CKA_LABEL, utf8(VALIDATION_LABEL)]), LIMITS.validationObjectsMax);
  const handles = (await executor.run(search)).handles(found);
  for (let at = 0; at < handles.length; at += 256) {
    const job = new Job('destroy leftovers', 'validation');
    for (const handle of handles.slice(at, at + 256)) {
      job.attempt();
      job.destroyObject(handle);
    }
    await executor.run(job);
  }
  return handles.length;
}

/** Values of the handles of everything that a login sees. */
export async function listObjects(executor: Executor): Promise<ReadonlySet<bigint>> {
  return new Set((await findAll(executor)).map(({ value }) => value));
}

/**
 * Destroys what is left of secret keys whose making was refused in another process: they have the label of the validation, or none,
 * where the token did not come as far as that.
 *
 * @param before - what was there before that process began
 * @returns how many there were
 */
export async function destroyPieces(executor: Executor, before: ReadonlySet<bigint>): Promise<number> {
  let pieces = 0;
  for (const handle of await findAll(executor)) {
    if (before.has(handle.value) || !(await isPiece(executor, handle))) continue;
    pieces += 1;
    const job = new Job('destroy a piece', 'validation');
    job.attempt();
    job.destroyObject(handle);
    await executor.run(job);
  }
  return pieces;
}

async function findAll(executor: Executor): Promise<readonly ObjectHandle[]> {
  const job = new Job('list objects', 'validation');
  const found = job.findObjects(template(), LIMITS.validationObjectsMax);
  return (await executor.run(job)).handles(found);
}

async function isPiece(executor: Executor, handle: ObjectHandle): Promise<boolean> {
  const kind = await attributeOf(executor, handle, CKA_CLASS);
  const label = await attributeOf(executor, handle, CKA_LABEL);
  if (kind !== null && kind[0] !== CKO_SECRET_KEY) return false;
  return label === null || label.length === 0 || equalOctets(label, utf8(VALIDATION_LABEL));
}

/** Null where a piece has not, or the token does not tell of a piece, what it is asked for. */
async function attributeOf(executor: Executor, handle: ObjectHandle, type: number): Promise<Uint8Array | null> {
  const job = new Job('look at an object', 'validation');
  const read = job.getAttributes(handle, [type]);
  try {
    const told = (await executor.run(job)).attributes(read).get(type);
    return told?.state === 'value' ? told.octets : null;
  } catch (error) {
    if (error instanceof TokenError && error.severity === 'call') return null;
    throw error;
  }
}
