import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { FIXTURE_CREDENTIAL, type RegionFixture } from './region_fixture.js';

const run = promisify(execFile);
/** Debian's command where it is installed; another one in the path would be as good. */
export const AWS_CLI = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws';

/** Who calls, and from where. */
export interface CliCaller {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Home directory, without AWS files. */
  readonly home: string;
  /** What is put in front of the command, to run it somewhere else. */
  readonly within?: readonly string[];
}

/** Who calls a region of this process, as its root. */
export function fixtureCaller(fixture: RegionFixture): CliCaller {
  return { ...FIXTURE_CREDENTIAL, endpoint: fixture.url, region: fixture.name, home: fixture.directory };
}

/** Runs `aws …` and returns what it prints. */
export async function awsCli(caller: CliCaller, ...args: readonly string[]): Promise<string> {
  const [file = '', ...rest] = [...(caller.within ?? []), AWS_CLI];
  const { stdout } = await run(file, [...rest, '--endpoint-url', caller.endpoint, '--region', caller.region, ...args], {
    env: {
      PATH: process.env['PATH'],
      HOME: caller.home,
      AWS_ACCESS_KEY_ID: caller.accessKeyId,
      AWS_SECRET_ACCESS_KEY: caller.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
    },
  });
  return stdout.trim();
}

/** Runs `aws kms …` and returns what it prints as text. */
export function kmsCli(caller: CliCaller, ...args: readonly string[]): Promise<string> {
  return awsCli(caller, '--output', 'text', 'kms', ...args);
}

/** What the command prints when it is refused: the exception in parentheses and the service's words. */
export async function kmsCliRefusal(caller: CliCaller, ...args: readonly string[]): Promise<string> {
  return kmsCli(caller, ...args).then(
    (text) => `not refused: ${text}`,
    (error: { stderr?: string }) => error.stderr ?? String(error),
  );
}
