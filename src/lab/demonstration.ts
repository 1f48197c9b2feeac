import { setTimeout as sleep } from 'node:timers/promises';
import type { TraceEvent } from '../replication/trace.js';
import { askAdmin } from './admin_client.js';
import { LabError } from './errors.js';
import { KmsClient } from './kms_client.js';
import type { ObservedMessage } from './observed_message.js';
import type { AccessKey } from './region_config.js';
import type { StateDirectory } from './state_directory.js';
import { TraceReader, type TraceEntry } from './trace_reader.js';

/** What one part of the demonstration showed. */
export interface DemoStep {
  readonly title: string;
  /** Facts in the order in which they happened: what, and the measured value. */
  readonly facts: readonly (readonly [string, string])[];
}

/** The lab that the demonstration uses, and who is told of each step as it is done. */
export interface Demonstration {
  readonly directory: StateDirectory;
  readonly endpoint: string;
  readonly key: AccessKey;
  readonly source: string;
  readonly destination: string;
  readonly show: (step: DemoStep) => void;
}

/** Time for one replication, milliseconds: a hundred times what two software tokens need. */
const REPLICATION_MS_MAX = 60_000;
const POLL_MS = 25;

/**
 * Creates a multi-Region key, replicates it, shows the five steps from what the proxy and both regions recorded, and uses both replicas.
 *
 * @returns every step, each of which held
 * @throws {@link LabError} `ERR_LAB_STEP` for the first that did not
 */
export async function demonstrate(demo: Demonstration): Promise<readonly DemoStep[]> {
  const steps: DemoStep[] = [];
  const show = (step: DemoStep): void => {
    steps.push(step);
    demo.show(step);
  };
  const client = new KmsClient(demo.endpoint, demo.key);
  const reader = new TraceReader(demo.directory, [demo.source, demo.destination]);
  await reader.read();

  const keyId = await createKey(client, demo, show);
  await replicate(client, demo, keyId);
  const record = new ReplicationRecord(await untilClosed(reader, keyId));
  for (const step of fiveSteps(record, demo)) show(step);
  show(whatTheProxySaw(record));
  await assertNothingLeft(demo, show);
  await useBoth(client, { ...demo, keyId, show });
  return steps;
}

async function createKey(client: KmsClient, demo: Demonstration, show: (step: DemoStep) => void): Promise<string> {
  const { KeyMetadata: metadata } = (await client.call(demo.source, 'CreateKey', {
    MultiRegion: true,
    Description: 'made by keyferry demo',
  })) as { KeyMetadata: { KeyId: string; Arn: string; CurrentKeyMaterialId?: string } };
  show({
    title: `A multi-Region key is made in ${demo.source}`,
    facts: [
      ['key', metadata.Arn],
      ['material id', metadata.CurrentKeyMaterialId ?? '-'],
    ],
  });
  return metadata.KeyId;
}

async function replicate(client: KmsClient, demo: Demonstration, keyId: string): Promise<void> {
  await client.call(demo.source, 'ReplicateKey', { KeyId: keyId, ReplicaRegion: demo.destination });
  const deadlineMs = performance.now() + REPLICATION_MS_MAX;
  for (;;) {
    const { KeyMetadata: metadata } = (await client.call(demo.source, 'DescribeKey', { KeyId: keyId })) as {
      KeyMetadata: { MultiRegionConfiguration?: { ReplicaKeys?: { Region: string }[] } };
    };
    const isListed =
      metadata.MultiRegionConfiguration?.ReplicaKeys?.some(({ Region }) => Region === demo.destination) === true;
    if (isListed && (await stateOf(client, demo.destination, keyId)) === 'Enabled') return;
    if (performance.now() > deadlineMs) {
      throw new LabError(
        'ERR_LAB_STEP',
        `The replica in ${demo.destination} was not Enabled after ${REPLICATION_MS_MAX / 1000} seconds`,
        {
          remedy: `keyferry trace --dir ${demo.directory.root} --key-id ${keyId} shows how far it came`,
        },
      );
    }
    await sleep(POLL_MS);
  }
}

async function stateOf(client: KmsClient, region: string, keyId: string): Promise<string> {
  // The replica is not there before the destination has read the first message.
  const keys = (await client.call(region, 'ListKeys', { Limit: 1000 })) as { Keys: { KeyId: string }[] };
  if (!keys.Keys.some((key) => key.KeyId === keyId)) return 'absent';
  const { KeyMetadata: metadata } = (await client.call(region, 'DescribeKey', { KeyId: keyId })) as {
    KeyMetadata: { KeyState: string };
  };
  return metadata.KeyState;
}

/** Everything recorded of the replication, up to its last message. */
async function untilClosed(reader: TraceReader, keyId: string): Promise<readonly TraceEntry[]> {
  const entries: TraceEntry[] = [];
  const deadlineMs = performance.now() + REPLICATION_MS_MAX;
  let sid: string | null = null;
  for (;;) {
    entries.push(...(await reader.read()));
    for (const { message } of entries.filter((entry) => entry.where === 'proxy')) {
      if (message?.label === 'M2' && message.keyIds.includes(keyId)) sid = message.sid;
    }
    const isOver = entries.some(
      (entry) =>
        entry.where === 'region' &&
        entry.event.kind === 'received' &&
        entry.event.label === 'M4' &&
        entry.event.sid === sid,
    );
    if (sid !== null && isOver) return entries;
    if (performance.now() > deadlineMs) throw new LabError('ERR_LAB_STEP', 'The replication did not come to its end');
    await sleep(POLL_MS);
  }
}

/** The one replication of the demonstration, as it was recorded by the proxy and by both regions. */
class ReplicationRecord {
  readonly #entries: readonly TraceEntry[];

  constructor(entries: readonly TraceEntry[]) {
    this.#entries = entries;
  }

  /** A message as it crossed the proxy; it verified. */
  message(label: string): ObservedMessage {
    const found = this.#entries.flatMap((entry) =>
      entry.where === 'proxy' && entry.event === 'accepted' && entry.message?.label === label ? [entry.message] : [],
    );
    const message = found.at(-1);
    if (message === undefined) throw new LabError('ERR_LAB_STEP', `No ${label} crossed the proxy`);
    if (message.verification !== 'ok')
      throw new LabError('ERR_LAB_STEP', `${label} does not verify: ${message.verification}`);
    return message;
  }

  /** The last run of a token step in a region; it succeeded. */
  token(region: string, step: string): Extract<TraceEvent, { kind: 'token' }> {
    const event = this.#entries
      .flatMap((entry) =>
        entry.where === 'region' && entry.region === region && entry.event.kind === 'token' && entry.event.step === step
          ? [entry.event]
          : [],
      )
      .at(-1);
    if (event === undefined) throw new LabError('ERR_LAB_STEP', `The token of ${region} did not do ${step}`);
    if (event.outcome !== 'ok')
      throw new LabError('ERR_LAB_STEP', `The token of ${region} failed to ${step}: ${event.outcome}`);
    return event;
  }

  /** That a region received a message and found nothing wrong with it. */
  assertReceived(region: string, label: string): void {
    const events = this.#entries.flatMap((entry) =>
      entry.where === 'region' &&
      entry.region === region &&
      entry.event.kind === 'received' &&
      entry.event.label === label
        ? [entry.event]
        : [],
    );
    const verdict = events.at(-1)?.verification;
    if (verdict !== 'ok')
      throw new LabError('ERR_LAB_STEP', `${region} did not accept ${label}: ${verdict ?? 'it never came'}`);
  }

  /** Whether a session of a region came to this state. */
  assertState(region: string, state: string): void {
    const has = this.#entries.some(
      (entry) =>
        entry.where === 'region' &&
        entry.region === region &&
        entry.event.kind === 'session' &&
        entry.event.state === state,
    );
    if (!has) throw new LabError('ERR_LAB_STEP', `The session in ${region} did not come to ${state}`);
  }
}

type Fact = readonly [string, string];

function fiveSteps(record: ReplicationRecord, { source, destination }: Demonstration): readonly DemoStep[] {
  const [intent, offer, transfer, confirm] = ['M0', 'M1', 'M2', 'M3'].map((label) => record.message(label)) as [
    ObservedMessage,
    ObservedMessage,
    ObservedMessage,
    ObservedMessage,
  ];
  for (const [region, label] of [
    [destination, 'M0'],
    [source, 'M1'],
    [destination, 'M2'],
    [source, 'M3'],
  ] as const)
    record.assertReceived(region, label);
  record.assertState(destination, 'INSTALLED');
  record.assertState(source, 'DONE');
  const suite = transfer.message?.name === 'transfer' ? transfer.message.body.suite : '-';
  const wrapped = transfer.message?.name === 'transfer' ? transfer.message.body.keys.flatMap((key) => key.wrapped) : [];
  return [
    { title: `Before: ${source} says what it is going to send`, facts: [sent(intent)] },
    {
      title: `Step 1: ${destination} makes RAKB in its token and sends its public half`,
      facts: [
        ran(record, destination, 'generateAgreementKey', 'ephemeral P-384 pair'),
        ran(record, destination, 'sign', 'signed by its RSK'),
        sent(offer),
      ],
    },
    {
      title: `Step 2: ${source} makes RAKA, derives RWK from RAKA and RAKB, and wraps the material`,
      facts: [
        ran(record, source, 'generateAgreementKey', 'ephemeral P-384 pair'),
        ran(record, source, 'agree', `RWK by suite ${suite}`),
        ran(record, source, 'wrap', `wrapped: ${wrapped.map(({ blob }) => `${blob.length} octets`).join(', ')}`),
      ],
    },
    {
      title: `Step 3: ${source} sends RAKA’s public half and the wrapped material`,
      facts: [ran(record, source, 'sign', 'signed by its RSK'), sent(transfer)],
    },
    {
      title: `Step 4: ${destination} derives the same RWK from RAKB and RAKA`,
      facts: [ran(record, destination, 'agree', `RWK by suite ${suite}`)],
    },
    {
      title: `Step 5: ${destination} unwraps the material inside its token`,
      facts: [ran(record, destination, 'unwrap', 'attributes and key material id checked in the token')],
    },
    { title: `After: ${destination} confirms what it installed`, facts: [sent(confirm)] },
  ];
}

function sent(message: ObservedMessage): Fact {
  const who = `${message.issuer ?? '?'} → ${message.destination ?? '?'}`;
  return [`${message.label} ${who}`, `${message.octets} octets, RSK ${message.kid ?? '-'}, signature verified`];
}

function ran(record: ReplicationRecord, region: string, step: string, what: string): Fact {
  const { strategy, mechanism, microseconds } = record.token(region, step);
  const how = [strategy, mechanism].filter((part) => part !== null).join(': ');
  return [`token of ${region}`, `${what}${how === '' ? '' : ` (${how})`}, ${(microseconds / 1000).toFixed(1)} ms`];
}

function whatTheProxySaw(record: ReplicationRecord): DemoStep {
  const transfer = record.message('M2').message;
  const offer = record.message('M1').message;
  if (transfer?.name !== 'transfer' || offer?.name !== 'offer')
    throw new LabError('ERR_LAB_STEP', 'The messages cannot be read');
  const [wrapped] = transfer.body.keys.flatMap((key) => key.wrapped);
  return {
    title: 'What the proxy could see',
    facts: [
      ['RAKB, public', hex(offer.body.point)],
      ['RAKA, public', hex(transfer.body.point)],
      ['material under RWK', hex(wrapped?.blob ?? new Uint8Array())],
      [
        'and nothing else',
        'public points, wrapped octets, metadata and signatures; no private key, no RWK, no material',
      ],
    ],
  };
}

function hex(octets: Uint8Array): string {
  return `${Buffer.from(octets.subarray(0, 20)).toString('hex')}${octets.length > 20 ? '…' : ''} (${octets.length} octets)`;
}

/** The agreement keys and RWK are gone from both tokens. */
async function assertNothingLeft(demo: Demonstration, show: (step: DemoStep) => void): Promise<void> {
  const facts: Fact[] = [];
  for (const region of [demo.source, demo.destination]) {
    const status = (await askAdmin(demo.directory.adminSocket(region), { method: 'GET', path: '/status' })) as {
      hsm: { ephemeralKeys: number };
    };
    const left = status.hsm.ephemeralKeys;
    if (left !== 0) throw new LabError('ERR_LAB_STEP', `${left} ephemeral keys are left in the token of ${region}`);
    facts.push([`token of ${region}`, 'no agreement key, RWK or KCK left']);
  }
  show({ title: 'What is left of the exchange', facts });
}

async function useBoth(
  client: KmsClient,
  demo: {
    readonly source: string;
    readonly destination: string;
    readonly keyId: string;
    readonly show: (step: DemoStep) => void;
  },
): Promise<void> {
  const { source, destination, keyId, show } = demo;
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
  show({
    title: `Encrypted in ${source}, decrypted in ${destination}, over the AWS KMS API`,
    facts: [
      [`Encrypt in ${source}`, `“${plaintext}” → ${Buffer.from(blob, 'base64').length} octets`],
      [`Decrypt in ${destination}`, `“${plaintext}”, by ${String(decrypted['KeyId'])}`],
      ['another encryption context', `refused: ${wrong.exception}`],
    ],
  });
}
