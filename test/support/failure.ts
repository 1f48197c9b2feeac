/** What a call threw; the test fails if it threw nothing, or something of another class. */
export function thrown<Failure extends Error>(
  type: abstract new (...of: never[]) => Failure,
  run: () => unknown,
): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`expected a ${type.name}, and nothing was thrown`);
}

/** What a promise was rejected with; the test fails if it was fulfilled, or rejected with something of another class. */
export async function rejection<Failure extends Error>(
  type: abstract new (...of: never[]) => Failure,
  promise: Promise<unknown>,
): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`expected a ${type.name}, and the promise was fulfilled`);
}
