import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { KeyId } from '../../../src/kms/key_id.js';
import { LastUsages } from '../../../src/kms/last_usage.js';
import type { LastUsage, LastUsageStore } from '../../../src/kms/last_usage_store.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import type { Call } from '../../../src/kms/region.js';
import { LIMITS } from '../../../src/limits.js';
import { ManualClock, makeSoftwareRegion, type SoftwareRegion } from '../../support/software_region.js';
import { callOverWire } from '../../support/wire_call.js';

const DAY_MS = 86_400_000;
const EVENT = '11111111-1111-4111-8111-111111111111';
const REQUEST = '22222222-2222-4222-8222-222222222222';

function used(call: Call, operation: string, ...keyArns: readonly string[]): void {
  call.region.lastUsages.record({
    operation,
    trailEventId: EVENT,
    requestId: REQUEST,
    notes: keyArns.map((keyArn) => ({ keyArn })),
  });
}

const newKey = async ({ call }: SoftwareRegion): Promise<{ readonly Arn: string; readonly KeyId: string }> =>
  (await createKey(call, {})).KeyMetadata;

describe('GetKeyLastUsage', () => {
  let software: SoftwareRegion;
  const usageOf = (KeyId: string): Promise<Record<string, unknown>> =>
    callOverWire(software.call, 'GetKeyLastUsage', { KeyId });

  beforeEach(() => {
    software = makeSoftwareRegion();
  });
  afterEach(() => software.close());

  it('tells of a key that was not used since it was made', async () => {
    software.clock.ms += DAY_MS;
    const { KeyId } = await newKey(software);
    expect(await usageOf(KeyId)).to.deep.equal({
      KeyId,
      KeyLastUsage: {},
      TrackingStartDate: new Date(software.clock.ms),
      KeyCreationDate: new Date(software.clock.ms),
    });
  });

  it('tells the last cryptography, before and after it was written', async () => {
    const { Arn, KeyId } = await newKey(software);
    used(software.call, 'Encrypt', Arn);
    software.clock.ms += 1000;
    used(software.call, 'Decrypt', Arn);
    const expected = {
      Operation: 'Decrypt',
      Timestamp: new Date(software.clock.ms),
      CloudTrailEventId: EVENT,
      KmsRequestId: REQUEST,
    };
    expect((await usageOf(KeyId))['KeyLastUsage']).to.deep.equal(expected);
    await software.region.lastUsages.write();
    software.clock.ms += DAY_MS;
    expect((await usageOf(KeyId))['KeyLastUsage']).to.deep.equal(expected);
  });

  it('tells nothing of what is no cryptography', async () => {
    const { Arn, KeyId } = await newKey(software);
    for (const operation of ['DescribeKey', 'GetPublicKey', 'DisableKey', 'GenerateRandom', 'UpdateAlias']) {
      used(software.call, operation, Arn);
    }
    expect((await usageOf(KeyId))['KeyLastUsage']).to.deep.equal({});
  });

  it('tells of both keys of ReEncrypt', async () => {
    const [source, destination] = [await newKey(software), await newKey(software)];
    used(software.call, 'ReEncrypt', source.Arn, destination.Arn);
    for (const { KeyId } of [source, destination]) {
      expect((await usageOf(KeyId))['KeyLastUsage']).to.include({ Operation: 'ReEncrypt' });
    }
  });

  it('forgets a key that is deleted, though it was used just before', async () => {
    const { Arn, KeyId } = await newKey(software);
    const other = await newKey(software);
    used(software.call, 'Encrypt', Arn, other.Arn);
    software.region.store.deleteKey(KeyId as KeyId);
    await software.region.lastUsages.write();
    expect(software.region.lastUsages.of(KeyId as KeyId)).to.equal(undefined);
    expect(software.region.lastUsages.of(other.KeyId as KeyId)).to.include({ operation: 'Encrypt' });
    expect(software.failures).to.deep.equal([]);
  });
});

describe('The last usages of keys', () => {
  it('outlive the process, with the day on which their tracking began', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keyferry-usage-'));
    const database = join(directory, 'region.db');
    const first = makeSoftwareRegion({ database });
    const { Arn, KeyId } = await newKey(first);
    used(first.call, 'Sign', Arn);
    await first.region.lastUsages.stop();
    const { startMs } = first.region.lastUsages;
    first.close();
    const second = makeSoftwareRegion({ database });
    second.clock.ms += DAY_MS;
    expect(second.region.lastUsages.startMs).to.equal(startMs);
    expect(second.region.lastUsages.of(KeyId as KeyId)).to.include({ operation: 'Sign', requestId: REQUEST });
    second.close();
    await rm(directory, { recursive: true });
  });

  it('are written a part at a time, and what is used meanwhile is not lost', async () => {
    const { store, batches, tracker } = recordingTracker();
    for (let count = 0; count < LIMITS.kmsLastUsageBatchMax + 1; count += 1) use(tracker, idOf(count), 'Encrypt');
    const writing = tracker.write();
    expect(batches).to.deep.equal([LIMITS.kmsLastUsageBatchMax]);
    use(tracker, idOf(0), 'Decrypt');
    await writing;
    expect(batches).to.deep.equal([LIMITS.kmsLastUsageBatchMax, 2]);
    expect(store.get(idOf(0))).to.include({ operation: 'Decrypt' });
  });

  it('are written at once where too many wait', async () => {
    const { batches, tracker } = recordingTracker();
    for (let count = 0; count < LIMITS.kmsLastUsagePendingMax; count += 1) use(tracker, idOf(count), 'Encrypt');
    expect(batches).to.have.length(1);
    await tracker.write();
    expect(batches.reduce((sum, count) => sum + count)).to.equal(LIMITS.kmsLastUsagePendingMax);
  });

  it('are kept where they cannot be written, and written with the next ones', async () => {
    const { store, failures, tracker, failNext } = recordingTracker();
    use(tracker, idOf(1), 'Encrypt');
    failNext();
    await tracker.write();
    expect(failures).to.have.length(1);
    expect(tracker.of(idOf(1))).to.include({ operation: 'Encrypt' });
    await tracker.stop();
    expect(store.get(idOf(1))).to.include({ operation: 'Encrypt' });
  });
});

function idOf(count: number): KeyId {
  return `00000000-0000-4000-8000-${String(count).padStart(12, '0')}` as KeyId;
}

function use(tracker: LastUsages, keyId: KeyId, operation: string): void {
  tracker.record({
    operation,
    trailEventId: EVENT,
    requestId: REQUEST,
    notes: [{ keyArn: `arn:aws:kms:us-east-1:111122223333:key/${keyId}` }],
  });
}

/** A tracker over a store in memory that counts what is written at once. */
function recordingTracker(): {
  readonly store: ReadonlyMap<KeyId, LastUsage>;
  readonly batches: number[];
  readonly failures: unknown[];
  readonly tracker: LastUsages;
  failNext(): void;
} {
  const rows = new Map<KeyId, LastUsage>();
  const batches: number[] = [];
  const failures: unknown[] = [];
  let fails = false;
  const store: LastUsageStore = {
    trackingStartMs: (nowMs) => nowMs,
    lastUsage: (keyId) => rows.get(keyId),
    putLastUsages: (usages) => {
      if (fails) {
        fails = false;
        throw new Error('the disk is full');
      }
      batches.push(usages.length);
      for (const [keyId, usage] of usages) rows.set(keyId, usage);
    },
  };
  const tracker = new LastUsages(
    { store, keys: { onDelete: () => undefined }, clock: new ManualClock() },
    { report: (failure) => failures.push(failure) },
  );
  return {
    store: rows,
    batches,
    failures,
    tracker,
    failNext: () => {
      fails = true;
    },
  };
}
