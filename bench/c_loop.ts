import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ScratchToken } from '../test/support/token_directory.js';

const run = promisify(execFile);

/** Runs the C program that calls the module in a plain loop. */
export class CLoop {
  readonly #program: string;
  readonly #token: ScratchToken;

  /** @param program - path of the program, built beside the addon */
  constructor(program: string, token: ScratchToken) {
    this.#program = program;
    this.#token = token;
  }

  /** Jobs per second of all threads together, in a process and sessions of its own. */
  async perSecond(job: string, options: { readonly seconds: number; readonly threads: number }): Promise<number> {
    const { modulePath, settings, slotId, userPinFile } = this.#token;
    const { stdout } = await run(
      this.#program,
      [
        modulePath,
        settings.libraryParameters ?? '',
        String(slotId),
        userPinFile,
        job,
        String(options.seconds),
        String(options.threads),
      ],
      { env: { ...process.env, ...settings.environment } },
    );
    const { opsPerSecond } = JSON.parse(stdout) as { readonly opsPerSecond: number };
    return opsPerSecond;
  }
}
