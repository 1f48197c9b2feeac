import {
  constants,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  verify,
  type KeyObject,
} from 'node:crypto';
import * as sdk from '@aws-sdk/client-kms';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { modelOperations } from '../support/sdk_model.js';
import { untilTrue, waitUntilEnabled } from '../support/replication_client.js';
import { clientLab, GUEST, uniqueAlias, WAYS, type ClientLab } from './client_lab.js';
import { expectListsToBeWhole } from './lists.js';
import { fillWithUnfinishedBodies } from './unfinished_bodies.js';

const EncryptionContext = { purpose: 'a test', ünïcode: '✓' };
const Plaintext = Buffer.from('what nobody else should read');
const Message = Buffer.from('what anybody may read');

for (const { door, home, other } of WAYS) {
  describe(`The AWS SDK for JavaScript in ${home}, with ${door}`, function () {
    this.timeout(120_000);
    let lab: ClientLab;
    let kms: KMS;
    let guest: KMS;
    let KeyId: string;
    /** What became of each operation. */
    const outcomes = new Map<string, string>();

    before(async () => {
      lab = await clientLab();
      kms = lab.sdk(home, door);
      guest = lab.sdk(home, door, { credentials: GUEST });
      for (const client of [kms, guest]) {
        client.middlewareStack.add(
          (next, { commandName }) =>
            async (input) => {
              const name = String(commandName).replace(/Command$/, '');
              try {
                const answer = await next(input);
                outcomes.set(name, 'ok');
                return answer;
              } catch (error) {
                if (outcomes.get(name) !== 'ok') outcomes.set(name, (error as Error).name);
                throw error;
              }
            },
          { step: 'initialize', name: 'outcomes' },
        );
      }
      KeyId = await makeKey();
    });

    async function makeKey(request: sdk.CreateKeyCommandInput = {}): Promise<string> {
      const { KeyMetadata } = await kms.createKey(request);
      return KeyMetadata?.Arn ?? '';
    }

    it('makes, describes, lists, disables, enables and deletes a key', async () => {
      const made = await kms.createKey({ Description: 'first' });
      const id = { KeyId: made.KeyMetadata?.KeyId ?? '' };
      await kms.updateKeyDescription({ ...id, Description: 'second' });
      expect((await kms.describeKey(id)).KeyMetadata).to.deep.equal({ ...made.KeyMetadata, Description: 'second' });
      const listed = await kms.listKeys({});
      expect(listed.Keys).to.deep.include({ KeyId: id.KeyId, KeyArn: made.KeyMetadata?.Arn });
      await kms.disableKey(id);
      expect(await refusal(kms.encrypt({ ...id, Plaintext }))).to.be.instanceOf(sdk.DisabledException);
      await kms.enableKey(id);
      const { CiphertextBlob } = await kms.encrypt({ ...id, Plaintext });
      await untilTrue('the usage is known', async () => {
        const { KeyLastUsage } = await kms.getKeyLastUsage(id);
        return KeyLastUsage?.Operation === 'Encrypt';
      });
      const deletion = await kms.scheduleKeyDeletion({ ...id, PendingWindowInDays: 7 });
      expect(deletion.DeletionDate?.getTime()).to.be.closeTo(Date.now() + 7 * 86_400_000, 60_000);
      expect(await refusal(kms.decrypt({ CiphertextBlob }))).to.be.instanceOf(sdk.KMSInvalidStateException);
      await kms.cancelKeyDeletion(id);
      expect((await kms.describeKey(id)).KeyMetadata?.KeyState).to.equal('Disabled');
    });

    it('encrypts, decrypts and re-encrypts, and makes data keys, pairs and random octets', async () => {
      const context = { KeyId, EncryptionContext };
      const { CiphertextBlob } = await kms.encrypt({ ...context, Plaintext });
      expect(text(await kms.decrypt({ CiphertextBlob, EncryptionContext }))).to.equal(String(Plaintext));
      expect(await refusal(kms.decrypt({ CiphertextBlob }))).to.be.instanceOf(sdk.InvalidCiphertextException);
      const moved = await kms.reEncrypt({
        CiphertextBlob,
        SourceEncryptionContext: EncryptionContext,
        DestinationKeyId: await makeKey(),
      });
      expect(text(await kms.decrypt({ CiphertextBlob: moved.CiphertextBlob }))).to.equal(String(Plaintext));
      const data = await kms.generateDataKey({ ...context, KeySpec: 'AES_256' });
      const opened = await kms.decrypt({ CiphertextBlob: data.CiphertextBlob, EncryptionContext });
      expect(opened.Plaintext).to.deep.equal(data.Plaintext).and.to.have.length(32);
      const hidden = await kms.generateDataKeyWithoutPlaintext({ ...context, NumberOfBytes: 24 });
      const shown = await kms.decrypt({ CiphertextBlob: hidden.CiphertextBlob, EncryptionContext });
      expect(shown.Plaintext).to.have.length(24);
      const pair = await kms.generateDataKeyPair({ ...context, KeyPairSpec: 'ECC_NIST_P256' });
      expect(publicOf(pair.PrivateKeyPlaintext)).to.equal(base64(pair.PublicKey));
      const sealed = await kms.generateDataKeyPairWithoutPlaintext({ ...context, KeyPairSpec: 'ECC_NIST_P384' });
      const half = await kms.decrypt({ CiphertextBlob: sealed.PrivateKeyCiphertextBlob, EncryptionContext });
      expect(publicOf(half.Plaintext)).to.equal(base64(sealed.PublicKey));
      expect((await kms.generateRandom({ NumberOfBytes: 17 })).Plaintext).to.have.length(17);
    });

    it('signs, verifies, agrees on secrets and makes MACs as other implementations do', async () => {
      const signer = await makeKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
      const how = { KeyId: signer, Message, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
      const { Signature = new Uint8Array() } = await kms.sign(how);
      expect(verify('sha256', Message, publicKey(await kms.getPublicKey({ KeyId: signer })), Signature)).to.equal(true);
      expect((await kms.verify({ ...how, Signature })).SignatureValid).to.equal(true);
      const other = { ...how, Message: Plaintext, Signature };
      expect(await refusal(kms.verify(other))).to.be.instanceOf(sdk.KMSInvalidSignatureException);

      const agreement = await makeKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
      const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const { SharedSecret } = await kms.deriveSharedSecret({
        KeyId: agreement,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: peer.publicKey.export({ type: 'spki', format: 'der' }),
      });
      const theirs = publicKey(await kms.getPublicKey({ KeyId: agreement }));
      const secret = diffieHellman({ privateKey: peer.privateKey, publicKey: theirs });
      expect(base64(SharedSecret)).to.equal(secret.toString('base64'));

      const mac = {
        KeyId: await makeKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
        Message,
        MacAlgorithm: 'HMAC_SHA_256',
      } as const;
      const { Mac = new Uint8Array() } = await kms.generateMac(mac);
      expect((await kms.verifyMac({ ...mac, Mac })).MacValid).to.equal(true);
      const wrong = kms.verifyMac({ ...mac, Mac: randomBytes(32) });
      expect(await refusal(wrong)).to.be.instanceOf(sdk.KMSInvalidMacException);
    });

    it('names keys by aliases, and tags them', async () => {
      const AliasName = uniqueAlias();
      const [first, second] = [await makeKey(), await makeKey()];
      await kms.createAlias({ AliasName, TargetKeyId: first });
      expect((await kms.encrypt({ KeyId: AliasName, Plaintext })).KeyId).to.equal(first);
      await kms.updateAlias({ AliasName, TargetKeyId: second });
      const { Aliases } = await kms.listAliases({ KeyId: second });
      expect(Aliases?.map((alias) => alias.AliasName)).to.deep.equal([AliasName]);
      await kms.deleteAlias({ AliasName });
      expect(await refusal(kms.describeKey({ KeyId: AliasName }))).to.be.instanceOf(sdk.NotFoundException);
      await kms.tagResource({ KeyId: first, Tags: [tag('a', '1'), tag('b', '2')] });
      await kms.untagResource({ KeyId: first, TagKeys: ['a'] });
      expect((await kms.listResourceTags({ KeyId: first })).Tags).to.deep.equal([tag('b', '2')]);
    });

    it('lets others use keys by policies and by grants, and no longer', async () => {
      const own = await makeKey();
      const asked = { KeyId: own, Plaintext };
      expect((await refusal(guest.encrypt(asked))).name).to.equal('AccessDeniedException');
      expect((await kms.listKeyPolicies({ KeyId: own })).PolicyNames).to.deep.equal(['default']);
      const { Policy = '' } = await kms.getKeyPolicy({ KeyId: own });
      const policy = JSON.parse(Policy) as { Statement: object[] };
      const statement = { Effect: 'Allow', Principal: { AWS: GUEST.principal }, Action: 'kms:Encrypt', Resource: '*' };
      policy.Statement.push(statement);
      await kms.putKeyPolicy({ KeyId: own, Policy: JSON.stringify(policy) });
      const { CiphertextBlob } = await guest.encrypt(asked);
      const opening = { KeyId: own, CiphertextBlob };
      expect((await refusal(guest.decrypt(opening))).name).to.equal('AccessDeniedException');

      const wanted = { KeyId: own, GranteePrincipal: GUEST.principal, Operations: ['Decrypt' as const] };
      const granted = await kms.createGrant({ ...wanted, RetiringPrincipal: GUEST.principal });
      expect(text(await guest.decrypt(opening))).to.equal(String(Plaintext));
      const { Grants } = await kms.listGrants({ KeyId: own });
      expect(Grants?.map(({ GrantId }) => GrantId)).to.deep.equal([granted.GrantId]);
      const retirable = await kms.listRetirableGrants({ RetiringPrincipal: GUEST.principal });
      expect(retirable.Grants?.map(({ GrantId }) => GrantId)).to.include(granted.GrantId);
      await guest.retireGrant({ GrantToken: granted.GrantToken });
      expect((await refusal(guest.decrypt(opening))).name).to.equal('AccessDeniedException');
      const { GrantId } = await kms.createGrant(wanted);
      await kms.revokeGrant({ KeyId: own, GrantId });
      expect((await refusal(guest.decrypt(opening))).name).to.equal('AccessDeniedException');
    });

    it('rotates keys, and decrypts what was encrypted before', async () => {
      const own = { KeyId: await makeKey() };
      const { CiphertextBlob } = await kms.encrypt({ ...own, Plaintext });
      await kms.enableKeyRotation({ ...own, RotationPeriodInDays: 180 });
      expect(await kms.getKeyRotationStatus(own)).to.include({ KeyRotationEnabled: true, RotationPeriodInDays: 180 });
      await kms.disableKeyRotation(own);
      await kms.rotateKeyOnDemand(own);
      const { Rotations } = await kms.listKeyRotations(own);
      expect(Rotations?.map(({ RotationType }) => RotationType)).to.deep.equal(['ON_DEMAND']);
      expect(text(await kms.decrypt({ CiphertextBlob }))).to.equal(String(Plaintext));
    });

    it('imports key material, deletes it, and imports it again', async () => {
      const own = { KeyId: await makeKey({ Origin: 'EXTERNAL' }) };
      const material = randomBytes(32);
      const bringIn = async (): Promise<void> => {
        const { PublicKey, ImportToken } = await kms.getParametersForImport({
          ...own,
          WrappingAlgorithm: 'RSAES_OAEP_SHA_1',
          WrappingKeySpec: 'RSA_2048',
        });
        const key = publicKey({ PublicKey });
        const EncryptedKeyMaterial = publicEncrypt(
          { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
          material,
        );
        const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE';
        await kms.importKeyMaterial({ ...own, ImportToken, EncryptedKeyMaterial, ExpirationModel });
      };
      await bringIn();
      const { CiphertextBlob } = await kms.encrypt({ ...own, Plaintext });
      await kms.deleteImportedKeyMaterial(own);
      expect(await refusal(kms.decrypt({ CiphertextBlob }))).to.be.instanceOf(sdk.KMSInvalidStateException);
      await bringIn();
      expect(text(await kms.decrypt({ CiphertextBlob }))).to.equal(String(Plaintext));
    });

    it('replicates a key and makes its replica the primary', async () => {
      const there = lab.sdk(other, door);
      const made = await kms.createKey({ MultiRegion: true });
      const own = { KeyId: made.KeyMetadata?.KeyId ?? '' };
      await kms.replicateKey({ ...own, ReplicaRegion: other });
      await waitUntilEnabled(there, own.KeyId);
      const { CiphertextBlob } = await kms.encrypt({ ...own, Plaintext });
      expect(text(await there.decrypt({ CiphertextBlob }))).to.equal(String(Plaintext));
      await untilTrue('the primary knows its replica', async () => {
        const { KeyMetadata } = await kms.describeKey(own);
        return KeyMetadata?.MultiRegionConfiguration?.ReplicaKeys?.length === 1;
      });
      await kms.updatePrimaryRegion({ ...own, PrimaryRegion: other });
      await untilTrue('the replica is the primary', async () => {
        const { KeyMetadata } = await there.describeKey(own);
        return (
          KeyMetadata?.KeyState === 'Enabled' && KeyMetadata.MultiRegionConfiguration?.MultiRegionKeyType === 'PRIMARY'
        );
      });
    });

    it('is told in the errors of the model what is not here', async () => {
      const CustomKeyStoreId = 'cks-1234567890abcdef0';
      const noStore = [
        kms.connectCustomKeyStore({ CustomKeyStoreId }),
        kms.disconnectCustomKeyStore({ CustomKeyStoreId }),
        kms.updateCustomKeyStore({ CustomKeyStoreId, NewCustomKeyStoreName: 'new' }),
        kms.deleteCustomKeyStore({ CustomKeyStoreId }),
      ];
      for (const asked of noStore) {
        expect(await refusal(asked)).to.be.instanceOf(sdk.CustomKeyStoreNotFoundException);
      }
      expect((await kms.describeCustomKeyStores({})).CustomKeyStores).to.deep.equal([]);
      const store = kms.createCustomKeyStore({
        CustomKeyStoreName: 'mine',
        CloudHsmClusterId: 'cluster-2a34b5cdefg',
        TrustAnchorCertificate: 'a certificate',
        KeyStorePassword: 'password',
      });
      expect(await refusal(store)).to.be.instanceOf(sdk.UnsupportedOperationException);
      const encapsulation = { KeyId, EncapsulationAlgorithm: 'ML_KEM' } as const;
      expect(await refusal(kms.encapsulate(encapsulation))).to.be.instanceOf(sdk.InvalidKeyUsageException);
      const blob = { SharedSecretCiphertextBlob: randomBytes(32) };
      expect(await refusal(kms.decapsulate({ ...encapsulation, ...blob }))).to.be.instanceOf(
        sdk.InvalidKeyUsageException,
      );
    });

    it('has asked for every operation of its model, and all but those that are not here did their work', () => {
      expect([...outcomes.keys()].toSorted()).to.deep.equal([...modelOperations().keys()].toSorted());
      const refused = [...outcomes].filter(([, outcome]) => outcome !== 'ok').map(([name]) => name);
      expect(refused.toSorted()).to.deep.equal([
        'ConnectCustomKeyStore',
        'CreateCustomKeyStore',
        'Decapsulate',
        'DeleteCustomKeyStore',
        'DisconnectCustomKeyStore',
        'Encapsulate',
        'UpdateCustomKeyStore',
      ]);
    });

    it('reads every list to its end, one item a page', () => expectListsToBeWhole(kms));

    it('repeats by itself what is throttled, until there is room again', async () => {
      const own = { KeyId: await makeKey() };
      const { Policy = '' } = await kms.getKeyPolicy(own);
      const release = await fillWithUnfinishedBodies(lab.url(home, 'a URL for each region'));
      const statuses: number[] = [];
      const patient = lab.sdk(home, door);
      patient.middlewareStack.add(
        (next) => async (input) => {
          const answer = await next(input);
          statuses.push((answer.response as { statusCode: number }).statusCode);
          release();
          return answer;
        },
        { step: 'deserialize', priority: 'low', name: 'statuses' },
      );
      // Only longer bodies are counted, and blanks belong to no policy.
      const { $metadata } = await patient
        .putKeyPolicy({ ...own, Policy: `${Policy}${' '.repeat(20_000)}` })
        .finally(release);
      expect(statuses).to.deep.equal([400, 200]);
      expect($metadata.attempts).to.equal(2);
    });
  });
}

async function refusal(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('nothing was refused'),
    (error: Error) => error,
  );
}

function text({ Plaintext: plaintext }: { readonly Plaintext?: Uint8Array | undefined }): string {
  return Buffer.from(plaintext ?? []).toString();
}

function base64(octets: Uint8Array | undefined): string {
  return Buffer.from(octets ?? []).toString('base64');
}

function publicKey({ PublicKey }: { readonly PublicKey?: Uint8Array | undefined }): KeyObject {
  return createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
}

/** SubjectPublicKeyInfo of a private key, base64. */
function publicOf(privateKey: Uint8Array | undefined): string {
  const key = createPrivateKey({ key: Buffer.from(privateKey ?? []), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
}

function tag(TagKey: string, TagValue: string): sdk.Tag {
  return { TagKey, TagValue };
}
