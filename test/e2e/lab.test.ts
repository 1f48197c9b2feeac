import { existsSync, readFileSync, statSync, writeFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateKeyCommand, DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';

const anyPort = '127.0.0.1:0';
const twoRegions = {
  endpoint: anyPort,
  proxy: { listen: anyPort },
  regions: { 'us-east-1': { listen: anyPort }, 'eu-west-1': { listen: anyPort } },
  credentials: [{ accessKeyId: 'testing', secretAccessKey: 'testing', principal: 'arn:aws:iam::111122223333:root' }],
};

interface Summary {
  readonly endpoint: string;
  readonly regions: Readonly<Record<string, string>>;
  readonly awsConfigFile: string;
  readonly awsCredentialsFile: string;
}

interface Status {
  readonly running: boolean;
  readonly problems: readonly { readonly about: string; readonly problem: string; readonly remedy: string | null }[];
  readonly programs: Readonly<
    Record<
      string,
      { readonly state: string; readonly restarts: number; readonly process: { readonly pid: number } | null }
    >
  >;
}

describe('a lab run by keyferry up', function () {
  this.timeout(120_000);
  const lab = labDirectory(twoRegions);
  let up: StartedCommand;
  let summary: Summary;
  let client: KMSClient;
  let keyId: string;
  let blob: Uint8Array;

  const start = async (): Promise<void> => {
    up = startKeyferry(['up', '--file', lab.file, '--dir', lab.dir, '--json']);
    summary = JSON.parse(await up.firstLine) as Summary;
    client = new KMSClient({
      endpoint: summary.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' },
      maxAttempts: 6,
    });
  };
  const status = async (): Promise<Status> =>
    JSON.parse((await keyferry('status', '--dir', lab.dir, '--json')).stdout) as Status;
  const until = async (fact: (found: Status) => boolean): Promise<Status> => {
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const found = await status();
      if (fact(found)) return found;
      await sleep(200);
    }
    throw new Error(`it did not come to that: ${JSON.stringify(await status())}`);
  };
  const decrypt = async (): Promise<string> => {
    const { Plaintext: plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: blob }));
    return Buffer.from(plaintext ?? []).toString('utf8');
  };

  before(async () => {
    await start();
    const { KeyMetadata: metadata } = await client.send(new CreateKeyCommand({}));
    keyId = metadata?.KeyId ?? '';
    const encrypted = await client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('still there') }));
    blob = encrypted.CiphertextBlob ?? new Uint8Array();
  });

  after(async () => {
    client.destroy();
    await keyferry('down', '--dir', lab.dir);
    lab.remove();
  });

  it('prints one JSON object with every URL once all of them answer', async () => {
    expect(Object.keys(summary.regions)).to.deep.equal(['us-east-1', 'eu-west-1']);
    for (const url of [summary.endpoint, ...Object.values(summary.regions)]) {
      expect((await fetch(`${url}/healthz`)).status).to.equal(200);
    }
    expect(await decrypt()).to.equal('still there');
  });

  it('makes an AWS profile whose credentials work, and prints how a shell uses it', async () => {
    const { stdout } = await keyferry('env', '--dir', lab.dir, '--json', '--region', 'eu-west-1');
    expect(JSON.parse(stdout)).to.deep.equal({
      AWS_CONFIG_FILE: summary.awsConfigFile,
      AWS_SHARED_CREDENTIALS_FILE: summary.awsCredentialsFile,
      AWS_PROFILE: 'keyferry',
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_KMS: summary.endpoint,
    });
    const file = readFileSync(summary.awsCredentialsFile, 'utf8');
    const value = (name: string): string => new RegExp(`^${name} = (.+)$`, 'mu').exec(file)?.[1] ?? '';
    const own = new KMSClient({
      endpoint: summary.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') },
    });
    const { Plaintext: plaintext } = await own.send(new DecryptCommand({ CiphertextBlob: blob }));
    own.destroy();
    expect(Buffer.from(plaintext ?? []).toString('utf8')).to.equal('still there');
  });

  it('keeps everything in files that only their user can read', () => {
    const visit = (path: string): void => {
      const found = statSync(path);
      expect(found.mode & 0o077, path).to.equal(0);
      if (found.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
    };
    visit(lab.dir);
  });

  it('lets people see the tokens of a module, and which of them are ready', async () => {
    process.env['SOFTHSM2_CONF'] = join(lab.dir, 'regions', 'us-east-1', 'token', 'softhsm2.conf');
    const listing = keyferry('token', 'list', '--json');
    delete process.env['SOFTHSM2_CONF'];
    const { slots } = JSON.parse((await listing).stdout) as {
      slots: readonly { token: { label: string; isUserPinSet: boolean; isInitialised: boolean } | null }[];
    };
    const own = slots.filter(({ token }) => token?.label === 'us-east-1');
    expect(own.map(({ token }) => token?.isUserPinSet)).to.deep.equal([true]);
    expect((await keyferry('token', 'list', '--module', 'nss')).stderr).to.contain('token profile --module nss');
  });

  it('says so when it is running already, and changes nothing', async () => {
    const second = await keyferry('up', '--file', lab.file, '--dir', lab.dir, '--json');
    expect(second.status).to.equal(78);
    expect(second.stdout).to.equal('');
    expect((JSON.parse(second.stderr) as { error: { code: string; message: string } }).error).to.include({
      code: 'ERR_CONFIG_STATE',
    });
    expect(await decrypt()).to.equal('still there');
  });

  it('refuses a busy port before anything is started', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const other = labDirectory({ ...twoRegions, proxy: { listen: `127.0.0.1:${port}` } });
    const result = await keyferry('up', '--file', other.file, '--dir', other.dir, '--json');
    server.close();
    expect((JSON.parse(result.stderr) as { error: { code: string } }).error.code).to.equal('ERR_CONFIG_PORT_BUSY');
    expect(existsSync(join(other.dir, 'authority', 'authority.json'))).to.equal(false);
    expect(existsSync(join(other.dir, 'lock'))).to.equal(false);
    other.remove();
  });

  it('is shown to people without problems and in a few lines for each region', async () => {
    const { status: code, stdout } = await keyferry('status', '--dir', lab.dir);
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^us-east-1 {2}running/mu)
      .and.to.match(/^ {2}roster +epoch 1, RSK [\w-]{10}…$/mu);
    expect(stdout).to.not.match(/^!/mu);
    expect(stdout.split('\n').length).to.be.lessThan(30);
    expect((await status()).problems).to.deep.equal([]);
  });

  it('starts a program again that dies', async () => {
    for (const name of ['region us-east-1', 'proxy', 'front-door']) {
      const before = (await status()).programs[name];
      process.kill(before?.process?.pid ?? 0, 'SIGKILL');
      const after = await until(
        ({ programs }) => programs[name]?.restarts === 1 && programs[name]?.state === 'running',
      );
      expect(after.programs[name]?.process?.pid).to.not.equal(before?.process?.pid);
    }
    expect(await decrypt()).to.equal('still there');
  });

  it('does not start a region again whose PIN was refused, and says why', async () => {
    const pinFile = join(lab.dir, 'regions', 'eu-west-1', 'user.pin');
    const pin = readFileSync(pinFile);
    writeFileSync(pinFile, 'certainly wrong');
    const before = (await status()).programs['region eu-west-1'];
    process.kill(before?.process?.pid ?? 0, 'SIGKILL');
    const after = await until(({ programs }) => programs['region eu-west-1']?.state.startsWith('stopped: ') === true);
    expect(after.programs['region eu-west-1']?.state).to.match(/CKR_PIN_INCORRECT/u);
    await sleep(1_500);
    const { programs, problems } = await status();
    expect(programs['region eu-west-1']?.restarts).to.equal(1);
    const problem = problems.find(({ about }) => about === 'region eu-west-1');
    expect(problem?.problem).to.match(/^stopped, and is not started again: C_Login returned CKR_PIN_INCORRECT/u);
    expect(problem?.remedy).to.contain('keyferry up');
    const { stdout } = await keyferry('status', '--dir', lab.dir);
    expect(stdout)
      .to.match(/^! region eu-west-1 stopped/mu)
      .and.to.match(/^eu-west-1 {2}not running/mu);
    writeFileSync(pinFile, pin);
  });

  it('stops everything when it is told to, and has every key after the next start', async () => {
    const pids = Object.values((await status()).programs).flatMap(({ process: found }) =>
      found === null ? [] : [found.pid],
    );
    const down = await keyferry('down', '--dir', lab.dir, '--json');
    expect(JSON.parse(down.stdout)).to.deep.equal({ stopped: true });
    expect((await up.ended).status).to.equal(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).to.throw(/ESRCH/u);
    expect(await status()).to.include({ running: false });
    expect(JSON.parse((await keyferry('down', '--dir', lab.dir, '--json')).stdout)).to.deep.equal({ stopped: false });

    await start();
    expect(await decrypt()).to.equal('still there');
  });

  it('is started once where two are told to start it at the same time', async () => {
    const down = await keyferry('down', '--dir', lab.dir, '--json');
    expect(JSON.parse(down.stdout)).to.deep.equal({ stopped: true });
    await up.ended;
    const args = ['up', '--file', lab.file, '--dir', lab.dir, '--detach', '--json'];
    const both = await Promise.all([keyferry(...args), keyferry(...args)]);
    const [started, refused] = both.toSorted((one, other) => Number(one.status) - Number(other.status));
    expect([started?.status, refused?.status]).to.deep.equal([0, 78]);
    expect(refused?.stderr).to.match(/A lab is running in|ERR_CONFIG_PORT_BUSY/u);
    expect(await status()).to.include({ running: true });
    await keyferry('down', '--dir', lab.dir);
    await start();
    expect(await decrypt()).to.equal('still there');
  });

  it('takes its programs with it when it is killed, and can be started again over what it left', async () => {
    const pids = Object.values((await status()).programs).flatMap(({ process: found }) =>
      found === null ? [] : [found.pid],
    );
    up.child.kill('SIGKILL');
    await up.ended;
    for (let attempt = 0; attempt < 100 && pids.some(isAlive); attempt += 1) await sleep(100);
    expect(pids.filter(isAlive)).to.deep.equal([]);
    expect(existsSync(join(lab.dir, 'lock'))).to.equal(true);
    await start();
    expect(await decrypt()).to.equal('still there');
  });

  it('stops on Ctrl-C', async () => {
    up.child.kill('SIGINT');
    expect((await up.ended).status).to.equal(0);
    expect(await status()).to.include({ running: false });
    expect(existsSync(join(lab.dir, 'lock'))).to.equal(false);
  });

  it('is refused where a region that has keys would get another token', async () => {
    const regions = { ...twoRegions.regions, 'us-east-1': { listen: anyPort, token: { module: 'nss' } } };
    const other = labDirectory({ ...twoRegions, regions });
    const result = await keyferry('up', '--file', other.file, '--dir', lab.dir, '--json');
    expect(result.status).to.equal(78);
    expect(result.stderr).to.match(/keys of us-east-1 are in its token of softhsm2/u);
    other.remove();
  });

  it('is refused where its directory is of another account', async () => {
    const other = labDirectory({ ...twoRegions, account: '999988887777' });
    const result = await keyferry('up', '--file', other.file, '--dir', lab.dir, '--json');
    expect(result.status).to.equal(78);
    expect(result.stderr).to.match(/of another lab/u);
    other.remove();
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
