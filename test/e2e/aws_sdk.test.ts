import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  KMSClient,
  ListKeysCommand,
  paginateListKeys,
  ReEncryptCommand,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { serveAws, type AwsServer, type RequestOutcome } from '../../src/surfaces/aws/server.js';
import { makeSoftwareRegion, ROOT, type SoftwareRegion } from '../support/software_region.js';

describe('The AWS SDK against a region on a token double', () => {
  let directory: string;
  let fixture: SoftwareRegion;
  let server: AwsServer;
  let client: KMSClient;
  const outcomes: RequestOutcome[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyferry-aws-'));
    fixture = makeSoftwareRegion({ database: join(directory, 'region.db') });
    server = await serveAws(
      {
        region: fixture.region,
        credentials: [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret/+example', principal: ROOT }],
        signatureTimeMs: Date.now,
        observe: (outcome) => outcomes.push(outcome),
      },
      { host: '127.0.0.1', port: 0 },
    );
    client = clientFor('secret/+example');
  });

  after(async () => {
    client.destroy();
    await server.close();
    fixture.close();
    await rm(directory, { recursive: true });
  });

  function clientFor(secretAccessKey: string): KMSClient {
    return new KMSClient({
      region: 'us-east-1',
      endpoint: server.url,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey },
      maxAttempts: 1,
    });
  }

  async function newKey(input: { MultiRegion?: boolean } = {}): Promise<string> {
    const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
    return KeyMetadata?.Arn ?? '';
  }

  it('creates a key and describes it as the SDK expects', async () => {
    const created = await client.send(
      new CreateKeyCommand({ Description: 'grüße', Tags: [{ TagKey: 'team', TagValue: 'blue' }] }),
    );
    const described = await client.send(new DescribeKeyCommand({ KeyId: created.KeyMetadata?.KeyId }));
    expect(described.KeyMetadata).to.deep.equal(created.KeyMetadata);
    expect(described.KeyMetadata).to.include({
      AWSAccountId: '111122223333',
      Description: 'grüße',
      Enabled: true,
      KeyState: 'Enabled',
      KeySpec: 'SYMMETRIC_DEFAULT',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyManager: 'CUSTOMER',
      Origin: 'AWS_KMS',
      MultiRegion: false,
    });
    expect(described.KeyMetadata?.CreationDate?.getTime()).to.equal(fixture.clock.ms);
    expect(described.KeyMetadata?.CurrentKeyMaterialId).to.match(/^[0-9a-f]{64}$/);
  });

  it('decrypts what it encrypted, with and without the key being named', async () => {
    const KeyId = await newKey();
    const EncryptionContext = { purpose: 'test', ['__proto__']: 'a name like any other' };
    const Plaintext = Buffer.from('the quick brown fox');
    const encrypted = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }));
    expect(encrypted.KeyId).to.equal(KeyId);
    expect(encrypted.EncryptionAlgorithm).to.equal('SYMMETRIC_DEFAULT');
    for (const named of [{}, { KeyId }]) {
      const decrypted = await client.send(
        new DecryptCommand({ CiphertextBlob: encrypted.CiphertextBlob, EncryptionContext, ...named }),
      );
      expect(Buffer.from(decrypted.Plaintext ?? []).toString()).to.equal('the quick brown fox');
      expect(decrypted.KeyId).to.equal(KeyId);
      expect(decrypted.KeyMaterialId).to.match(/^[0-9a-f]{64}$/);
    }
  });

  it('refuses a blob under another encryption context, without a word', async () => {
    const KeyId = await newKey();
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), EncryptionContext: { a: '1' } }),
    );
    const error = await caught(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: '2' } })));
    expect(error.name).to.equal('InvalidCiphertextException');
  });

  it('re-encrypts under another key and another context', async () => {
    const [from, to] = [await newKey(), await newKey()];
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: from, Plaintext: Buffer.from('moved'), EncryptionContext: { at: 'from' } }),
    );
    const moved = await client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceEncryptionContext: { at: 'from' },
        DestinationKeyId: to,
        DestinationEncryptionContext: { at: 'to' },
      }),
    );
    expect(moved.SourceKeyId).to.equal(from);
    expect(moved.KeyId).to.equal(to);
    const decrypted = await client.send(
      new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { at: 'to' }, KeyId: to }),
    );
    expect(Buffer.from(decrypted.Plaintext ?? []).toString()).to.equal('moved');
  });

  it('generates data keys whose ciphertext holds their plaintext', async () => {
    const KeyId = await newKey();
    const made = await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    expect(made.Plaintext).to.have.length(32);
    const decrypted = await client.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }));
    expect(decrypted.Plaintext).to.deep.equal(made.Plaintext);
    const hidden = await client.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 77 }));
    expect(hidden).to.not.have.property('Plaintext');
    const revealed = await client.send(new DecryptCommand({ CiphertextBlob: hidden.CiphertextBlob }));
    expect(revealed.Plaintext).to.have.length(77);
  });

  it('answers random octets of the length that was asked for', async () => {
    const { Plaintext } = await client.send(new GenerateRandomCommand({ NumberOfBytes: 24 }));
    expect(Plaintext).to.have.length(24);
  });

  it('lists every key once, page by page', async () => {
    const made = [await newKey(), await newKey(), await newKey()];
    const listed: (string | undefined)[] = [];
    for await (const page of paginateListKeys({ client, pageSize: 2 }, {})) {
      expect(page.Keys?.length).to.be.at.most(2);
      listed.push(...(page.Keys ?? []).map((key) => key.KeyArn));
    }
    expect(listed).to.include.members(made);
    expect(new Set(listed).size).to.equal(listed.length);
    const error = await caught(client.send(new ListKeysCommand({ Marker: 'made-up' })));
    expect(error.name).to.equal('InvalidMarkerException');
  });

  it('answers ReplicateKey at once with a replica that is being created', async () => {
    const KeyId = await newKey({ MultiRegion: true });
    const replicated = await client.send(
      new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1', Tags: [{ TagKey: 'a', TagValue: '' }] }),
    );
    expect(replicated.ReplicaKeyMetadata).to.include({ KeyState: 'Creating', Enabled: false, MultiRegion: true });
    expect(replicated.ReplicaKeyMetadata?.Arn).to.equal(KeyId.replace('us-east-1', 'eu-west-1'));
    expect(replicated.ReplicaTags).to.deep.equal([{ TagKey: 'a', TagValue: '' }]);
    expect(JSON.parse(replicated.ReplicaPolicy ?? '')).to.have.property('Version', '2012-10-17');
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata?.MultiRegionConfiguration?.ReplicaKeys).to.deep.equal([
      { Arn: KeyId.replace('us-east-1', 'eu-west-1'), Region: 'eu-west-1' },
    ]);
  });

  it('refuses a wrong secret and a region that is not its own', async () => {
    const stranger = clientFor('another secret');
    const forged = await caught(stranger.send(new ListKeysCommand({})));
    expect(forged.name).to.equal('InvalidSignatureException');
    stranger.destroy();
    const elsewhere = new KMSClient({
      region: 'eu-west-1',
      endpoint: server.url,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret/+example' },
      maxAttempts: 1,
    });
    const misplaced = await caught(elsewhere.send(new ListKeysCommand({})));
    expect(misplaced.name).to.equal('InvalidSignatureException');
    elsewhere.destroy();
  });

  it('gives every answer a request id and withholds what went wrong inside, except from the log', async () => {
    const KeyId = await newKey();
    fixture.hsm.faults.push({ call: 'encrypt', error: new Error('a detail of the inside') });
    const error = await caught(client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') })));
    expect(error.name).to.equal('KMSInternalException');
    expect(error.message).to.not.contain('inside');
    const logged = outcomes.find((outcome) => outcome.requestId === error.$metadata?.requestId);
    expect(logged).to.include({ operation: 'Encrypt', principal: ROOT, exception: 'KMSInternalException' });
    expect(String(logged?.cause)).to.contain('a detail of the inside');
  });

  it('keeps every key that it acknowledged when it is opened again', async () => {
    const KeyId = await newKey();
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }));
    const again = makeSoftwareRegion({ database: join(directory, 'region.db') });
    try {
      const keyId = KeyId.slice(KeyId.indexOf('/') + 1);
      const found = again.region.store.keyIds({ after: '', limit: 1000 });
      expect(found).to.include(keyId);
      const record = again.region.store.key(found[found.indexOf(keyId as never)] as never);
      const material = record?.currentMaterial;
      if (material === undefined || material === null || CiphertextBlob === undefined) throw new Error('no material');
      const plaintext = await fixture.hsm.decrypt(material, {}, CiphertextBlob);
      expect(Buffer.from(plaintext).toString()).to.equal('kept');
    } finally {
      again.close();
    }
  });

  it('says what is wrong in the words of the service', async () => {
    const missing = await refusalLike(client.send(new DescribeKeyCommand({ KeyId: 'fake-key-id' })));
    expect(missing).to.deep.equal({ name: 'NotFoundException', message: "Invalid keyId 'fake-key-id'", status: 400 });
  });
});

interface ServiceError {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly requestId?: string; readonly httpStatusCode?: number };
}

async function caught(work: Promise<unknown>): Promise<ServiceError> {
  try {
    await work;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('nothing was refused');
}

async function refusalLike(work: Promise<unknown>) {
  const { name, message, $metadata } = await caught(work);
  return { name, message, status: $metadata?.httpStatusCode };
}
