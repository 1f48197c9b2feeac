import { randomBytes } from 'node:crypto';
import type { KeySpec } from '../hsm/material.js';
import { LabError } from './errors.js';
import type { KmsClient } from './kms_client.js';
import type { ObservedMessage } from './observed_message.js';
import { assertNoEphemeralKeys, untilUsable } from './replicated_key.js';
import type { StateDirectory } from './state_directory.js';
import { TraceReader, type TraceEntry } from './trace_reader.js';

/** One step of an exchange as a token did it. */
export interface PerformedStep {
  readonly region: string;
  /** `agree`, `wrap`, `unwrap`, … */
  readonly step: string;
  readonly strategy: string | null;
  readonly mechanism: string | null;
}

/** One replication that was performed, and what proves it. */
export interface Interoperation {
  readonly from: string;
  readonly to: string;
  readonly keySpec: KeySpec;
  /** As the source's signed message names it. */
  readonly suite: string;
  readonly steps: readonly PerformedStep[];
  /** Messages that crossed the proxy, and their octets together. */
  readonly messages: number;
  readonly octets: number;
  /** From ReplicateKey to a replica that is enabled. */
  readonly replicationMs: number;
  /** What was done in one region and undone or verified in the other. */
  readonly proofs: readonly string[];
}

/** Time for one replication, milliseconds: HSMs behind a network take seconds for what software does at once. */
const REPLICATION_MS_MAX = 120_000;
const CONTEXT = { purpose: 'interoperation' };

interface Exchange {
  readonly directory: StateDirectory;
  readonly client: KmsClient;
  readonly source: string;
  readonly destination: string;
  readonly keySpec: KeySpec;
  readonly signal: AbortSignal;
}

/**
 * Replicates a new key from one region of a running lab to another, and proves that both have the same key.
 *
 * @throws {@link LabError} `ERR_LAB_STEP` for what did not do what it should; the reason of `signal`
 */
export async function interoperate(exchange: Exchange): Promise<Interoperation> {
  const { directory, client, source, destination, keySpec, signal } = exchange;
  const reader = new TraceReader(directory, [source, destination]);
  const { KeyMetadata: metadata } = (await client.call(source, 'CreateKey', {
    MultiRegion: true,
    KeySpec: keySpec,
    KeyUsage: usageOf(keySpec),
  })) as { readonly KeyMetadata: { readonly KeyId: string } };
  const keyId = metadata.KeyId;
  await reader.read();
  const startedMs = performance.now();
  await client.call(source, 'ReplicateKey', { KeyId: keyId, ReplicaRegion: destination });
  await untilUsable({ client, keyId, source, destination }, REPLICATION_MS_MAX, signal);
  const replicationMs = Math.round(performance.now() - startedMs);
  const entries = await reader.read();
  const messages = messagesOf(entries, keyId);
  const transfer = messages.find(({ message }) => message?.name === 'transfer')?.message;
  if (transfer?.name !== 'transfer') throw new LabError('ERR_LAB_STEP', 'The proxy saw no transfer of the key');
  const proofs = await prove(exchange, keyId);
  for (const region of [source, destination]) await assertNoEphemeralKeys(directory, region);
  return {
    ...{ from: source, to: destination, keySpec, suite: transfer.body.suite, steps: stepsOf(entries) },
    ...{
      messages: messages.length,
      octets: messages.reduce((sum, { octets }) => sum + octets, 0),
      replicationMs,
      proofs,
    },
  };
}

function usageOf(keySpec: KeySpec): string {
  if (keySpec.startsWith('HMAC_')) return 'GENERATE_VERIFY_MAC';
  return keySpec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY';
}

/** The messages about a key that the proxy accepted, each once. */
function messagesOf(entries: readonly TraceEntry[], keyId: string): readonly ObservedMessage[] {
  const found = entries.flatMap((entry) =>
    entry.where === 'proxy' && entry.event === 'accepted' && entry.message !== null ? [entry.message] : [],
  );
  const sids = new Set(found.filter(({ keyIds }) => keyIds.includes(keyId)).map(({ sid }) => sid));
  const own = found.filter(({ sid, keyIds }) => keyIds.includes(keyId) || sids.has(sid));
  return [...new Map(own.map((message) => [message.messageId, message])).values()];
}

/** What of the exchange each token did, each step once. */
function stepsOf(entries: readonly TraceEntry[]): readonly PerformedStep[] {
  const steps = new Map<string, PerformedStep>();
  for (const entry of entries) {
    if (entry.where !== 'region' || entry.event.kind !== 'token' || entry.event.outcome !== 'ok') continue;
    const { step, strategy, mechanism } = entry.event;
    if (step === 'random' || step === 'release') continue;
    const key = `${entry.region} ${step}`;
    if (!steps.has(key)) steps.set(key, { region: entry.region, step, strategy, mechanism });
  }
  return [...steps.values()];
}

/** Uses the key in one region and undoes it in the other, both ways: what has another key fails. */
async function prove(exchange: Exchange, keyId: string): Promise<readonly string[]> {
  const { source, destination } = exchange;
  const there = await proveOneWay(exchange, { keyId, here: source, there: destination });
  const back = await proveOneWay(exchange, { keyId, here: destination, there: source });
  return [there, back];
}

async function proveOneWay(
  { client, keySpec }: Exchange,
  { keyId, here, there }: { readonly keyId: string; readonly here: string; readonly there: string },
): Promise<string> {
  const octets = randomBytes(32).toString('base64');
  if (keySpec === 'SYMMETRIC_DEFAULT') {
    const context = { EncryptionContext: CONTEXT };
    const { CiphertextBlob: blob } = await client.call(here, 'Encrypt', {
      KeyId: keyId,
      Plaintext: octets,
      ...context,
    });
    const { Plaintext: found } = await client.call(there, 'Decrypt', { CiphertextBlob: blob, ...context });
    if (found !== octets)
      throw new LabError('ERR_LAB_STEP', `${there} decrypted something else than ${here} encrypted`);
    return `encrypted in ${here}, decrypted in ${there}`;
  }
  if (keySpec.startsWith('HMAC_')) {
    const shared = { KeyId: keyId, Message: octets, MacAlgorithm: `HMAC_SHA_${keySpec.slice('HMAC_'.length)}` };
    const { Mac } = await client.call(here, 'GenerateMac', shared);
    const { MacValid } = await client.call(there, 'VerifyMac', { ...shared, Mac });
    if (MacValid !== true) throw new LabError('ERR_LAB_STEP', `${there} does not verify the MAC of ${here}`);
    return `MAC made in ${here}, verified in ${there}`;
  }
  const { KeyMetadata: metadata } = await client.call(here, 'DescribeKey', { KeyId: keyId });
  const { SigningAlgorithms } = metadata as { readonly SigningAlgorithms?: readonly string[] };
  const shared = { KeyId: keyId, Message: octets, SigningAlgorithm: SigningAlgorithms?.at(-1) };
  const { Signature } = await client.call(here, 'Sign', shared);
  const { SignatureValid } = await client.call(there, 'Verify', { ...shared, Signature });
  if (SignatureValid !== true) throw new LabError('ERR_LAB_STEP', `${there} does not verify the signature of ${here}`);
  return `signed in ${here}, verified in ${there}`;
}
