import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../../bin/keyferry.js', import.meta.url));

/** How a command ended, and what it printed. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that was started and has not ended yet. */
export interface StartedCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
  /** The first line on standard output. */
  readonly firstLine: Promise<string>;
}

/** Starts `keyferry` with some arguments. */
export function startKeyferry(args: readonly string[], options: { readonly cwd?: string } = {}): StartedCommand {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const output = { stdout: '', stderr: '' };
  const ended = new Promise<CommandResult>((resolve) => {
    child.once('close', (status) => resolve({ status, ...output }));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  child.stdout.setEncoding('utf8');
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (text: string) => {
      output.stdout += text;
      const [line, rest] = output.stdout.split('\n');
      if (rest !== undefined) resolve(line ?? '');
    });
    void ended.then(({ status, stderr }) => reject(new Error(`ended with status ${status}: ${stderr}`)));
  });
  firstLine.catch(() => undefined);
  return { child, ended, firstLine };
}

/** Runs `keyferry` to its end. */
export function keyferry(...args: readonly string[]): Promise<CommandResult> {
  return startKeyferry(args).ended;
}

/** A directory for one lab and its lab file; the path is short because a socket's may not be long. */
export function labDirectory(lab: object): {
  readonly root: string;
  readonly file: string;
  readonly dir: string;
  remove(): void;
} {
  const root = mkdtempSync(join(tmpdir(), 'kf-lab-'));
  const file = join(root, 'lab.yaml');
  writeFileSync(file, JSON.stringify(lab));
  return { root, file, dir: join(root, 'lab'), remove: () => rmSync(root, { recursive: true, force: true }) };
}
