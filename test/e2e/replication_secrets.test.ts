import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { askAdmin } from '../../src/lab/admin_client.js';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { readRegionConfig } from '../../src/lab/region_config.js';
import { formatListenAddress } from '../../src/listen.js';
import { labOf, LabProgram, provisionTestLab, type ProvisionedLab } from '../support/lab_process.js';
import { createPrimary, expectToCross, waitUntilEnabled } from '../support/replication_client.js';
import { environmentsBelow, SecretScan, type Secret } from '../support/secret_scan.js';
import { softwareMaterialId } from '../support/software_source.js';

const PLANT = fileURLToPath(new URL('../support/plant_material.js', import.meta.url));
const TOKENS = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' } as const;
type Region = keyof typeof TOKENS;
const REGIONS = ['us-east-1', 'eu-west-1'] as const;

describe('What replications leave behind', function () {
  this.timeout(120_000);
  let lab: ProvisionedLab;
  const programs = new Map<string, LabProgram>();
  const clients = new Map<Region, KMSClient>();
  const secrets: Secret[] = [];
  /** Keys with known material, by the region that is their primary. */
  const keys = new Map<Region, { readonly keyId: string; readonly material: Uint8Array }>();

  before(async () => {
    lab = await provisionTestLab(labOf(TOKENS));
    const run = async (name: string, args: readonly string[]): Promise<void> => {
      const program = new LabProgram([process.execPath, KEYFERRY_BIN, ...args], { log: lab.directory.log(name) });
      programs.set(name, program);
      await program.start();
    };
    const { proxy } = lab.addresses;
    await Promise.all([
      run('proxy', ['proxy', '--listen', formatListenAddress(proxy), '--directory', lab.directory.proxy]),
      ...REGIONS.map((name) => run(name, ['region', '--config', lab.directory.regionConfig(name)])),
    ]);
    for (const name of REGIONS) {
      const { credentials, listen } = readRegionConfig(lab.directory.regionConfig(name));
      const [credential] = credentials;
      if (credential === undefined) throw new Error(`${name} has no credential`);
      const endpoint = `http://${formatListenAddress(listen)}`;
      clients.set(name, new KMSClient({ region: name, endpoint, credentials: credential, maxAttempts: 1 }));
    }
  });
  after(async () => {
    for (const client of clients.values()) client.destroy();
    await Promise.all([...programs.values()].map((program) => program.stop()));
    lab?.dispose();
  });

  function client(region: Region): KMSClient {
    const found = clients.get(region);
    if (found === undefined) throw new Error(`no client of ${region}`);
    return found;
  }

  const otherThan = (region: Region): Region => (region === 'us-east-1' ? 'eu-west-1' : 'us-east-1');

  it('begins with material whose octets are known, in a primary key of each region', async () => {
    for (const region of REGIONS) {
      const keyId = await createPrimary(client(region));
      const material = randomBytes(32);
      await programs.get(region)?.stop();
      await plant(lab.directory.regionConfig(region), keyId, material);
      await programs.get(region)?.start();
      keys.set(region, { keyId, material });
      secrets.push({ name: `material of the primary key in ${region}`, octets: material });
    }
  });

  it('replicates that very material, and uses it in both regions', async () => {
    for (const [region, { keyId, material }] of keys) {
      const other = otherThan(region);
      await client(region).send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: other }));
      await waitUntilEnabled(client(other), keyId);
      for (const each of [region, other]) {
        const { KeyMetadata } = await client(each).send(new DescribeKeyCommand({ KeyId: keyId }));
        expect(KeyMetadata?.CurrentKeyMaterialId).to.equal(softwareMaterialId(material, keyId));
      }
      await expectToCross(client(region), client(other), keyId);
      await expectToCross(client(other), client(region), keyId);

      const Plaintext = randomBytes(48);
      const data = await client(region).send(new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256' }));
      const { CiphertextBlob } = await client(region).send(new EncryptCommand({ KeyId: keyId, Plaintext }));
      await client(other).send(new DecryptCommand({ CiphertextBlob }));
      await client(other).send(new DecryptCommand({ CiphertextBlob: data.CiphertextBlob }));
      // A refusal writes other lines than a success.
      const EncryptionContext = { another: 'context' };
      await client(other)
        .send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
        .then(
          () => expect.fail('decrypted under another context'),
          () => undefined,
        );
      secrets.push({ name: `plaintext in ${region}`, octets: Plaintext });
      secrets.push({ name: `data key of ${region}`, octets: data.Plaintext ?? Buffer.alloc(0) });
    }
    expect(secrets.map(({ octets }) => octets.length)).to.deep.equal([32, 32, 48, 32, 48, 32]);
  });

  it('scans in a way that finds secrets in every form, wherever they begin', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-scan-'));
    try {
      const secret = { name: 'control', octets: randomBytes(32) };
      const scan = new SecretScan([secret]);
      const octets = Buffer.from(secret.octets);
      const forms: Record<string, Buffer> = {
        raw: octets,
        'second half': octets.subarray(16),
        reversed: Buffer.from(octets.toReversed()),
        hex: Buffer.from(octets.toString('hex')),
        HEX: Buffer.from(octets.toString('hex').toUpperCase()),
        inspected: Buffer.from(octets.toString('hex').replaceAll(/..(?=.)/gu, '$& ')),
        json: Buffer.from(JSON.stringify(octets)),
        ...Object.fromEntries(
          [0, 1, 2].flatMap((before) => {
            const shifted = Buffer.concat([randomBytes(before), octets, randomBytes(7)]);
            return [
              [`base64 behind ${before}`, Buffer.from(shifted.toString('base64'))],
              [`base64url behind ${before}`, Buffer.from(shifted.toString('base64url'))],
            ];
          }),
        ),
      };
      for (const [name, form] of Object.entries(forms)) {
        for (const before of [0, 1, 4_093]) {
          writeFileSync(join(directory, 'a file'), Buffer.concat([randomBytes(before), form, randomBytes(5)]));
          expect(scan.scanFiles(directory).found, `${name} behind ${before} octets`).to.not.deep.equal([]);
        }
      }
      writeFileSync(join(directory, 'a file'), randomBytes(8_192));
      expect(scan.scanFiles(directory)).to.deep.equal({ files: 1, found: [] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('has no secret in any file, neither of a region, its token, the proxy nor a log', async function () {
    const scan = new SecretScan(secrets);
    const whileRunning = scan.scanFiles(lab.directory.root);
    expect(whileRunning.found).to.deep.equal([]);
    for (const name of ['regions/us-east-1/region.db', 'regions/eu-west-1/audit.jsonl', 'proxy/proxy.db']) {
      expect(readFileSync(join(lab.directory.root, name)).length, name).to.be.above(0);
    }
    // What was committed lies in the write-ahead log until it is taken over; a process that is killed leaves it there.
    programs.get('us-east-1')?.kill();
    await programs.get('us-east-1')?.ended;
    await programs.get('us-east-1')?.start();
    const afterwards = scan.scanFiles(lab.directory.root);
    expect(afterwards.found).to.deep.equal([]);
    const note = `${whileRunning.files} files while all runs, ${afterwards.files} after a kill`;
    if (this.test !== undefined) (this.test as { note?: string }).note = note;
  });

  it('has no secret in the trace of a region or in what the proxy shows of its messages', async () => {
    const scan = new SecretScan(secrets);
    const events = await askAdmin(lab.directory.adminSocket('eu-west-1'), {
      method: 'GET',
      path: '/events?after=0&max=500',
    });
    const log = await askAdmin(lab.directory.adminSocket(), { method: 'GET', path: '/log?after=0&max=256' });
    expect(JSON.stringify(events)).to.contain(keys.get('us-east-1')?.keyId);
    const { entries } = log as { entries: readonly { octets: string | null }[] };
    const messages = entries.flatMap(({ octets }) => (octets === null ? [] : [Buffer.from(octets, 'base64')]));
    expect(messages.length).to.be.above(7);
    expect(scan.scan('trace', Buffer.from(JSON.stringify(events)))).to.deep.equal([]);
    expect(scan.scan('log of the proxy', Buffer.from(JSON.stringify(log)))).to.deep.equal([]);
    for (const message of messages) {
      expect(scan.scan('message', message)).to.deep.equal([]);
      // The parts of a message are base64url, and blobs in them once more.
      for (const part of message.toString('latin1').split('.')) {
        const decoded = Buffer.from(part, 'base64url');
        expect(scan.scan('message part', decoded)).to.deep.equal([]);
        for (const member of decoded.toString('latin1').match(/[\w-]{16,}/gu) ?? []) {
          expect(scan.scan('message member', Buffer.from(member, 'base64url'))).to.deep.equal([]);
        }
      }
    }
  });

  it('has no PIN in any file but its own', () => {
    const files = pinFiles();
    expect(files.map(({ file }) => file)).to.include.members([
      'regions/us-east-1/user.pin',
      'regions/us-east-1/so.pin',
      'regions/eu-west-1/user.pin',
      'authority/user.pin',
    ]);
    for (const { file, pin } of files) {
      const scan = new SecretScan([{ name: file, octets: pin }]);
      expect(scan.scanFiles(lab.directory.root).found, file).to.not.deep.equal([]);
      expect(scan.scanFiles(lab.directory.root, [file]).found).to.deep.equal([]);
    }
  });

  it('has no PIN or secret in the environment or command line of any of its processes', async () => {
    const scan = new SecretScan([...secrets, ...pinFiles().map(({ file, pin }) => ({ name: file, octets: pin }))]);
    const found = environmentsBelow(process.pid);
    expect([...found.keys()]).to.include.members([...programs.values()].map(({ pid }) => pid));
    for (const [pid, octets] of found) expect(scan.scan(`process ${pid}`, octets)).to.deep.equal([]);

    // The same look finds a marker that a process does carry.
    const marker = randomBytes(16).toString('hex');
    const control = new SecretScan([{ name: 'marker', octets: Buffer.from(marker) }]);
    for (const carried of [{ args: [marker] }, { args: [], environment: { CARRIED: marker } }]) {
      const child = spawn(process.execPath, ['-e', 'process.stdin.resume()', ...carried.args], {
        stdio: ['pipe', 'ignore', 'ignore'],
        env: { ...process.env, ...carried.environment },
      });
      await once(child, 'spawn');
      const octets = environmentsBelow(process.pid).get(child.pid ?? 0) ?? Buffer.alloc(0);
      child.stdin.end();
      await once(child, 'exit');
      expect(control.scan('child', octets)).to.not.deep.equal([]);
    }
  });

  /** PIN files of the lab, and what is in them. */
  function pinFiles(): readonly { readonly file: string; readonly pin: Buffer }[] {
    const { directory } = lab;
    return [
      ...REGIONS.flatMap((name) => ['user.pin', 'so.pin'].map((file) => join(directory.region(name), file))),
      ...['user.pin', 'so.pin'].map((file) => join(directory.authority, file)),
    ].flatMap((path) => {
      try {
        return [{ file: relative(directory.root, path), pin: Buffer.from(readFileSync(path, 'utf8').trimEnd()) }];
      } catch (error) {
        // NSS softoken's security officer has no PIN.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    });
  }
});

async function plant(configFile: string, keyId: string, material: Uint8Array): Promise<void> {
  const child = spawn(process.execPath, [PLANT, configFile, keyId], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  child.stdin.end(Buffer.from(material).toString('hex'));
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`the material could not be planted:\n${complaint}`);
}
