// The process in which a token is looked at before and after it was a region's for a while.
import { utf8 } from '../bytes.js';
import { KeyferryError } from '../errors.js';
import { clearLabel, KEY_LABELS, pendingLabel } from '../hsm/token_keys.js';
import { LIMITS } from '../limits.js';
import { CKA_LABEL, CKA_TOKEN } from '../token/cryptoki.js';
import type { Executor } from '../token/executor.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { probeToken } from '../token/probe/probe.js';
import { template } from '../token/template.js';
import { failureText } from './check_context.js';
import { countObjects } from './object_watch.js';
import type { SurveyAnswer, SurveyRequest, TokenSurvey } from './survey_message.js';
import { openReferredToken } from './token_opening.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Every label that a token object of Keyferry's may have. */
const ownLabels = Object.values(KEY_LABELS).flatMap((label) => [label, pendingLabel(label), clearLabel(label)]);

async function ownObjects(executor: Executor): Promise<readonly ObjectHandle[]> {
  const job = new Job('find objects by label', 'survey');
  const found = ownLabels.map((label) =>
    job.findObjects(template([CKA_TOKEN, true], [CKA_LABEL, utf8(label)]), LIMITS.validationObjectsMax),
  );
  const result = await executor.run(job);
  return found.flatMap((output) => result.handles(output));
}

async function destroy(executor: Executor, handles: readonly ObjectHandle[]): Promise<void> {
  for (const handle of handles) {
    const job = new Job('destroy object', 'survey');
    job.attempt();
    job.destroyObject(handle);
    await executor.run(job);
  }
}

async function lookAt({ reference, action }: SurveyRequest): Promise<TokenSurvey> {
  const token = await openReferredToken(reference);
  try {
    const { executor } = token;
    const profile = action === 'survey' ? await probeToken(token, clock) : null;
    const found = await ownObjects(executor);
    if (action === 'sweep') await destroy(executor, found);
    const own = action === 'sweep' ? await ownObjects(executor) : found;
    const { token: objects } = await countObjects(executor);
    return { profile, objects, own: own.length, removed: found.length - own.length };
  } finally {
    await token.close();
    token.module.close();
  }
}

function failed(error: unknown): SurveyAnswer {
  const remedy = error instanceof KeyferryError && 'remedy' in error ? error.remedy : null;
  return { kind: 'failed', message: failureText(error), remedy: typeof remedy === 'string' ? remedy : null };
}

process.umask(0o077);
// Ctrl-C goes to every process of the terminal; objects are removed all the same.
process.on('SIGINT', () => undefined);
process.once('message', (request: SurveyRequest) => {
  void lookAt(request)
    .then((survey): SurveyAnswer => ({ kind: 'surveyed', survey }), failed)
    .then((answer) => process.send?.(answer, () => process.disconnect()));
});
