import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { readRegionConfig } from '../../src/lab/region_config.js';
import { formatListenAddress } from '../../src/listen.js';
import { kmsCli, kmsCliRefusal, type CliCaller } from '../support/aws_cli.js';
import { labOf, LabProgram, provisionTestLab, type ProvisionedLab } from '../support/lab_process.js';
import { SeparatedNetworks, whyNoNamespaces } from '../support/network_namespaces.js';
import { untilTrue } from '../support/replication_client.js';

const CONNECT = fileURLToPath(new URL('../support/connect_to.js', import.meta.url));
const TOKENS = { 'us-east-1': 'softhsm2', 'eu-west-1': 'nss' } as const;
type Region = keyof typeof TOKENS;
const REGIONS = ['us-east-1', 'eu-west-1'] as const;
const REGION_PORT = 4610;
const PROXY_PORT = 4600;

describe('Two regions and the proxy in three networks of their own', function () {
  this.timeout(120_000);
  let networks: SeparatedNetworks;
  let lab: ProvisionedLab;
  const programs: LabProgram[] = [];

  before(async function () {
    const reason = whyNoNamespaces();
    if (reason !== undefined) {
      const suite = this.test?.parent as { skipReason?: string } | undefined;
      if (suite !== undefined) suite.skipReason = reason;
      return this.skip();
    }
    networks = SeparatedNetworks.make(REGIONS);
    lab = await provisionTestLab(labOf(TOKENS), {
      endpoint: { host: networks.middleAddress, port: PROXY_PORT + 1 },
      proxy: { host: networks.middleAddress, port: PROXY_PORT },
      regions: Object.fromEntries(REGIONS.map((name) => [name, { host: networks.addressOf(name), port: REGION_PORT }])),
    });
    const run = (network: string, args: readonly string[]): LabProgram => {
      const program = new LabProgram([...networks.within(network), process.execPath, KEYFERRY_BIN, ...args], {
        log: lab.directory.log(network),
      });
      programs.push(program);
      return program;
    };
    const proxyAddress = formatListenAddress(lab.addresses.proxy);
    const starting = [
      run('middle', ['proxy', '--listen', proxyAddress, '--directory', lab.directory.proxy]),
      ...REGIONS.map((name) => run(name, ['region', '--config', lab.directory.regionConfig(name)])),
    ];
    await Promise.all(starting.map((program) => program.start()));
  });
  after(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    networks?.close();
    lab?.dispose();
  });

  /** The AWS CLI beside a region, in its network. */
  function caller(region: Region): CliCaller {
    const [credential] = readRegionConfig(lab.directory.regionConfig(region)).credentials;
    return {
      endpoint: `http://${networks.addressOf(region)}:${REGION_PORT}`,
      region,
      accessKeyId: credential?.accessKeyId ?? '',
      secretAccessKey: credential?.secretAccessKey ?? '',
      home: lab.directory.root,
      within: networks.within(region),
    };
  }

  /** Whether a process in one network reaches an address: `connected`, or why not. */
  function reach(from: string, host: string, port: number): string {
    const [file = '', ...args] = [...networks.within(from), process.execPath, CONNECT, host, String(port)];
    return execFileSync(file, args, { encoding: 'utf8' });
  }

  function createPrimary(): Promise<string> {
    return kmsCli(caller('us-east-1'), 'create-key', '--multi-region', '--query', 'KeyMetadata.KeyId');
  }

  function replicate(keyId: string): Promise<string> {
    const replica = ['--key-id', keyId, '--replica-region', 'eu-west-1'];
    return kmsCli(caller('us-east-1'), 'replicate-key', ...replica, '--query', 'ReplicaKeyMetadata.KeyState');
  }

  function replicaIsEnabled(keyId: string): Promise<void> {
    return untilTrue(`the replica of ${keyId} is enabled`, async () => {
      const describeKey = ['describe-key', '--key-id', keyId, '--query', 'KeyMetadata.KeyState'];
      return (await kmsCli(caller('eu-west-1'), ...describeKey).catch(() => '')) === 'Enabled';
    });
  }

  async function expectToCross(from: Region, to: Region, keyId: string): Promise<void> {
    const [plain, sealed] = ['plain', 'sealed'].map((name) => join(lab.directory.root, `${from}.${name}`));
    await writeFile(plain ?? '', 'between islands');
    const encrypt = ['encrypt', '--key-id', keyId, '--plaintext', `fileb://${plain}`, '--query', 'CiphertextBlob'];
    await writeFile(sealed ?? '', Buffer.from(await kmsCli(caller(from), ...encrypt), 'base64'));
    const decrypt = ['decrypt', '--ciphertext-blob', `fileb://${sealed}`, '--query', 'Plaintext'];
    const opened = await kmsCli(caller(to), ...decrypt);
    expect(Buffer.from(opened, 'base64').toString()).to.equal('between islands');
  }

  it('are such that the regions reach the proxy, and not each other', () => {
    for (const [from, to] of [REGIONS, REGIONS.toReversed()]) {
      if (from === undefined || to === undefined) throw new Error('there are two regions');
      expect(reach(from, networks.addressOf(to), REGION_PORT)).to.equal('ENETUNREACH');
      expect(reach(from, networks.middleAddress, PROXY_PORT)).to.equal('connected');
      expect(reach(from, networks.addressOf(from), REGION_PORT)).to.equal('connected');
    }
  });

  it('replicate a key, and each region decrypts what the other encrypts', async () => {
    const keyId = await createPrimary();
    expect(await replicate(keyId)).to.equal('Creating');
    await replicaIsEnabled(keyId);
    await expectToCross('us-east-1', 'eu-west-1', keyId);
    await expectToCross('eu-west-1', 'us-east-1', keyId);
  });

  for (const cut of REGIONS) {
    it(`go on with a replication when the cable of ${cut} is mended`, async () => {
      const keyId = await createPrimary();
      networks.setLink(cut, 'down');
      expect(reach(cut, networks.middleAddress, PROXY_PORT)).to.not.equal('connected');
      await replicate(keyId);
      await sleep(2_000);
      const away = await kmsCliRefusal(caller('eu-west-1'), 'describe-key', '--key-id', keyId);
      expect(away).to.contain('(NotFoundException)');
      networks.setLink(cut, 'up');
      await replicaIsEnabled(keyId);
      await expectToCross('us-east-1', 'eu-west-1', keyId);
    });
  }
});
