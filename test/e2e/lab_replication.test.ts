import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  ReplicateKeyCommand,
  UpdatePrimaryRegionCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { askAdmin } from '../../src/lab/admin_client.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { keyferry, labDirectory, startKeyferry, type StartedCommand } from '../support/keyferry_command.js';

const anyPort = '127.0.0.1:0';
const lab = labDirectory({
  endpoint: anyPort,
  proxy: { listen: anyPort },
  regions: { 'us-east-1': { listen: anyPort }, 'eu-west-1': { listen: anyPort, token: { module: 'nss' } } },
  credentials: [{ accessKeyId: 'testing', secretAccessKey: 'testing', principal: 'arn:aws:iam::111122223333:root' }],
});

interface TraceLine {
  readonly where: 'proxy' | 'region';
  readonly region?: string;
  readonly event: string | { readonly kind: string; readonly label?: string; readonly step?: string };
  readonly message?: { readonly label: string; readonly verification: string; readonly kid: string } | null;
}

interface RosterReport {
  readonly epoch: string;
  readonly regions: readonly {
    readonly region: string;
    readonly rsk: readonly { readonly kid: string; readonly state: string }[];
  }[];
  readonly deliveries?: readonly { readonly region: string; readonly epoch: string | null }[];
}

interface DemoReport {
  readonly ok: boolean;
  readonly steps: readonly {
    readonly title: string;
    readonly facts: readonly { readonly data?: Readonly<Record<string, unknown>> }[];
  }[];
}

describe('replication in a lab of programs', function () {
  this.timeout(120_000);
  let clients: Readonly<Record<string, KMSClient>>;

  const run = async <Value>(...args: readonly string[]): Promise<Value> => {
    // What stands behind -- is no option, whatever it begins with.
    const operands = args.indexOf('--');
    const end = operands < 0 ? args.length : operands;
    const result = await keyferry(...args.slice(0, end), '--dir', lab.dir, '--json', ...args.slice(end));
    expect(result.status, result.stderr).to.equal(0);
    return JSON.parse(result.stdout) as Value;
  };
  const client = (region: string): KMSClient => {
    const found = clients[region];
    if (found === undefined) throw new Error(region);
    return found;
  };
  /** Makes a key in one region, replicates it to the other, and waits until it can be used there. */
  const ferry = async (from = 'us-east-1', to = 'eu-west-1'): Promise<string> => {
    const { KeyMetadata: metadata } = await client(from).send(new CreateKeyCommand({ MultiRegion: true }));
    const keyId = metadata?.KeyId ?? '';
    await client(from).send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: to }));
    for (let attempt = 0; attempt < 400; attempt += 1) {
      const state = await client(to)
        .send(new DescribeKeyCommand({ KeyId: keyId }))
        .then(
          ({ KeyMetadata: replica }) => replica?.KeyState,
          () => undefined,
        );
      if (state === 'Enabled') break;
      await sleep(50);
    }
    const { CiphertextBlob: blob } = await client(from).send(
      new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('ferried') }),
    );
    const { Plaintext: plaintext } = await client(to).send(new DecryptCommand({ CiphertextBlob: blob }));
    expect(Buffer.from(plaintext ?? []).toString('utf8')).to.equal('ferried');
    return keyId;
  };
  const trace = async (...args: readonly string[]): Promise<readonly TraceLine[]> => {
    const { stdout } = await keyferry('trace', '--dir', lab.dir, '--json', ...args);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TraceLine);
  };

  const conduct = (...args: readonly string[]) =>
    run<{ conduct: { next: unknown }; held: Record<string, number> }>('proxy', 'conduct', ...args);
  const conductText = async (): Promise<string> =>
    (await keyferry('proxy', 'conduct', 'show', '--dir', lab.dir)).stdout;

  before(async () => {
    const up = await run<{ endpoint: string }>('up', '--file', lab.file, '--detach');
    const options = { endpoint: up.endpoint, credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' } };
    clients = Object.fromEntries(
      ['us-east-1', 'eu-west-1'].map((region) => [region, new KMSClient({ ...options, region })]),
    );
  });

  after(async () => {
    for (const each of Object.values(clients)) each.destroy();
    await keyferry('down', '--dir', lab.dir);
    lab.remove();
  });

  it('carries a key from SoftHSM2 to NSS and another one back, and each is used in both', async () => {
    await ferry('us-east-1', 'eu-west-1');
    await ferry('eu-west-1', 'us-east-1');
  });

  it('waits where the proxy is told to hold its messages, and goes on where they pass', async () => {
    expect((await conduct('set', '--hold', 'eu-west-1')).conduct).to.deep.equal({ hold: ['eu-west-1'], next: [] });
    const ferried = ferry();
    while (Object.keys((await conduct('show')).held).length === 0) await sleep(50);
    expect(await conductText()).to.match(
      /^TO +MESSAGES +WAITING +HELD\nus-.*pass +\d+ +0\neu-.*held +\d+ +[1-9]\d*\n$/u,
    );
    expect((await conduct('reset')).conduct).to.deep.equal({ hold: [], next: [] });
    const events = (await trace('--key-id', await ferried)).map(({ event }) => event);
    expect(events).to.include.members(['held', 'released']);
  });

  it('survives a message that is altered on the way, which happens once', async () => {
    await conduct('set', '--next', 'tamper:eu-west-1');
    await ferry();
    expect((await conduct('show')).conduct.next).to.deep.equal([]);
    const altered = (await trace()).filter(({ event }) => event === 'altered');
    expect(altered.map(({ message }) => message?.verification.split(':')[0])).to.deep.equal(['SIG_INVALID']);
  });

  it('leaves the conduct of the proxy as it is where the command line is wrong', async () => {
    // What is held carries out no order.
    await conduct(...'set --hold us-east-1 --hold eu-west-1 --next drop:us-east-1 --next reorder'.split(' '));
    for (const [text, status, ...args] of [
      [/ERR_LAB_REQUEST The lab has no region mars[^]*choose one of us-east-1, eu-west-1/u, 1, '--hold', 'mars'],
      [/ERR_LAB_REQUEST The lab has no region mars/u, 1, '--next', 'drop:mars'],
      [/'explode' is invalid. It is one of drop, duplicate, tamper, reorder/u, 2, '--next', 'explode'],
      [/say what is to be done, by --hold or --next/u, 2],
    ] as const) {
      const result = await keyferry('proxy', 'conduct', 'set', '--dir', lab.dir, ...args);
      expect([result.status, result.stdout], args.join(' ')).to.deep.equal([status, '']);
      expect(result.stderr).to.match(text);
    }
    expect(await conductText()).to.match(
      /\ndrop the next message to us-east-1\nreorder the next message to any region\n$/u,
    );
    await conduct('reset');
  });

  it('can be traced: every message of one key decoded and verified, and nothing of another key', async () => {
    const keyId = await ferry();
    const other = await ferry();
    await sleep(300);
    const lines = await trace('--key-id', keyId);
    const crossed = lines
      .filter(({ where, event }) => where === 'proxy' && event === 'accepted')
      .map(({ message }) => message);
    expect(crossed.map((message) => message?.label)).to.deep.equal(['M0', 'M1', 'M2', 'M3', 'M4']);
    expect(crossed.map((message) => message?.verification)).to.deep.equal(Array(5).fill('ok'));
    const steps = lines.flatMap(({ region, event }) =>
      typeof event === 'object' && event.kind === 'token' ? [`${region ?? ''} ${event.step ?? ''}`] : [],
    );
    expect(steps).to.include.members(['us-east-1 wrap', 'eu-west-1 unwrap']);
    expect(JSON.stringify(lines)).to.not.contain(other);
  });

  it('can be traced for one region, and not for one that there is not', async () => {
    const lines = await trace('--region', 'us-east-1');
    expect(lines.some(({ region }) => region === 'us-east-1')).to.equal(true);
    expect(lines.filter(({ region }) => region === 'eu-west-1')).to.deep.equal([]);
    const { status, stderr } = await keyferry('trace', '--dir', lab.dir, '--region', 'us-east-2');
    expect(status).to.equal(1);
    expect(stderr)
      .to.match(/no region us-east-2/u)
      .and.to.match(/choose one of us-east-1, eu-west-1/u);
  });

  it('writes into the audit which suite and mechanisms carried a key', async () => {
    await ferry('us-east-1', 'eu-west-1');
    const strategies = (region: string, wanted: string): unknown[] =>
      readFileSync(join(new StateDirectory(lab.dir).region(region), 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { readonly code: string; readonly strategy: string | null })
        .flatMap(({ code, strategy }) => (code === wanted ? [strategy] : []));
    const derived = 'CBCDERIVE-A256KWP: CKM_ECDH1_DERIVE (CKD_NULL), then CKM_AES_CBC_ENCRYPT_DATA';
    expect(strategies('us-east-1', 'REPL_SENT')).to.include(`${derived}; wrap: CKM_AES_KEY_WRAP_PAD (0x210A)`);
    expect(strategies('eu-west-1', 'REPL_INSTALLED')).to.include(`${derived}; unwrap: CKM_AES_KEY_WRAP_KWP (0x210B)`);
  });

  it('can be followed while it happens', async () => {
    const following = startKeyferry(['trace', '--dir', lab.dir, '--follow']);
    await following.firstLine;
    const keyId = await ferry();
    const { stdout: before } = await keyferry('trace', '--dir', lab.dir, '--key-id', keyId, '--json');
    const sid = /"sid":"([\w-]{43})"/u.exec(before)?.[1] ?? 'none';
    await sleep(500);
    following.child.kill('SIGINT');
    const { status, stdout } = await following.ended;
    expect(status).to.equal(0);
    expect(stdout).to.contain(`M4 close us-east-1 → eu-west-1`).and.to.contain(sid.slice(0, 10));
  });

  it('hands a key over to the other region, also where a call finds the replica still unconfirmed', async () => {
    const keyId = await ferry();
    const update = new UpdatePrimaryRegionCommand({ KeyId: keyId, PrimaryRegion: 'eu-west-1' });
    const place = async (region: string): Promise<string> => {
      const { KeyMetadata } = await client(region).send(new DescribeKeyCommand({ KeyId: keyId }));
      const set = KeyMetadata?.MultiRegionConfiguration;
      return `${set?.MultiRegionKeyType} of ${set?.PrimaryKey?.Region}, ${KeyMetadata?.KeyState}`;
    };
    for (let attempt = 0; attempt < 400; attempt += 1) {
      const answer: unknown = await client('us-east-1')
        .send(update)
        .catch((error: unknown) => error);
      if (!(answer instanceof Error)) break;
      expect(answer.message).to.match(/is creating\.$/u);
      await sleep(25);
    }
    for (let attempt = 0; attempt < 400 && !(await place('us-east-1')).endsWith('Enabled'); attempt += 1)
      await sleep(25);
    expect([await place('us-east-1'), await place('eu-west-1')]).to.deep.equal([
      'REPLICA of eu-west-1, Enabled',
      'PRIMARY of eu-west-1, Enabled',
    ]);
    const status = await run<{
      readonly regions: Readonly<
        Record<string, { readonly replication: { readonly handovers: unknown; readonly frozen: unknown } }>
      >;
    }>('status');
    for (const { replication } of Object.values(status.regions)) {
      expect([replication.handovers, replication.frozen]).to.deep.equal([[], []]);
    }
  });

  it('goes on over a proxy that loses, repeats, alters and reorders messages, and the trace shows what it did', async () => {
    const socket = new StateDirectory(lab.dir).adminSocket();
    const mode = { mode: 'hostile', seed: 11, drop: 0.15, duplicate: 0.3, tamper: 0.15, reorder: 0.2, delayMsMax: 40 };
    await askAdmin(socket, { method: 'PUT', path: '/mode', body: mode });
    try {
      await ferry();
    } finally {
      await askAdmin(socket, { method: 'PUT', path: '/mode', body: { mode: 'honest' } });
    }
    const events = (await trace()).flatMap(({ where, event }) =>
      where === 'proxy' && typeof event === 'string' ? [event] : [],
    );
    expect(events).to.include.members(['mode', 'repeated']);
  });

  it('moves its time forward in every region, and keys made then say so', async () => {
    const { offsetMs } = await run<{ offsetMs: Readonly<Record<string, number>> }>('clock', 'advance', '2d');
    expect(offsetMs).to.deep.equal({ 'us-east-1': 172_800_000, 'eu-west-1': 172_800_000 });
    const { KeyMetadata: metadata } = await client('eu-west-1').send(new CreateKeyCommand({}));
    expect((metadata?.CreationDate?.getTime() ?? 0) - Date.now()).to.be.within(172_700_000, 172_900_000);
    await ferry();
    expect(await run('clock', 'show')).to.have.nested.property('offsetMs.us-east-1', 172_800_000);
    const { stdout } = await keyferry('clock', 'show', '--dir', lab.dir);
    expect(stdout).to.match(/eu-west-1 +\d{4}-\d\d-\d\dT[\d:.]+Z +\+2d/u);
  });

  it('goes back to the machine’s time, and goes on replicating', async () => {
    const { offsetMs } = await run<{ offsetMs: Readonly<Record<string, number>> }>('clock', 'reset');
    expect(offsetMs).to.deep.equal({ 'us-east-1': 0, 'eu-west-1': 0 });
    await ferry();
  });

  it('goes on under a new RSK, and refuses a roster change that cannot be', async () => {
    const before = await run<RosterReport>('authority', 'show');
    const rotated = await run<RosterReport>('authority', 'rotate-rsk', 'us-east-1');
    const keys = rotated.regions.find(({ region }) => region === 'us-east-1')?.rsk ?? [];
    expect(keys.map(({ state }) => state)).to.deep.equal(['retiring', 'active']);
    expect(Number(rotated.epoch)).to.equal(Number(before.epoch) + 3);
    expect(rotated.deliveries?.map(({ epoch }) => epoch)).to.deep.equal([rotated.epoch, rotated.epoch]);

    const keyId = await ferry();
    const [retiring, active] = keys.map(({ kid }) => kid);
    const intent = (await trace('--key-id', keyId)).find(({ message }) => message?.label === 'M0');
    expect(intent?.message?.kid).to.equal(active);

    const refused = await keyferry('authority', 'remove-rsk', 'us-east-1', active ?? '', '--dir', lab.dir, '--json');
    expect(refused.status).to.equal(1);
    expect((JSON.parse(refused.stderr) as { error: { code: string } }).error.code).to.equal('ERR_REPL_ROSTER_CHANGE');

    const removed = await run<RosterReport>('authority', 'remove-rsk', '--', 'us-east-1', retiring ?? '');
    expect(removed.regions.find(({ region }) => region === 'us-east-1')?.rsk.map(({ kid }) => kid)).to.deep.equal([
      active,
    ]);
    await ferry();
  });

  it('ends when a region’s only RSK is revoked', async () => {
    const { regions } = await run<RosterReport>('authority', 'show');
    const kid = regions.find(({ region }) => region === 'eu-west-1')?.rsk[0]?.kid ?? '';
    const revoked = await run<RosterReport>('authority', 'revoke-rsk', '--', 'eu-west-1', kid.slice(0, 12));
    expect(revoked.regions.find(({ region }) => region === 'eu-west-1')?.rsk[0]?.state).to.equal('revoked');
    const { KeyMetadata: metadata } = await client('us-east-1').send(new CreateKeyCommand({ MultiRegion: true }));
    const refusal = await client('us-east-1')
      .send(new ReplicateKeyCommand({ KeyId: metadata?.KeyId, ReplicaRegion: 'eu-west-1' }))
      .then(
        async () => {
          await sleep(1_500);
          return client('eu-west-1')
            .send(new DescribeKeyCommand({ KeyId: metadata?.KeyId }))
            .then(({ KeyMetadata: replica }) => replica?.KeyState);
        },
        () => 'refused',
      )
      .catch(() => 'absent');
    expect(refusal).to.not.equal('Enabled');
  });
});

describe('keyferry demo', function () {
  this.timeout(120_000);
  /** Starts a demonstration whose lab is in a directory for temporary files of its own. */
  const startDemo = (...args: readonly string[]): { readonly demo: StartedCommand; readonly labs: () => string[] } => {
    const ownTmp = mkdtempSync(join(tmpdir(), 'kf-'));
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = ownTmp;
    const demo = startKeyferry(['demo', ...args]);
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    temporary.push(ownTmp);
    return { demo, labs: () => readdirSync(ownTmp).map((name) => join(ownTmp, name)) };
  };
  const temporary: string[] = [];

  after(() => {
    for (const path of temporary) rmSync(path, { recursive: true, force: true });
  });

  it('tells a whole replication from SoftHSM2 to NSS, with what ran in which token, and ends with status 0', async () => {
    const { status, stdout, stderr } = await keyferry('demo', '--tokens', 'softhsm2,nss', '--json');
    expect(status, stderr).to.equal(0);
    const { ok, steps } = JSON.parse(stdout) as DemoReport;
    expect(ok).to.equal(true);
    const parts = steps.map(({ title }) => title);
    for (const step of ['Step 1', 'Step 2', 'Step 3', 'Step 4', 'Step 5']) {
      expect(parts.filter((title) => title.startsWith(step))).to.have.length(1);
    }
    const mechanisms = (part: string): unknown[] =>
      (steps.find(({ title }) => title.startsWith(part))?.facts ?? []).flatMap(({ data }) => data?.['mechanism'] ?? []);
    expect(mechanisms('Step 2')).to.deep.equal([
      'CKM_EC_KEY_PAIR_GEN',
      'CKM_ECDH1_DERIVE (CKD_NULL), then CKM_AES_CBC_ENCRYPT_DATA',
      'CKM_AES_KEY_WRAP_PAD (0x210A)',
    ]);
    expect(mechanisms('Step 5')).to.deep.equal(['CKM_AES_KEY_WRAP_KWP (0x210B)']);
    const crossed = steps.find(({ title }) => title.startsWith('What crossed'))?.facts ?? [];
    expect(crossed.map(({ data }) => String(data?.['kid']).length)).to.deep.equal([64, 64, 64, 64, 64]);
  });

  it('leaves nothing behind when it is told to stop in the middle', async () => {
    const { demo, labs } = startDemo('--json');
    await sleep(2_500);
    demo.child.kill('SIGINT');
    const { status, stdout, stderr } = await demo.ended;
    expect(status, stderr).to.equal(130);
    expect(stdout).to.equal('');
    expect((JSON.parse(stderr) as { error: { code: string } }).error.code).to.equal('ERR_LAB_INTERRUPTED');
    expect(labs()).to.deep.equal([]);
  });

  it('ends with what failed where a region dies in the middle, and leaves nothing behind', async () => {
    const { demo, labs } = startDemo();
    await demo.firstLine;
    const state = new StateDirectory(labs()[0] ?? '').readState();
    process.kill(state?.programs['region eu-west-1']?.process?.pid ?? Number.NaN, 'SIGKILL');
    const { status, stderr } = await demo.ended;
    expect(status).to.equal(1);
    expect(stderr)
      .to.match(/ERR_LAB_STEP The demonstration failed: .*eu-west-1/u)
      .and.to.contain('--keep');
    expect(labs()).to.deep.equal([]);
  });

  it('refuses tokens that it could not make, before it starts anything', async () => {
    const { status, stdout, stderr } = await keyferry('demo', '--tokens', 'softhsm2,/nowhere/p11.so');
    expect(status).to.equal(2);
    expect(stdout).to.equal('');
    expect(stderr).to.match(/Two of softhsm2 and nss/u);
  });
});
