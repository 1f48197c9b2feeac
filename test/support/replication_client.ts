import { expect } from 'chai';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  ReplicateKeyCommand,
  type KeyMetadata,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { setTimeout as sleep } from 'node:timers/promises';

/** Makes a multi-Region primary key and returns its id. */
export async function createPrimary(client: KMSClient): Promise<string> {
  const { KeyMetadata: made } = await client.send(new CreateKeyCommand({ MultiRegion: true }));
  return made?.KeyId ?? '';
}

/** Whether a request failed without an answer of the service: the endpoint was killed or is being started. */
export function isWithoutAnswer(error: unknown): boolean {
  const { $metadata, $response } = error as { $metadata?: { httpStatusCode?: number }; $response?: unknown };
  return $metadata?.httpStatusCode === undefined && $response === undefined;
}

/** Asks for a replica until the service has taken the request: an answer may be lost with the process that made it. */
export async function replicateUntilAccepted(client: KMSClient, KeyId: string, ReplicaRegion: string): Promise<void> {
  await untilTrue(`replication of ${KeyId} is accepted`, async () => {
    try {
      await client.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion }));
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === 'AlreadyExistsException') return true;
      if (isWithoutAnswer(error)) return false;
      throw error;
    }
  });
}

/** Asks until the key is there and enabled. */
export async function waitUntilEnabled(client: KMSClient, KeyId: string, msMax = 30_000): Promise<KeyMetadata> {
  let found: KeyMetadata | undefined;
  await untilTrue(
    `the replica of ${KeyId} is enabled`,
    async () => {
      const answer = await client.send(new DescribeKeyCommand({ KeyId })).catch((error: Error) => error);
      found = answer instanceof Error ? undefined : answer.KeyMetadata;
      return found?.KeyState === 'Enabled';
    },
    msMax,
  );
  if (found === undefined) throw new Error(`${KeyId} has gone`);
  return found;
}

/** Asks again and again until the answer is yes; fails with the sentence when the time is over. */
export async function untilTrue(sentence: string, ask: () => Promise<boolean>, msMax = 30_000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`waited ${msMax / 1000} s until ${sentence}`);
    await sleep(15);
  }
}

/** What one client encrypts, another one decrypts. */
export async function expectToCross(here: KMSClient, there: KMSClient, KeyId: string): Promise<void> {
  const EncryptionContext = { from: 'here', key: KeyId };
  const text = `for the other region, under ${KeyId}`;
  const { CiphertextBlob } = await here.send(
    new EncryptCommand({ KeyId, Plaintext: Buffer.from(text), EncryptionContext }),
  );
  const { Plaintext } = await there.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
  expect(Buffer.from(Plaintext ?? []).toString()).to.equal(text);
}

/** Two regions describe a key in the same words, but for what belongs to each region alone. */
export async function expectSameKey(primary: KMSClient, replica: KMSClient, KeyId: string): Promise<void> {
  const [here, there] = await Promise.all(
    [primary, replica].map(async (client) => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata),
  );
  const shared = (metadata: KeyMetadata | undefined): object => ({
    ...metadata,
    Arn: undefined,
    CreationDate: undefined,
    Description: undefined,
    MultiRegionConfiguration: { ...metadata?.MultiRegionConfiguration, MultiRegionKeyType: undefined },
  });
  expect(shared(there)).to.deep.equal(shared(here));
  expect(here?.MultiRegionConfiguration?.MultiRegionKeyType).to.equal('PRIMARY');
  expect(there?.MultiRegionConfiguration?.MultiRegionKeyType).to.equal('REPLICA');
}
