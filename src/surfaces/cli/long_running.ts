import type { ProgramMessage } from '../../lab/program_message.js';
import { errorDocument, type Output } from './output.js';
import type { RunningProgram } from './programs.js';

/** Time that a program has to close what it has open, milliseconds; then it ends anyway. */
const CLOSE_MS_MAX = 8_000;

/**
 * Runs a program until it is told to stop: by SIGTERM or SIGINT, or because whoever started it has ended.
 *
 * Started by the lab's supervisor it reports there, and leaves Ctrl-C to it.
 */
export async function runUntilStopped(
  start: () => Promise<RunningProgram>,
  output: Output,
  what: string,
): Promise<void> {
  const isSupervised = process.send !== undefined;
  const stopped = new Promise<string>((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.on('SIGINT', () => {
      if (!isSupervised) resolve('SIGINT');
    });
    process.once('disconnect', () => resolve('the supervisor has ended'));
  });
  let program: RunningProgram;
  try {
    program = await start();
  } catch (error) {
    const { code, message, remedy } = errorDocument(error);
    await tell({ kind: 'failed', code, message, remedy });
    // An open channel would keep this process alive, and the supervisor waiting for its end.
    if (process.connected) process.disconnect();
    throw error;
  }
  await tell({ kind: 'ready', url: program.url });
  if (isSupervised) log(`${what} listens on ${program.url}`);
  else output.result({ url: program.url }, () => `${what} listens on ${program.url}`);
  const reason = await stopped;
  if (isSupervised) log(`${what} stops: ${reason}`);
  const timer = setTimeout(() => {
    log(`${what} did not close in ${CLOSE_MS_MAX / 1000} seconds`);
    process.exit(1);
  }, CLOSE_MS_MAX);
  timer.unref();
  await program.close();
  if (process.connected) process.disconnect();
}

/** Tells whoever started this program; does nothing where nobody listens. */
export function tell(message: ProgramMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, () => resolve());
  });
}

function log(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}
