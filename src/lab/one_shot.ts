import { spawn } from 'node:child_process';
import { KEYFERRY_BIN } from './child_program.js';
import { LabError } from './errors.js';

/** Octets of output that a command may make. */
const OUTPUT_OCTETS_MAX = 8 * 1024 * 1024;
/** A command that initialises a token and probes it takes a few seconds; a slow HSM some minutes. */
const COMMAND_MS_MAX = 300_000;

/**
 * Runs one `keyferry` command in a process of its own, because a process loads one PKCS#11 module only.
 *
 * @param args - command and options; `--json` is added
 * @param options - `input`: what it reads from its standard input; `signal`: ends it early
 * @returns the JSON value that it printed
 * @throws {@link LabError} `ERR_LAB_PROGRAM` with the command's own code, message and remedy
 */
export async function runKeyferry(
  args: readonly string[],
  options: { readonly input?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  const child = spawn(process.execPath, [KEYFERRY_BIN, ...args, '--json'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: COMMAND_MS_MAX,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < OUTPUT_OCTETS_MAX) output[name] += text;
    });
  }
  // A command that fails before it has read everything closes the pipe; its exit status says so better.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => {
      // Ended early it still writes; it is over when it is closed.
      if (options.signal?.aborted !== true) reject(error);
    });
    child.once('close', resolve);
  });
  options.signal?.throwIfAborted();
  if (status === 0) return JSON.parse(output.stdout) as unknown;
  const what = args.slice(0, 2).join(' ');
  const told = errorDocument(output.stderr);
  throw new LabError(
    'ERR_LAB_PROGRAM',
    told === undefined ? `keyferry ${what} failed (status ${status}): ${output.stderr.trim()}` : told.message,
    {
      details: { command: what, status: status ?? -1, ...(told === undefined ? {} : { code: told.code }) },
      remedy: told?.remedy ?? null,
    },
  );
}

/** The last line that a failing command printed, if it is an error document. */
function errorDocument(
  text: string,
): { readonly code: string; readonly message: string; readonly remedy: string | null } | undefined {
  try {
    const { error } = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as {
      error: { code: string; message: string; remedy: string | null };
    };
    return typeof error.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
