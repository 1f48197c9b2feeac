import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AWS_CLI } from '../support/aws_cli.js';

/** Debian's Python, for which Debian's AWS CLI and boto3 are. */
export const PYTHON = '/usr/bin/python3';
const SESSION = fileURLToPath(new URL('../../../test/clients/aws_cli_session.py', import.meta.url));

/** How a command of the AWS CLI ended. */
export interface CliAnswer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether a Python module can be had by Debian's Python. */
export function hasPythonModule(name: string): boolean {
  return spawnSync(PYTHON, ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0;
}

/** Whether there is any AWS CLI. */
export function hasAwsCli(): boolean {
  return spawnSync(AWS_CLI, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * A session with the AWS CLI. Debian's is a Python package: all commands of a session run in one process of it, which calls what the
 * command `aws` calls. Any other AWS CLI is run once for each command.
 */
export class AwsCliSession {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #child: ChildProcess | undefined;
  readonly #lines: AsyncIterator<string> | undefined;
  readonly #reader: Interface | undefined;

  /** @param environment - of the AWS CLI, besides `PATH` */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = { PATH: process.env['PATH'], ...environment };
    if (!hasPythonModule('awscli.clidriver')) return;
    this.#child = spawn(PYTHON, [SESSION], { env: this.#environment, stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('the session has no output');
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Runs `aws` with some arguments; one command at a time. */
  async run(args: readonly string[]): Promise<CliAnswer> {
    if (this.#child === undefined || this.#lines === undefined) return this.#runAlone(args);
    this.#child.stdin?.write(`${JSON.stringify(args)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the session ended at aws ${args.join(' ')}`);
    return JSON.parse(line.value) as CliAnswer;
  }

  async end(): Promise<void> {
    if (this.#child === undefined) return;
    const ended = this.#child.exitCode === null ? once(this.#child, 'close') : undefined;
    this.#child.stdin?.end();
    await ended;
    this.#reader?.close();
  }

  #runAlone(args: readonly string[]): Promise<CliAnswer> {
    return new Promise((resolve, reject) => {
      execFile(AWS_CLI, [...args], { env: this.#environment }, (error, stdout, stderr) => {
        const status = error === null ? 0 : error.code;
        if (typeof status === 'number') resolve({ status, stdout, stderr });
        else reject(error ?? new Error('the AWS CLI did not end'));
      });
    });
  }
}
