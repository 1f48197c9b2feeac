import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ScratchToken } from '../test/support/token_directory.js';

const run = promisify(execFile);

/** What one run of the C loop came to. */
export interface CLoopResult {
  /** Jobs per second of all threads together. */
  readonly perSecond: number;
  /** CPU time of its threads for one job, microseconds: unlike the rate it does not change when others take the processor. */
  readonly cpuMicrosecondsPerJob: number;
}

/** Runs the C program that calls the module in a plain loop. */
export class CLoop {
  readonly #program: string;
  readonly #token: ScratchToken;

  /** @param program - path of the program, built beside the addon */
  constructor(program: string, token: ScratchToken) {
    this.#program = program;
    this.#token = token;
  }

  /** Runs one job over and over, in a process and sessions of its own. */
  async run(job: string, options: { readonly seconds: number; readonly threads: number }): Promise<CLoopResult> {
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
    const { opsPerSecond, cpuMicrosecondsPerJob } = JSON.parse(stdout) as {
      readonly opsPerSecond: number;
      readonly cpuMicrosecondsPerJob: number;
    };
    return { perSecond: opsPerSecond, cpuMicrosecondsPerJob };
  }
}
