import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  ListKeysCommand,
  paginateListKeys,
  ReEncryptCommand,
  ReplicateKeyCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { join } from 'node:path';
import { expect } from 'chai';
import { Database } from '../../src/adapters/database.js';
import { SqliteKeyStore } from '../../src/adapters/key_store_sqlite.js';
import { isKeyId } from '../../src/kms/key_id.js';
import {
  makeFixtureHsm,
  makeRegionFixture,
  type FixtureHsm,
  type FixtureToken,
  type RegionFixture,
} from '../support/region_fixture.js';
import { ROOT } from '../support/software_region.js';
import { SoftwareKeyHsm } from '../support/software_key_hsm.js';

const TOKENS: readonly FixtureToken[] = ['double', 'softhsm2', 'nss'];

for (const kind of TOKENS) {
  describe(`The AWS SDK against a region on ${kind === 'double' ? 'a token double' : kind}`, function () {
    this.timeout(20_000);
    let token: FixtureHsm;
    let fixture: RegionFixture;
    let client: KMSClient;

    before(async () => {
      token = await makeFixtureHsm(kind);
      fixture = await makeRegionFixture({ hsm: token.hsm });
      client = fixture.client();
    });

    after(async () => {
      await fixture?.close();
      await token?.close();
    });

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
      expect(described.KeyMetadata?.CreationDate?.getTime()).to.be.closeTo(Date.now(), 10_000);
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
      const stranger = fixture.client({ secretAccessKey: 'another secret' });
      const forged = await caught(stranger.send(new ListKeysCommand({})));
      expect(forged.name).to.equal('InvalidSignatureException');
      const misplaced = await caught(fixture.client({ region: 'eu-west-1' }).send(new ListKeysCommand({})));
      expect(misplaced.name).to.equal('InvalidSignatureException');
    });

    const failing = kind === 'double' ? it : undefined;
    failing?.('gives every answer a request id and withholds what went wrong inside, except from the log', async () => {
      const KeyId = await newKey();
      if (!(token.hsm instanceof SoftwareKeyHsm)) throw new Error('only the double has faults');
      token.hsm.faults.push({ call: 'encrypt', error: new Error('a detail of the inside') });
      const error = await caught(client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') })));
      expect(error.name).to.equal('KMSInternalException');
      expect(error.message).to.not.contain('inside');
      const logged = fixture.outcomes.find((outcome) => outcome.requestId === error.$metadata?.requestId);
      expect(logged).to.include({ operation: 'Encrypt', principal: ROOT, exception: 'KMSInternalException' });
      expect(String(logged?.cause)).to.contain('a detail of the inside');
    });

    it('keeps every key that it acknowledged when it is opened again', async () => {
      const KeyId = await newKey();
      const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('kept') }));
      const database = Database.open(join(fixture.directory, 'region.db'));
      try {
        const keyId = KeyId.slice(KeyId.indexOf('/') + 1);
        const again = new SqliteKeyStore(database, fixture.region.home);
        const material = isKeyId(keyId) ? again.key(keyId)?.currentMaterial : undefined;
        if (material === undefined || material === null || CiphertextBlob === undefined) throw new Error('no material');
        const plaintext = await token.hsm.decrypt(material, {}, CiphertextBlob);
        expect(Buffer.from(plaintext).toString()).to.equal('kept');
      } finally {
        database.close();
      }
    });

    it('says what is wrong in the words of the service', async () => {
      const missing = await refusalLike(client.send(new DescribeKeyCommand({ KeyId: 'fake-key-id' })));
      expect(missing).to.deep.equal({ name: 'NotFoundException', message: "Invalid keyId 'fake-key-id'", status: 400 });
    });
  });
}

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
