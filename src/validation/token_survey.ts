import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LIMITS } from '../limits.js';
import { ValidationError } from './errors.js';
import type { SurveyAnswer, SurveyRequest, TokenSurvey } from './survey_message.js';

const CHILD = fileURLToPath(new URL('./survey_child.js', import.meta.url));

/**
 * Looks at a token in a process of its own, which a bad module may take down: how many objects there are, which of them are Keyferry's,
 * and what the token can do; or removes those that are Keyferry's.
 *
 * HAZARD: `sweep` destroys the keys of a region. Only for a token of which a survey has said before that it held none.
 *
 * @throws {@link ValidationError} `ERR_VALIDATION_START` where the token cannot be opened, or its process died
 */
export async function surveyToken(request: SurveyRequest): Promise<TokenSurvey> {
  const { module } = request.reference;
  const child = fork(CHILD, [], { execArgv: ['--enable-source-maps'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const answer = await new Promise<SurveyAnswer>((resolve) => {
    const limitMs = LIMITS.validationOpenMs + LIMITS.validationProbeMs;
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    let said: SurveyAnswer | undefined;
    child.on('message', (message) => (said = message as SurveyAnswer));
    child.once('error', (error) => (said ??= { kind: 'failed', message: error.message, remedy: null }));
    // The module is finalised when it ends: whoever opens the token next finds it closed.
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      resolve(
        said ?? { kind: 'failed', message: `its process ended with ${signal ?? `status ${status}`}`, remedy: null },
      );
    });
    child.send(request, () => undefined);
  });
  if (answer.kind === 'surveyed') return answer.survey;
  throw new ValidationError('ERR_VALIDATION_START', `the token of ${module} cannot be looked at: ${answer.message}`, {
    remedy: answer.remedy,
  });
}
