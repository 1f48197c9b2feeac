import { createHash, randomUUID } from 'node:crypto';
import { encodeContext } from '../replication/context_codec.js';
import type { KeyMetadataContext } from '../replication/key_context.js';
import { fitsTransfer } from '../replication/transfer_size.js';
import type { AnnouncedReplica, ExportableKey, ReplicatedKeys } from '../replication/ports.js';
import { KEY_SPECS, KEY_USAGES, type KeySpec, type KeyUsage, type StoredMaterial } from '../hsm/material.js';
import { isKeyId, keyArn, type KeyId } from './key_id.js';
import { describeRecord, type KeyOrigin, type KeyRecord, type MaterialRecord } from './key_record.js';
import type { InstalledKey, ReplicaRecord } from './key_store.js';
import type { KeyState } from './key_state.js';
import { stateWith } from './material_change.js';
import { isPermanent, pendingVersion, type MaterialVersion } from './material_version.js';
import { importedIdentity, synchronizedVersions } from './replicated_import.js';
import { installRotations, noteDelivered, rotationContext, sharedVersions } from './replicated_rotation.js';
import { defaultPolicy } from './policy.js';
import type { KmsRegion } from './region.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What replication changes in a region. */
export type ReplicatedRegion = Pick<
  KmsRegion,
  'home' | 'store' | 'materials' | 'rotations' | 'synchronizations' | 'primaryChanges' | 'clock'
>;

/** Members of a replica's own that are not sent. */
const NOTHING_OWN: KeyMetadataContext['replica'] = { description: '', policy: '', tags: [] };

type Installation = Parameters<ReplicatedKeys['install']>[0];

/**
 * A region's keys as the replication floor sees them, over its key store. Its calls join the transaction that is open.
 *
 * Members of a replica that are its own (description, policy, tags) are taken from the transfer once, when the replica gets its
 * first material; later transfers change the shared members only.
 *
 * @source AWS KMS Developer Guide, "Multi-Region keys": shared and independent properties
 */
export class StoredReplicatedKeys implements ReplicatedKeys {
  readonly #region: ReplicatedRegion;

  constructor(region: ReplicatedRegion) {
    this.#region = region;
  }

  exportable(keyId: string, destination: string): ExportableKey | undefined {
    const record = this.#record(keyId);
    if (record === undefined || record.multiRegion === null) return undefined;
    // A primary that hands the key over is a replica already; it hands it over, and ends the sessions that it has begun.
    const isSource = record.multiRegion.type === 'PRIMARY' || this.#region.primaryChanges.underWay(keyId) !== undefined;
    if (!isSource) return undefined;
    const replica = this.#region.store.replica(record.keyId, destination);
    const versions = sharedVersions(record, this.#region.materials.versions(record.keyId));
    const materials = record.origin === 'EXTERNAL' ? [] : versions.flatMap(({ material }) => material ?? []);
    if (replica === undefined || versions.length === 0) return undefined;
    const { multiRegion } = record;
    const rotation = rotationContext(versions, this.#region.rotations.setting(record.keyId));
    const others = multiRegion.replicaRegions.filter((region) => region !== destination);
    const context = {
      keyId: record.keyId,
      keySpec: record.keySpec,
      keyUsage: record.keyUsage,
      origin: record.origin,
      dataSuite: record.dataSuite,
      account: record.account,
      primaryRegion: multiRegion.primaryRegion,
      regions: [multiRegion.primaryRegion, ...others, destination],
      materials: versions.map(({ materialId, index, state, createdMs }) => ({
        materialId,
        index,
        state: state === 'CURRENT' ? ('CURRENT' as const) : ('NON_CURRENT' as const),
        createdMs,
      })),
      ...(record.origin === 'AWS_KMS' && rotation !== undefined && { rotation }),
      ...(record.origin === 'EXTERNAL' && {
        imported: importedIdentity(this.#region.materials.versions(record.keyId)),
      }),
      replica: { description: replica.description, policy: replica.policy, tags: replica.tags },
    } satisfies KeyMetadataContext;
    // What a replica was given once is its own: it is left out where materials need the room.
    const isTooLarge = replica.standing === 'ACTIVE' && !fitsTransfer(encodeContext(context).length, materials.length);
    return {
      keyId: record.keyId,
      birthCertificate: multiRegion.birthCertificate,
      handovers: this.#region.primaryChanges.handovers(record.keyId),
      isNewReplica: replica.standing !== 'ACTIVE',
      context: isTooLarge ? { ...context, replica: NOTHING_OWN } : context,
      materials,
    };
  }

  standing(...args: Parameters<ReplicatedKeys['standing']>): ReturnType<ReplicatedKeys['standing']> {
    const [keyId, source, { isSuccessor } = { isSuccessor: false }] = args;
    const record = this.#record(keyId);
    if (record === undefined) {
      const wasDeleted = this.#region.materials.wasReplicaDeleted(keyId);
      return { state: 'unknown', materialIds: [], ...(wasDeleted && { wasDeleted }) };
    }
    const { multiRegion } = record;
    if (multiRegion?.type !== 'REPLICA' || (multiRegion.primaryRegion !== source && !isSuccessor)) {
      return { state: 'conflict', materialIds: [] };
    }
    const versions = this.#region.materials.versions(record.keyId);
    const pending = pendingVersion(versions);
    return {
      state: 'replica',
      materialIds: versions.filter(isPermanent).map(({ materialId }) => materialId),
      ...(pending !== undefined && pending.material !== null && { pendingId: pending.materialId }),
    };
  }

  announce(replica: AnnouncedReplica): void {
    if (this.#record(replica.keyId) !== undefined) return;
    const { home, store, materials, clock } = this.#region;
    const keyId = requireKeyId(replica.keyId);
    materials.removeDeletedReplica(keyId);
    store.insertKey({
      record: {
        keyId,
        arn: keyArn(home, keyId),
        account: home.account,
        createdMs: clock.nowMs(),
        description: '',
        keySpec: requireSpec(replica.keySpec),
        keyUsage: requireUsage(replica.keyUsage),
        origin: requireOrigin(replica.origin),
        state: 'Creating',
        dataSuite: null,
        multiRegion: {
          type: 'REPLICA',
          primaryRegion: replica.source,
          replicaRegions: [home.region],
          birthCertificate: replica.birthCertificate,
        },
        deletion: null,
      },
      policy: defaultPolicy(home),
      tags: [],
      materials: [],
    });
  }

  install(args: Installation): void {
    const { home, store, materials } = this.#region;
    const { context } = args;
    if (context.account !== home.account)
      throw new Error(`a replica of account ${context.account} came to ${home.account}`);
    store.transaction(() => {
      this.announce({
        keyId: context.keyId,
        source: args.source,
        generation: args.generation,
        keySpec: context.keySpec,
        keyUsage: context.keyUsage,
        origin: context.origin,
        birthCertificate: args.birthCertificate,
        materialIds: context.materials.map((version) => version.materialId),
      });
      const record = this.#record(context.keyId);
      const isOfSource = record?.multiRegion?.primaryRegion === args.source || (args.handovers ?? []).length > 0;
      if (record?.multiRegion?.type !== 'REPLICA' || !isOfSource) {
        throw new Error(`${context.keyId} is no replica of ${args.source}`);
      }
      const { currentMaterial, imported: _, ...kept } = record;
      const isImported = record.origin === 'EXTERNAL';
      const first = isImported ? materials.versions(record.keyId).length === 0 : currentMaterial === null;
      // Nobody knows any more what this replica was given: an administrator has to look at it before it is used.
      const isBare = first && context.replica.policy === '';
      const state = isImported ? this.#installIdentity(record, context) : isBare ? 'Disabled' : 'Enabled';
      store.installKey({
        record: {
          ...kept,
          description: first && record.description === '' ? context.replica.description : record.description,
          state: record.state === 'Creating' || isImported ? state : record.state,
          dataSuite: context.dataSuite,
          multiRegion: {
            ...record.multiRegion,
            primaryRegion: context.primaryRegion,
            replicaRegions: context.regions.filter((region) => region !== context.primaryRegion),
          },
        },
        materials: isImported ? [] : joinMaterials(context.materials, args.materials),
        ...(first && { own: this.#ownOf(record, context.replica) }),
      });
      if (args.handovers !== undefined) this.#region.primaryChanges.putHandovers(record.keyId, args.handovers);
      if (context.handover !== undefined) this.#region.primaryChanges.takeOver(record.keyId);
      if (!isImported) installRotations(this.#region, record.keyId, context);
      if (record.state === 'Creating') this.#tellCreation(record.keyId);
    });
  }

  /** Policy and tags of a new replica: as its maker asked for, where its owner has not said otherwise while it was being created. */
  #ownOf(record: KeyRecord, asked: Installation['context']['replica']): NonNullable<InstalledKey['own']> {
    const { home, store } = this.#region;
    const policy = store.policy(record.keyId);
    const askedPolicy = asked.policy === '' ? defaultPolicy(home) : asked.policy;
    const tags = new Map([...asked.tags, ...store.tags(record.keyId)].map((tag) => [tag.TagKey, tag]));
    return {
      policy: policy === undefined || policy === defaultPolicy(home) ? askedPolicy : policy,
      tags: [...tags.values()],
    };
  }

  /** The identities of a replica's imported material; the state that the replica has with them. */
  #installIdentity(record: KeyRecord, context: Installation['context']): KeyState {
    const { materials } = this.#region;
    const { removed, put } = synchronizedVersions(materials.versions(record.keyId), context);
    for (const materialId of removed) materials.removeVersion(record.keyId, materialId);
    for (const version of put) materials.putVersion(record.keyId, version);
    // A new replica waits for its material, as one does that has lost some.
    return stateWith(record.state === 'Creating' ? 'PendingImport' : record.state, materials.versions(record.keyId));
  }

  renewCertificates(...[keyId, certificates]: Parameters<Required<ReplicatedKeys>['renewCertificates']>): void {
    const record = this.#record(keyId);
    if (record?.multiRegion?.type !== 'PRIMARY') return;
    this.#region.store.setBirthCertificate(record.keyId, certificates.birthCertificate);
    this.#region.primaryChanges.putHandovers(record.keyId, certificates.handovers);
  }

  withdraw(keyId: string): void {
    const record = this.#record(keyId);
    if (record?.state === 'Creating' && record.currentMaterial === null) this.#region.store.deleteKey(record.keyId);
  }

  confirmed(...args: Parameters<ReplicatedKeys['confirmed']>): readonly string[] {
    const [keyId, destination, , sent] = args;
    const isNew = this.#replica(keyId, destination)?.standing === 'REPLICATING';
    this.#settle(keyId, destination, { standing: 'ACTIVE', failure: null });
    const record = this.#record(keyId);
    if (record?.multiRegion?.type !== 'PRIMARY') return [];
    const others = record.multiRegion.replicaRegions.filter((region) => isNew && region !== destination);
    const { materials, synchronizations, clock } = this.#region;
    noteDelivered(this.#region, record, { region: destination, materialIds: sent.materialIds });
    const contextHash = createHash('sha256').update(sent.context).digest('hex');
    if (!synchronizations.note(record.keyId, destination, contextHash)) return others;
    materials.putEvent({
      eventId: randomUUID(),
      atMs: clock.nowMs(),
      name: 'SynchronizeMultiRegionKey',
      keyArn: record.arn,
      details: {},
      call: { request: null, response: { KeyId: record.arn } },
    });
    return others;
  }

  /** The call that AWS KMS makes in a replica's region for `ReplicateKey`, as the audit trail shows it. */
  #tellCreation(keyId: KeyId): void {
    const { store, materials, clock } = this.#region;
    const record = store.key(keyId);
    if (record === undefined) return;
    const KeyMetadata = describeRecord(record);
    const { Description, Origin, CustomerMasterKeySpec, KeySpec: spec, KeyUsage: usage } = KeyMetadata;
    const request = { Description, Origin, CustomerMasterKeySpec, KeySpec: spec, KeyUsage: usage, MultiRegion: true };
    materials.putEvent({
      eventId: randomUUID(),
      atMs: clock.nowMs(),
      name: 'CreateKey',
      keyArn: record.arn,
      details: {},
      call: { request, response: { KeyMetadata } },
    });
  }

  replicaDeleted(keyId: string, destination: string): readonly string[] {
    const { store, materials, clock } = this.#region;
    return store.transaction(() => {
      if (this.#record(keyId) === undefined) return [];
      // What was deleted is an earlier replica, of which this primary has not heard: a former primary has made it.
      if (this.#replica(keyId, destination)?.standing === 'REPLICATING') return [destination];
      store.removeReplica(requireKeyId(keyId), destination);
      const record = this.#record(keyId);
      if (record?.multiRegion?.type !== 'PRIMARY') return [];
      this.#settlePending(record, materials.versions(record.keyId));
      const { replicaRegions } = record.multiRegion;
      if (record.state !== 'PendingReplicaDeletion' || replicaRegions.length > 0) return replicaRegions;
      const windowDays = record.deletion?.windowDays ?? 30;
      store.setState(record.keyId, 'PendingDeletion', { windowDays, dateMs: clock.nowMs() + windowDays * DAY_MS });
      return [];
    });
  }

  /** Material that every replica has imported waits for the rotation only. */
  #settlePending(record: KeyRecord, versions: readonly MaterialVersion[]): void {
    const { materials } = this.#region;
    const pending = pendingVersion(versions);
    if (pending === undefined) return;
    const having = new Set(materials.replicasWithMaterial(record.keyId, pending.materialId));
    if (record.multiRegion?.replicaRegions.every((region) => having.has(region)) === true) {
      materials.putVersion(record.keyId, { ...pending, state: 'PENDING_ROTATION' });
    }
  }

  reported(keyId: string, destination: string, materialId: string): void {
    const record = this.#record(keyId);
    const { store, materials } = this.#region;
    if (record?.multiRegion?.type !== 'PRIMARY') return;
    const { multiRegion } = record;
    store.transaction(() => {
      const pending = pendingVersion(materials.versions(record.keyId));
      if (pending?.materialId !== materialId || !multiRegion.replicaRegions.includes(destination)) return;
      materials.putReplicaMaterial(record.keyId, destination, materialId);
      this.#settlePending(record, materials.versions(record.keyId));
    });
  }

  failed(keyId: string, destination: string, reason: string): void {
    this.#settle(keyId, destination, { standing: 'FAILED', failure: reason });
  }

  #settle(keyId: string, destination: string, outcome: Pick<ReplicaRecord, 'standing' | 'failure'>): void {
    const record = this.#record(keyId);
    if (record === undefined) return;
    const replica = this.#region.store.replica(record.keyId, destination);
    // A replica that once was confirmed exists, even where a later transfer to it failed.
    if (replica === undefined || (replica.standing === 'ACTIVE' && outcome.standing === 'FAILED')) return;
    this.#region.store.putReplica(record.keyId, { ...replica, ...outcome });
  }

  #replica(keyId: string, region: string): ReplicaRecord | undefined {
    return isKeyId(keyId) ? this.#region.store.replica(keyId, region) : undefined;
  }

  #record(keyId: string): KeyRecord | undefined {
    return isKeyId(keyId) ? this.#region.store.key(keyId) : undefined;
  }
}

/** Each version of the transfer's metadata with the material of the same id. */
function joinMaterials(
  versions: Installation['context']['materials'],
  materials: readonly StoredMaterial[],
): readonly MaterialRecord[] {
  const byId = new Map(materials.map((material) => [material.binding.materialId, material]));
  if (byId.size !== versions.length || materials.length !== versions.length) {
    throw new Error(`${materials.length} materials came for ${versions.length} versions`);
  }
  return versions.map(({ materialId, index, state, createdMs }) => {
    const material = byId.get(materialId);
    if (material === undefined) throw new Error(`no material came for version ${index}, ${materialId}`);
    return { material, index, state, createdMs };
  });
}

function requireKeyId(text: string): KeyId {
  if (!isKeyId(text)) throw new Error(`${text} is no key id`);
  return text;
}

function requireOrigin(text: string): KeyOrigin {
  if (text !== 'AWS_KMS' && text !== 'EXTERNAL') throw new Error(`a key of origin ${text} cannot be replicated`);
  return text;
}

function requireSpec(text: string): KeySpec {
  const spec = KEY_SPECS.find((candidate) => candidate === text);
  if (spec === undefined) throw new Error(`key spec ${text} cannot be replicated`);
  return spec;
}

function requireUsage(text: string): KeyUsage {
  const usage = KEY_USAGES.find((candidate) => candidate === text);
  if (usage === undefined) throw new Error(`key usage ${text} cannot be replicated`);
  return usage;
}
