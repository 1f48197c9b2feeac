import { utf8 } from '../bytes.js';
import { CKA_LABEL, CKA_TOKEN } from '../token/cryptoki.js';
import type { Executor } from '../token/executor.js';
import { Job } from '../token/job.js';
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
