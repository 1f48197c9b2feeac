import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GenerateRandomCommand, KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { FIXTURE_CREDENTIAL } from '../support/region_fixture.js';

const SERVER = fileURLToPath(new URL('../support/serve_until_killed.js', import.meta.url));
const CALLERS = 8;

describe('The audit trail of a region that is killed', function () {
  this.timeout(30_000);
  let child: ChildProcess;
  let client: KMSClient;
  let directory: string;

  beforeEach(async () => {
    child = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('the child has no output');
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const started = JSON.parse(line.toString()) as { readonly url: string; readonly directory: string };
    directory = started.directory;
    const credentials = FIXTURE_CREDENTIAL;
    client = new KMSClient({ region: 'us-east-1', endpoint: started.url, credentials, maxAttempts: 1 });
  });
  afterEach(async () => {
    client.destroy();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  it('holds every call that was answered, and at most the last line is cut', async () => {
    const answered: string[] = [];
    const call = async (): Promise<void> => {
      for (;;) {
        const { $metadata } = await client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }));
        answered.push($metadata.requestId ?? '');
        if (answered.length >= 300) child.kill('SIGKILL');
      }
    };
    const ended = once(child, 'exit');
    await Promise.allSettled(Array.from({ length: CALLERS }, call));
    await ended;
    const lines = (await readFile(join(directory, 'trail.jsonl'), 'utf8')).split('\n');
    const whole = lines.slice(0, -1).map((line) => (JSON.parse(line) as { readonly requestID: string }).requestID);
    expect(answered.length).to.be.at.least(300);
    expect(whole).to.include.members(answered);
    expect(new Set(whole).size).to.equal(whole.length);
    // Calls that were recorded and not answered any more: no more than there were in progress.
    expect(whole.length - answered.length).to.be.within(0, CALLERS);
  });
});
