import { spawn } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  GenerateMacCommand,
  GetPublicKeyCommand,
  KMSClient,
  type KeySpec,
  type KeyUsageType,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { toHex, utf8 } from '../../src/bytes.js';
import {
  CKA_EC_PARAMS,
  CKA_PRIVATE,
  CKA_TOKEN,
  CKA_VERIFY,
  CKM_EC_KEY_PAIR_GEN,
  CKM_SHA256_HMAC,
} from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { CURVES } from '../../src/wire/curve.js';
import { customerKey, makeCustomerSecret } from '../support/customer_key.js';
import { plain } from '../support/executor_jobs.js';
import {
  keyferry,
  labDirectory,
  startKeyferry,
  type CommandResult,
  type StartedCommand,
} from '../support/keyferry_command.js';
import { openScratch } from '../support/region_token.js';
import { makeScratchToken, type ScratchToken } from '../support/token_directory.js';

const BIN = fileURLToPath(new URL('../../../bin/keyferry.js', import.meta.url));
const MESSAGE = utf8('authenticate me');
const anyPort = '127.0.0.1:0';

interface Customer {
  readonly token: ScratchToken;
  /** HMAC-SHA-256 of the message under the token's own secret. */
  readonly mac: Uint8Array;
  /** The point of the token's P-256 pair is what the imported key's public half must have. */
  /** How the command line names the token. */
  readonly options: readonly string[];
}

/** A customer's token with a secret and a pair that are sensitive, and may be wrapped. */
async function makeCustomer(kind: 'softhsm2' | 'nss'): Promise<Customer> {
  const token = await makeScratchToken(kind);
  const { executor, close } = await openScratch(token);
  const job = new Job('make a customer’s keys', 'test');
  const secret = makeCustomerSecret(job, 48, customerKey('mac'));
  const mac = job.sign(plain(CKM_SHA256_HMAC), secret, MESSAGE);
  const pair = job.generateKeyPair(
    plain(CKM_EC_KEY_PAIR_GEN),
    template([CKA_TOKEN, false], [CKA_PRIVATE, false], [CKA_VERIFY, true], [CKA_EC_PARAMS, CURVES['P-384'].oid]),
    customerKey('pair'),
  );
  job.keep(pair.privateKey);
  const result = await executor.run(job);
  await close();
  const parameters = token.libraryParameters;
  return {
    token,
    mac: result.bytes(mac),
    options: [
      ...['--from-token', token.modulePath, '--label', token.label, '--pin-file', token.userPinFile],
      ...(parameters === undefined ? [] : ['--library-parameters', parameters]),
    ],
  };
}

describe('keyferry import', function () {
  this.timeout(120_000);
  const lab = labDirectory({
    endpoint: anyPort,
    proxy: { listen: anyPort },
    regions: {
      'us-east-1': { listen: anyPort, token: { module: 'softhsm2' } },
      'eu-west-1': { listen: anyPort, token: { module: 'nss' } },
    },
    credentials: [{ accessKeyId: 'testing', secretAccessKey: 'testing', principal: 'arn:aws:iam::111122223333:root' }],
  });
  let up: StartedCommand;
  let endpoint: string;
  const clients: KMSClient[] = [];
  let softhsm2: Customer;
  let nss: Customer;

  before(async () => {
    up = startKeyferry(['up', '--file', lab.file, '--dir', lab.dir, '--json']);
    endpoint = (JSON.parse(await up.firstLine) as { endpoint: string }).endpoint;
    softhsm2 = await makeCustomer('softhsm2');
    nss = await makeCustomer('nss');
  });
  after(async () => {
    for (const client of clients) client.destroy();
    up.child.kill('SIGTERM');
    await up.ended;
    softhsm2.token.dispose();
    nss.token.dispose();
    lab.remove();
  });

  const client = (region: string): KMSClient => {
    const made = new KMSClient({
      region,
      endpoint,
      credentials: { accessKeyId: 'testing', secretAccessKey: 'testing' },
    });
    clients.push(made);
    return made;
  };
  const makeKey = async (region: string, keySpec: KeySpec, keyUsage: KeyUsageType): Promise<string> => {
    const made = await client(region).send(
      new CreateKeyCommand({ Origin: 'EXTERNAL', KeySpec: keySpec, KeyUsage: keyUsage }),
    );
    return made.KeyMetadata?.Arn ?? '';
  };
  const describeKey = async (region: string, keyId: string) =>
    (await client(region).send(new DescribeKeyCommand({ KeyId: keyId }))).KeyMetadata;
  const imports = (...args: readonly string[]): Promise<CommandResult> =>
    keyferry('import', ...args, ...(args[0] === 'wrap' ? [] : ['--dir', lab.dir]));
  const done = (result: CommandResult): Record<string, unknown> => {
    expect(result.status, result.stderr).to.equal(0);
    return JSON.parse(result.stdout) as Record<string, unknown>;
  };
  const file = (name: string, content: Uint8Array | string): string => {
    const path = join(lab.root, name);
    writeFileSync(path, content);
    return path;
  };

  it('imports a file in one go into the lab of its directory, says what it does and never shows the material', async () => {
    const material = randomBytes(32);
    const keyId = await makeKey('us-east-1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const said = await imports('run', '--key-id', keyId, '--material', file('key.bin', material), '--valid-for', '30d');
    expect(said.status, said.stderr).to.equal(0);
    for (const fact of [keyId, '32 octets', 'RSA_4096', endpoint, 'expires']) expect(said.stderr).to.contain(fact);
    for (const form of ['hex', 'base64', 'latin1'] as const) {
      expect(said.stdout + said.stderr).to.not.contain(material.toString(form));
    }
    const metadata = await describeKey('us-east-1', keyId);
    expect(metadata?.KeyState).to.equal('Enabled');
    expect((metadata?.ValidTo?.getTime() ?? 0) - Date.now()).to.be.within(29.9 * 86_400_000, 30.1 * 86_400_000);
  });

  it('imports from standard input, to an endpoint and with credentials that are named', async () => {
    const keyId = await makeKey('eu-west-1', 'HMAC_256', 'GENERATE_VERIFY_MAC');
    const material = randomBytes(40);
    const child = spawn(
      process.execPath,
      [
        BIN,
        'import',
        'run',
        '--key-id',
        keyId,
        '--material',
        '-',
        '--does-not-expire',
        '--endpoint',
        endpoint,
        '--json',
      ],
      {
        cwd: lab.root,
        env: { ...process.env, AWS_ACCESS_KEY_ID: 'testing', AWS_SECRET_ACCESS_KEY: 'testing' },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.end(material);
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect(status, stderr).to.equal(0);
    const made = await client('eu-west-1').send(
      new GenerateMacCommand({ KeyId: keyId, Message: MESSAGE, MacAlgorithm: 'HMAC_SHA_256' }),
    );
    expect(toHex(made.Mac ?? new Uint8Array())).to.equal(createHmac('sha256', material).update(MESSAGE).digest('hex'));
  });

  it('goes step by step across an air gap: the middle step needs no endpoint', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-521' });
    const keyId = await makeKey('eu-west-1', 'ECC_NIST_P521', 'SIGN_VERIFY');
    const directory = join(lab.root, 'online');
    const first = done(
      await imports('parameters', '--key-id', keyId, '--out', directory, '--wrapping-key-spec', 'RSA_2048', '--json'),
    );
    expect(first['wrappingAlgorithm']).to.equal('RSA_AES_KEY_WRAP_SHA_256');
    const vault = join(lab.root, 'vault');
    renameSync(directory, vault);
    const material = file('p521.der', privateKey.export({ type: 'pkcs8', format: 'der' }));
    const second = done(await imports('wrap', '--parameters', vault, '--material', material, '--json'));
    expect(second['publicKeySha256']).to.equal(first['publicKeySha256']);
    expect((await describeKey('eu-west-1', keyId))?.KeyState).to.equal('PendingImport');
    done(await imports('upload', '--parameters', vault, '--does-not-expire', '--json'));
    const found = await client('eu-west-1').send(new GetPublicKeyCommand({ KeyId: keyId }));
    expect(toHex(found.PublicKey ?? new Uint8Array())).to.equal(
      toHex(publicKey.export({ type: 'spki', format: 'der' })),
    );
  });

  for (const kind of ['softhsm2', 'nss'] as const) {
    for (const region of ['us-east-1', 'eu-west-1']) {
      it(`takes a sensitive secret and a private key straight from a ${kind} token into ${region}`, async () => {
        const customer = kind === 'nss' ? nss : softhsm2;
        const macKey = await makeKey(region, 'HMAC_384', 'GENERATE_VERIFY_MAC');
        const wanted = ['--does-not-expire', '--wrapping-key-spec', 'RSA_2048', '--json'];
        done(await imports('run', '--key-id', macKey, ...customer.options, '--object', 'mac', ...wanted));
        expect((await describeKey(region, macKey))?.KeyState).to.equal('Enabled');
        const pairKey = await makeKey(region, 'ECC_NIST_P384', 'SIGN_VERIFY');
        const pair = done(
          await imports('run', '--key-id', pairKey, ...customer.options, '--object', 'pair', ...wanted),
        );
        expect(pair['strategy']).to.contain('two steps');
        const found = await client(region).send(new GetPublicKeyCommand({ KeyId: pairKey }));
        const spki = createPublicKey({ key: Buffer.from(found.PublicKey ?? []), format: 'der', type: 'spki' });
        expect(spki.asymmetricKeyDetails?.namedCurve).to.equal('secp384r1');
      });
    }
  }

  it('has the token’s key and the imported one make the same MAC', async () => {
    // KMS makes HMAC-SHA-256 with HMAC_256 keys, whose material may be longer than 32 octets.
    for (const [customer, region] of [
      [softhsm2, 'eu-west-1'],
      [nss, 'us-east-1'],
    ] as const) {
      const keyId = await makeKey(region, 'HMAC_256', 'GENERATE_VERIFY_MAC');
      const run = ['run', '--key-id', keyId, ...customer.options, '--object', 'mac', '--does-not-expire', '--json'];
      done(await imports(...run));
      const made = await client(region).send(
        new GenerateMacCommand({ KeyId: keyId, Message: MESSAGE, MacAlgorithm: 'HMAC_SHA_256' }),
      );
      expect(toHex(made.Mac ?? new Uint8Array())).to.equal(toHex(customer.mac));
    }
  });

  it('refuses before anything is sent what cannot be right, and leaves the key as it was', async () => {
    const keyId = await makeKey('us-east-1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const own = await client('us-east-1').send(new CreateKeyCommand({}));
    const good = file('good.bin', randomBytes(32));
    const run = (id: string, material: string, ...more: readonly string[]): Promise<CommandResult> =>
      imports('run', '--key-id', id, '--material', material, '--json', ...more);
    const never = '--does-not-expire';
    const cases: readonly (readonly [Promise<CommandResult>, string])[] = [
      [run(keyId, file('long.bin', randomBytes(33)), never), 'ERR_CEREMONY_MATERIAL'],
      [run(keyId, good), 'ERR_CEREMONY_RULE'],
      [run(keyId, good, never, '--wrapping-algorithm', 'RSA_AES_KEY_WRAP_SHA_1'), 'ERR_CEREMONY_RULE'],
      [run(keyId, good, '--valid-to', '2001-01-01'), 'ERR_CEREMONY_RULE'],
      [run(keyId, good, never, '--description', 'no <tags>'), 'ERR_CEREMONY_RULE'],
      [run('alias/mine', good, never), 'ERR_CEREMONY_RULE'],
      [run(own.KeyMetadata?.KeyId ?? '', good, never), 'ERR_CEREMONY_RULE'],
      [run('11111111-2222-3333-4444-555555555555', good, never), 'ERR_CEREMONY_REFUSED'],
    ];
    for (const [running, code] of cases) {
      const { status, stderr, stdout } = await running;
      expect(status).to.equal(1);
      expect((JSON.parse(stderr) as { error: { code: string } }).error.code, stderr).to.equal(code);
      expect(stdout).to.equal('');
    }
    expect((await describeKey('us-east-1', keyId))?.KeyState).to.equal('PendingImport');
  });

  it('does not wrap under a public key that was exchanged for another kind, nor overwrite what an earlier step made', async () => {
    const keyId = await makeKey('eu-west-1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const directory = join(lab.root, 'twice');
    const first = ['parameters', '--key-id', keyId, '--out', directory] as const;
    expect((await imports(...first)).status).to.equal(0);
    const token = readFileSync(join(directory, 'ImportToken.bin'));
    const again = await imports(...first);
    expect(again.stderr).to.contain('holds parameters already');
    expect(readFileSync(join(directory, 'ImportToken.bin')).equals(token)).to.equal(true);
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    writeFileSync(join(directory, 'WrappingPublicKey.bin'), small.export({ type: 'spki', format: 'der' }));
    const wrap = await imports('wrap', '--parameters', directory, '--material', file('k.bin', randomBytes(32)));
    expect(wrap.stderr).to.contain('ERR_CEREMONY_PARAMETERS');
    expect(existsSync(join(directory, 'EncryptedKeyMaterial.bin'))).to.equal(false);
  });
});
