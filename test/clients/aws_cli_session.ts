import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AWS_CLI } from '../support/aws_cli.js';

const SESSION = fileURLToPath(new URL('../../../test/clients/aws_cli_session.py', import.meta.url));

/** How a command of the AWS CLI ended. */
export interface CliAnswer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The version of the command `aws`; undefined where there is none. */
export function awsCliVersion(): string | undefined {
  const { status, stdout } = spawnSync(AWS_CLI, ['--version'], { encoding: 'utf8' });
  return status === 0 ? /^aws-cli\/(\S+)/u.exec(stdout)?.[1] : undefined;
}

/**
 * A session with the AWS CLI. Where it is a Python package, as Debian's is, all commands of a session run in one process, which calls what
 * the command `aws` calls. Any other AWS CLI is run once for each command.
 */
export class AwsCliSession {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #child: ChildProcess | undefined;
  readonly #lines: AsyncIterator<string> | undefined;
  readonly #reader: Interface | undefined;

  /**
   * @param environment - of the AWS CLI, besides `PATH`
   * @param python - that has it as a package; the command `aws` is run where it is absent
   */
  constructor(environment: Readonly<Record<string, string>>, python?: string) {
    this.#environment = { PATH: process.env['PATH'], ...environment };
    if (python === undefined) return;
    this.#child = spawn(python, [SESSION], { env: this.#environment, stdio: ['pipe', 'pipe', 'inherit'] });
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
