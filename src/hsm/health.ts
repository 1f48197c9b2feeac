import { HsmError } from './errors.js';

/** Whether an HSM may work. A failed self-test stops it for good: only status remains, until it is opened anew. */
export class HsmHealth {
  #failure: HsmError | null = null;
  #undestroyed = 0;

  /** Why the HSM stopped, or null. */
  get failure(): HsmError | null {
    return this.#failure;
  }

  /** How often the token kept an object that it said it had destroyed. */
  get undestroyed(): number {
    return this.#undestroyed;
  }

  /** Stops the HSM and returns the error to throw. */
  stop(message: string, details: Readonly<Record<string, string | number>> = {}): HsmError {
    const error = new HsmError('ERR_HSM_SELF_TEST', message, { details });
    this.#failure ??= error;
    return error;
  }

  /** Counts an object that the token did not destroy. */
  notDestroyed(): void {
    this.#undestroyed += 1;
  }

  /** @throws {@link HsmError} `ERR_HSM_SELF_TEST` once the HSM has stopped */
  assertWorking(): void {
    if (this.#failure === null) return;
    throw new HsmError('ERR_HSM_SELF_TEST', `the HSM has stopped: ${this.#failure.message}`, {
      details: this.#failure.details,
      cause: this.#failure,
    });
  }
}
