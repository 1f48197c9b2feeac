import { randomBytes } from 'node:crypto';
import { buildDecrypt } from '@aws-crypto/decrypt-node';
import { buildEncrypt } from '@aws-crypto/encrypt-node';
import {
  buildAwsKmsMrkAwareDiscoveryMultiKeyringNode,
  buildAwsKmsMrkAwareStrictMultiKeyringNode,
  KmsKeyringNode,
  type KmsKeyringNodeInput,
} from '@aws-crypto/kms-keyring-node';
import { expect } from 'chai';
import { waitUntilEnabled } from '../support/replication_client.js';
import { ACCOUNT, clientLab, DOORS, WAYS, type ClientLab, type Door } from './client_lab.js';

const { encrypt } = buildEncrypt();
const { decrypt } = buildDecrypt();
const CONTEXT = { purpose: 'a message', to: 'the other region' };
/** Some frames, and a rest. */
const MESSAGE = randomBytes(10_000);
const FRAMES = { encryptionContext: CONTEXT, frameLength: 1024 } as const;

/** How the AWS Encryption SDK is told of clients: by the region of the key that it wants to use. */
type ClientProvider = NonNullable<KmsKeyringNodeInput['clientProvider']>;
type Keyring = Parameters<typeof encrypt>[0];

describe('The AWS Encryption SDK for JavaScript against a lab of two regions', function () {
  this.timeout(120_000);
  let lab: ClientLab;
  before(async () => {
    lab = await clientLab();
  });

  /** Its types are older than those of the client, which has members that may be undefined. */
  const providerOf = (door: Door): ClientProvider =>
    ((region: string) => lab.sdk(region, door, { maxAttempts: 1 })) as ClientProvider;

  /** Makes a key, in both regions where it is a multi-Region key; its ARN. */
  async function makeKey(region: string, replicaRegion?: string): Promise<string> {
    const door = 'one URL for all regions';
    const kms = lab.sdk(region, door);
    const { KeyMetadata } = await kms.createKey({ MultiRegion: replicaRegion !== undefined });
    const KeyId = KeyMetadata?.KeyId ?? '';
    if (replicaRegion !== undefined) {
      await kms.replicateKey({ KeyId, ReplicaRegion: replicaRegion });
      await waitUntilEnabled(lab.sdk(replicaRegion, door), KeyId);
    }
    return KeyMetadata?.Arn ?? '';
  }

  async function seal(keyring: Keyring): Promise<Buffer> {
    const { result } = await encrypt(keyring, MESSAGE, FRAMES);
    return result;
  }

  async function expectOpened(keyring: Keyring, message: Buffer): Promise<void> {
    const { plaintext, messageHeader } = await decrypt(keyring, message);
    expect(plaintext.equals(MESSAGE)).to.equal(true);
    expect(messageHeader.encryptionContext).to.include(CONTEXT);
    expect(messageHeader.frameLength).to.equal(FRAMES.frameLength);
  }

  async function expectClosed(keyring: Keyring, message: Buffer): Promise<void> {
    const outcome = await decrypt(keyring, message).then(
      () => 'opened',
      (error: Error) => error.message,
    );
    expect(outcome).to.match(/unencryptedDataKey has not been set|Unable to decrypt/u);
  }

  for (const { door, home, other } of WAYS) {
    describe(`from ${home}, with ${door}`, () => {
      let clientProvider: ClientProvider;
      before(() => {
        clientProvider = providerOf(door);
      });

      it('seals a message in frames under a data key of each of several keys, and opens it with any of them', async () => {
        const keyIds = [await makeKey(home), await makeKey(other)];
        const [first = '', second = ''] = keyIds;
        const sealed = await seal(new KmsKeyringNode({ clientProvider, generatorKeyId: first, keyIds: [second] }));
        for (const keyId of keyIds) await expectOpened(new KmsKeyringNode({ clientProvider, keyIds: [keyId] }), sealed);
        const found = { discovery: true, discoveryFilter: { accountIDs: [ACCOUNT], partition: 'aws' } };
        await expectOpened(new KmsKeyringNode({ clientProvider, ...found }), sealed);
        const stranger = { ...found, discoveryFilter: { accountIDs: ['444455556666'], partition: 'aws' } };
        await expectClosed(new KmsKeyringNode({ clientProvider, ...stranger }), sealed);
        await expectClosed(new KmsKeyringNode({ clientProvider, keyIds: [await makeKey(home)] }), sealed);
      });

      it('opens no message whose encryption context or whose frames were changed', async () => {
        const keyring = new KmsKeyringNode({ clientProvider, generatorKeyId: await makeKey(home) });
        const sealed = await seal(keyring);
        const at = sealed.indexOf('the other region');
        expect(at).to.be.greaterThan(0);
        const lie = Buffer.from(sealed);
        lie.write('another regions!', at);
        await expectClosed(keyring, lie);
        const torn = Buffer.from(sealed);
        torn[sealed.length - 200] = (torn[sealed.length - 200] ?? 0) ^ 1;
        const outcome = await decrypt(keyring, torn).then(
          () => 'opened',
          () => 'refused',
        );
        expect(outcome).to.equal('refused');
        await expectOpened(keyring, sealed);
      });

      it('opens in the other region what was sealed here under a multi-Region key, and the other way round', async () => {
        const primary = await makeKey(home, other);
        const replica = primary.replace(home, other);
        const here = buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, generatorKeyId: primary });
        const there = buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, generatorKeyId: replica });
        await expectOpened(there, await seal(here));
        await expectOpened(here, await seal(there));
        // A keyring that is not aware of them asks only the region that the message names.
        await expectClosed(new KmsKeyringNode({ clientProvider, keyIds: [replica] }), await seal(here));
      });
    });
  }

  it('opens in the other region what was sealed in a region that has died since', async () => {
    const [home, other] = ['us-east-1', 'eu-west-1'] as const;
    const primary = await makeKey(home, other);
    const alone = await makeKey(home);
    const sealed = await Promise.all(
      DOORS.map(async (door) => {
        const clientProvider = providerOf(door);
        return {
          clientProvider,
          message: await seal(buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, generatorKeyId: primary })),
          homebound: await seal(new KmsKeyringNode({ clientProvider, generatorKeyId: alone })),
        };
      }),
    );
    await lab.killRegion(home);
    try {
      for (const { clientProvider, message, homebound } of sealed) {
        const replica = primary.replace(home, other);
        await expectOpened(
          buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, generatorKeyId: replica }),
          message,
        );
        const discoveryFilter = { accountIDs: [ACCOUNT], partition: 'aws' };
        const anywhere = { clientProvider, regions: [home, other], discoveryFilter };
        await expectOpened(buildAwsKmsMrkAwareDiscoveryMultiKeyringNode(anywhere), message);
        const homeOnly = { clientProvider, regions: [home], discoveryFilter };
        await expectClosed(buildAwsKmsMrkAwareDiscoveryMultiKeyringNode(homeOnly), message);
        await expectClosed(new KmsKeyringNode({ clientProvider, keyIds: [alone] }), homebound);
      }
    } finally {
      await lab.reviveRegion(home);
    }
    for (const { clientProvider, message, homebound } of sealed) {
      await expectOpened(new KmsKeyringNode({ clientProvider, keyIds: [primary] }), message);
      await expectOpened(new KmsKeyringNode({ clientProvider, keyIds: [alone] }), homebound);
    }
  });
});
