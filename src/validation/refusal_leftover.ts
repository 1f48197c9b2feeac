import type { CheckContext } from './check_context.js';
import { countObjects, destroyLeftovers } from './object_watch.js';

/**
 * Runs calls that the token may refuse, and says whether those that it refused left objects behind; they are removed.
 *
 * @source PKCS#11 v2.40 section 5.1: an object that cannot be made is not made at all
 */
export async function expectNothingLeft(context: CheckContext, work: () => Promise<void>): Promise<void> {
  const { executor } = context.token;
  const before = await countObjects(executor);
  await work();
  const after = await countObjects(executor);
  const left = after.token - before.token + after.session - before.session;
  if (left > 0) await destroyLeftovers(executor);
  context.expect(left === 0, {
    what: 'a call that is refused makes no object',
    call: 'C_FindObjects',
    expected: 'no object more than before',
    seen: left === 0 ? 'no object more than before' : `${left} more`,
  });
}
