import { replicationScript, shortId, type DemoFact } from './demo_script.js';
import { DemoStory, type StoryTeller } from './demo_story.js';
import { LabError } from './errors.js';
import { KmsClient } from './kms_client.js';
import type { ObservedMessage } from './observed_message.js';
import type { AccessKey } from './region_config.js';
import { assertNoEphemeralKeys, untilUsable } from './replicated_key.js';
import type { StateDirectory } from './state_directory.js';
import { followTrace } from './trace_follow.js';
import { TraceReader, type TraceEntry } from './trace_reader.js';

/** The lab that the demonstration uses, and who is told of everything as it happens. */
export interface Demonstration {
  readonly directory: StateDirectory;
  readonly endpoint: string;
  readonly key: AccessKey;
  readonly source: string;
  readonly destination: string;
  readonly teller: StoryTeller;
  /** Ends the demonstration early. */
  readonly signal: AbortSignal;
}

/** Time for one replication, milliseconds: a hundred times what two software tokens need. */
const REPLICATION_MS_MAX = 60_000;

/**
 * Creates a multi-Region key, replicates it, tells every step as its event arrives from the proxy or a region, and uses both replicas.
 *
 * @throws {@link LabError} `ERR_LAB_STEP` for the first step that did not do what it should; the reason of `signal`
 */
export async function demonstrate(demo: Demonstration): Promise<void> {
  const client = new KmsClient(demo.endpoint, demo.key);
  const reader = new TraceReader(demo.directory, [demo.source, demo.destination]);
  const keyId = await createKey(client, demo);
  await reader.read();
  const entries = await replicate(client, { ...demo, keyId, reader });
  const { source, destination, signal } = demo;
  await untilUsable({ client, keyId, source, destination }, REPLICATION_MS_MAX, signal);
  summarise(entries, demo);
  await tellNothingLeft(demo);
  await useBoth(client, { ...demo, keyId });
}

async function createKey(client: KmsClient, { source, teller }: Demonstration): Promise<string> {
  const { KeyMetadata: metadata } = (await client.call(source, 'CreateKey', {
    MultiRegion: true,
    Description: 'made by keyferry demo',
  })) as { KeyMetadata: { KeyId: string; Arn: string; CurrentKeyMaterialId?: string } };
  const { Arn: arn, CurrentKeyMaterialId: materialId = null } = metadata;
  teller.title(`A multi-Region key is made in ${source}`);
  teller.fact({ about: 'key', text: arn, data: { arn } });
  teller.fact({ about: 'material id', text: shortId(materialId), data: { materialId } });
  return metadata.KeyId;
}

/** Replicates the key and tells it; returns everything that was recorded of it. */
async function replicate(
  client: KmsClient,
  demo: Demonstration & { readonly keyId: string; readonly reader: TraceReader },
): Promise<readonly TraceEntry[]> {
  const { source, destination, keyId } = demo;
  const story = new DemoStory(replicationScript(source, destination), demo.teller);
  const told = new AbortController();
  const late = AbortSignal.timeout(REPLICATION_MS_MAX);
  const signal = AbortSignal.any([demo.signal, told.signal, late]);
  const following = followTrace(demo.reader, {
    regions: [source, destination],
    show: (entries) => story.take(entries),
    signal,
  });
  const replicating = client
    .call(source, 'ReplicateKey', { KeyId: keyId, ReplicaRegion: destination })
    .then(() => story.over);
  try {
    // Following ends by itself only where it fails or is told to stop.
    await Promise.race([replicating, following]);
  } finally {
    told.abort();
    await following.catch(() => undefined);
  }
  demo.signal.throwIfAborted();
  const { missing } = story;
  if (missing === undefined) return story.entries;
  throw new LabError(
    'ERR_LAB_STEP',
    `The replication did not come to its end in ${REPLICATION_MS_MAX / 1000} seconds: ${missing}`,
  );
}

/** What crossed the network, which strategies ran in which token, and what the proxy could see. */
function summarise(entries: readonly TraceEntry[], { source, destination, teller }: Demonstration): void {
  const crossed = messagesIn(entries);
  const octets = crossed.reduce((sum, message) => sum + message.octets, 0);
  teller.title(`What crossed the network: ${crossed.length} messages, ${octets} octets`);
  for (const message of crossed) {
    teller.fact({
      about: `${message.label} ${message.issuer ?? '?'} → ${message.destination ?? '?'}`,
      text: `${message.octets} octets, signed by RSK ${shortId(message.kid)}`,
      data: { octets: message.octets, kid: message.kid },
    });
  }
  const [offer, transfer] = ['M1', 'M2'].map((label) => crossed.find((message) => message.label === label)?.message);
  if (transfer?.name !== 'transfer' || offer?.name !== 'offer')
    throw new LabError('ERR_LAB_STEP', 'The messages cannot be read');

  teller.title(`How it was done: suite ${transfer.body.suite}, chosen from what both regions have signed`);
  for (const region of [source, destination]) for (const fact of mechanismsIn(entries, region)) teller.fact(fact);

  const [wrapped] = transfer.body.keys.flatMap((key) => key.wrapped);
  teller.title('What the proxy could see');
  teller.fact(octetsFact('RAKB, public', offer.body.point));
  teller.fact(octetsFact('RAKA, public', transfer.body.point));
  teller.fact(octetsFact('material under RWK', wrapped?.blob ?? new Uint8Array()));
  teller.fact({
    about: 'and besides',
    text: 'metadata and signatures; no private key, no RWK, no material',
  });
}

/** The messages that the proxy accepted, each once, in their order. */
function messagesIn(entries: readonly TraceEntry[]): readonly ObservedMessage[] {
  const found = entries.flatMap((entry) =>
    entry.where === 'proxy' && entry.event === 'accepted' && entry.message !== null ? [entry.message] : [],
  );
  return [...new Map(found.map((message) => [message.messageId, message])).values()];
}

/** What of the exchange a token did, each step once, by which mechanisms. */
function mechanismsIn(entries: readonly TraceEntry[], region: string): readonly DemoFact[] {
  const steps = {
    generateAgreementKey: 'agreement key',
    agree: 'RWK',
    wrap: 'wrapping',
    unwrap: 'unwrapping',
    confirm: 'confirmation',
    sign: 'signatures',
  } as const;
  return Object.entries(steps).flatMap(([step, text]): DemoFact[] => {
    const entry = entries.find(
      (each) =>
        each.where === 'region' && each.region === region && each.event.kind === 'token' && each.event.step === step,
    );
    if (entry?.where !== 'region' || entry.event.kind !== 'token') return [];
    const { strategy, mechanism } = entry.event;
    return [
      {
        about: `token of ${region}`,
        text: `${text} by ${mechanism ?? strategy ?? 'a mechanism of its own'}`,
        data: { step, strategy, mechanism },
      },
    ];
  });
}

function octetsFact(about: string, octets: Uint8Array): DemoFact {
  const hex = Buffer.from(octets).toString('hex');
  return {
    about,
    text: `${hex.length > 40 ? `${hex.slice(0, 40)}…` : hex} (${octets.length} octets)`,
    data: { hex, octets: octets.length },
  };
}

/** The agreement keys and RWK are gone from both tokens. */
async function tellNothingLeft({ directory, source, destination, teller }: Demonstration): Promise<void> {
  teller.title('What is left of the exchange');
  for (const region of [source, destination]) {
    await assertNoEphemeralKeys(directory, region);
    teller.fact({ about: `token of ${region}`, text: 'no agreement key, RWK or KCK left' });
  }
}

async function useBoth(
  client: KmsClient,
  demo: Pick<Demonstration, 'source' | 'destination' | 'teller'> & { readonly keyId: string },
): Promise<void> {
  const { source, destination, keyId, teller } = demo;
  const plaintext = `ferried at ${new Date().toISOString()}`;
  const context = { purpose: 'demo' };
  const encrypted = await client.call(source, 'Encrypt', {
    KeyId: keyId,
    Plaintext: Buffer.from(plaintext).toString('base64'),
    EncryptionContext: context,
  });
  const blob = String(encrypted['CiphertextBlob']);
  const decrypted = await client.call(destination, 'Decrypt', { CiphertextBlob: blob, EncryptionContext: context });
  if (Buffer.from(String(decrypted['Plaintext']), 'base64').toString('utf8') !== plaintext) {
    throw new LabError('ERR_LAB_STEP', `${destination} decrypted something else than ${source} encrypted`);
  }
  const wrong = await client.refusal(destination, 'Decrypt', {
    CiphertextBlob: blob,
    EncryptionContext: { purpose: 'theft' },
  });
  if (wrong.exception !== 'InvalidCiphertextException') {
    throw new LabError('ERR_LAB_STEP', `Another encryption context was refused with ${wrong.exception}`);
  }
  const arn = String(decrypted['KeyId']);
  teller.title(`Encrypted in ${source}, decrypted in ${destination}, over the AWS KMS API`);
  teller.fact({
    about: `Encrypt in ${source}`,
    text: `“${plaintext}” → ${Buffer.from(blob, 'base64').length} octets`,
  });
  teller.fact({ about: `Decrypt in ${destination}`, text: `“${plaintext}”, by ${arn}`, data: { arn } });
  teller.fact({ about: 'another context', text: `refused: ${wrong.exception}` });
}
