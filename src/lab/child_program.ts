import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LabError } from './errors.js';
import { asProgramMessage, type ProgramMessage } from './program_message.js';
import { identityOf, type ProcessIdentity } from './process_identity.js';
import type { StateDirectory } from './state_directory.js';

/** The command line of this installation. */
export const KEYFERRY_BIN = fileURLToPath(new URL('../../../bin/keyferry.js', import.meta.url));

/** Lines of a program's log that are shown when it fails. */
const LOG_LINES = 12;

/** A program of the lab: a `keyferry` command that runs until it is stopped. */
export interface ProgramSpec {
  /** `proxy`, `front-door` or `region NAME`. */
  readonly name: string;
  /** Command and options behind `keyferry`. */
  readonly args: readonly string[];
}

/** A started program: what it said, and how it ended. */
export interface ChildProgram {
  readonly identity: ProcessIdentity;
  /** What it says first: that it is ready, or why it failed; undefined where it ended without a word. */
  readonly firstMessage: Promise<ProgramMessage | undefined>;
  /** Its exit status (null where a signal ended it), once it has ended. */
  readonly ended: Promise<{ readonly status: number | null; readonly signal: string | null }>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/**
 * Starts a program: spawned, not forked, so that nothing of this process is in it. It ends by itself when this process ends, because its
 * channel closes. What it prints goes to its log.
 */
export function startChild(directory: StateDirectory, spec: ProgramSpec): ChildProgram {
  const log = directory.openLog(spec.name);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [KEYFERRY_BIN, ...spec.args], { stdio: ['ignore', log, log, 'ipc'] });
  } finally {
    closeSync(log);
  }
  const ended = new Promise<{ status: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (status, signal) => resolve({ status, signal }));
    child.once('error', () => resolve({ status: null, signal: null }));
  });
  const spoken = new Promise<ProgramMessage>((resolve) => {
    child.on('message', (value) => {
      const message = asProgramMessage(value);
      if (message !== undefined) resolve(message);
    });
  });
  return {
    identity: identityOf(child.pid ?? 0) ?? { pid: child.pid ?? 0, started: '' },
    firstMessage: Promise.race([spoken, ended.then(() => undefined)]),
    ended,
    kill: (signal) => void child.kill(signal),
  };
}

/** The failure of a program that ended, with what it said last. */
export async function programFailure(
  directory: StateDirectory,
  name: string,
  said: { readonly message?: ProgramMessage | undefined; readonly how: string },
): Promise<LabError> {
  if (said.message?.kind === 'failed') {
    return new LabError('ERR_LAB_PROGRAM', `${name}: ${said.message.message}`, {
      details: { program: name, code: said.message.code, log: directory.log(name) },
      remedy: said.message.remedy,
    });
  }
  const tail = await lastLines(directory.log(name));
  return new LabError(
    'ERR_LAB_PROGRAM',
    [`${name} ${said.how}; its log ends with:`, ...tail.map((line) => `  ${line}`)].join('\n'),
    {
      details: { program: name, log: directory.log(name) },
      remedy: `read ${directory.log(name)}`,
    },
  );
}

async function lastLines(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-LOG_LINES);
}
