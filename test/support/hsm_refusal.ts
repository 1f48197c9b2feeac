import { HsmError } from '../../src/hsm/errors.js';

/** The code that an HSM refuses some work with; `accepted` where it does not, and the text of whatever else it throws. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'accepted',
    (error: unknown) => error,
  );
  return outcome instanceof HsmError ? outcome.code : String(outcome);
}
