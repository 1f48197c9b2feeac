import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { newModelKey, refusalOfNote, refusalOfUse, SPEC_OF, type KeyKind, type ModelKey } from './key_model.js';
import {
  describe,
  descriptionOf,
  grantsOf,
  keyOfAlias,
  replicaRegionsOf,
  rotationsOf,
  stateOf,
  tagsOf,
} from './key_reading.js';
import { SoakStop, type Asker } from './soak_world.js';

/** AWS KMS admits 25; the last ones are left to requests whose answer was lost. */
const ROTATIONS_MAX = 20;
const GRANTEE = 'arn:aws:iam::111122223333:user/worker';
const WINDOW_DAYS = 7;
/** How long a change of the primary may take, milliseconds: each fault of a token or of the network delays it by up to half a minute. */
const AGREED_MS_MAX = 300_000;

/** Makes a key; null where there was no answer, so that the key, if it was made, is nobody's. */
export async function createKey(
  asker: Asker,
  options: {
    readonly region: string;
    readonly kind: KeyKind;
    readonly isMultiRegion: boolean;
    readonly isShared: boolean;
  },
): Promise<ModelKey | null> {
  const description = `made by ${asker.name}`;
  const answer = await asker.expect(options.region, 'CreateKey', {
    ...SPEC_OF[options.kind],
    Description: description,
    MultiRegion: options.isMultiRegion,
    ...(options.kind === 'imported' && { Origin: 'EXTERNAL' }),
  });
  if (answer?.kind !== 'done') return null;
  const { KeyId: keyId } = answer.value['KeyMetadata'] as { readonly KeyId: string };
  const key = newModelKey({ ...options, keyId, description });
  asker.world.keys.push(key);
  return key;
}

export async function describeAgain(asker: Asker, key: ModelKey): Promise<void> {
  const state = await stateOf(asker, key);
  if (state !== key.state) asker.violate(`${key.keyId} is ${state} and was acknowledged to be ${key.state}`);
}

export async function changeDescription(asker: Asker, key: ModelKey): Promise<void> {
  const after = randomBytes(6).toString('hex');
  const isMade = await asker.change({
    region: key.region,
    operation: 'UpdateKeyDescription',
    request: { KeyId: key.keyId, Description: after },
    refusal: refusalOfNote(key),
    look: () => descriptionOf(asker, key),
    before: key.description,
    after,
  });
  if (isMade) key.description = after;
}

export async function changeTag(asker: Asker, key: ModelKey): Promise<void> {
  const name = `tag${asker.chance.below(5)}`;
  const before = key.tags.get(name) ?? 'none';
  const isRemoval = before !== 'none' && asker.chance.next() < 0.4;
  const after = isRemoval ? 'none' : randomBytes(4).toString('hex');
  const isMade = await asker.change({
    region: key.region,
    operation: isRemoval ? 'UntagResource' : 'TagResource',
    request: {
      KeyId: key.keyId,
      ...(isRemoval ? { TagKeys: [name] } : { Tags: [{ TagKey: name, TagValue: after }] }),
    },
    refusal: refusalOfNote(key),
    look: async () => (await tagsOf(asker, key)).get(name) ?? 'none',
    before,
    after,
  });
  if (!isMade) return;
  if (isRemoval) key.tags.delete(name);
  else key.tags.set(name, after);
}

/** Makes, moves or deletes one of a client's aliases. */
export async function changeAlias(asker: Asker, key: ModelKey): Promise<void> {
  const alias = `alias/${asker.name}-${key.kind}-${asker.chance.below(3)}`;
  const place = `${key.region} ${alias}`;
  const before = asker.world.aliases.get(place) ?? 'none';
  const isRemoval = before !== 'none' && asker.chance.next() < 0.3;
  const operation = isRemoval ? 'DeleteAlias' : before === 'none' ? 'CreateAlias' : 'UpdateAlias';
  const isMade = await asker.change({
    region: key.region,
    operation,
    request: { AliasName: alias, ...(!isRemoval && { TargetKeyId: key.keyId }) },
    refusal: isRemoval ? undefined : refusalOfNote(key),
    look: () => keyOfAlias(asker, key.region, alias),
    before,
    after: isRemoval ? 'none' : key.keyId,
  });
  if (isMade) asker.world.aliases.set(place, isRemoval ? null : key.keyId);
}

export async function changeGrant(asker: Asker, key: ModelKey): Promise<void> {
  const [old] = key.grants;
  if (old !== undefined && asker.chance.next() < 0.45) {
    const [name, id] = old;
    const isMade = await asker.change({
      region: key.region,
      operation: 'RevokeGrant',
      request: { KeyId: key.keyId, GrantId: id },
      look: async () => (await grantsOf(asker, key)).get(name) ?? 'none',
      before: id,
      after: 'none',
    });
    if (isMade) key.grants.delete(name);
    return;
  }
  const name = `grant-${randomBytes(4).toString('hex')}`;
  const request = { KeyId: key.keyId, Name: name, GranteePrincipal: GRANTEE, Operations: ['Decrypt', 'DescribeKey'] };
  const operations = key.kind === 'cipher' || key.kind === 'imported' ? request.Operations : ['DescribeKey'];
  const answer = await asker.expect(key.region, 'CreateGrant', { ...request, Operations: operations }, [
    refusalOfUse(key),
  ]);
  if (answer?.kind === 'done') key.grants.set(name, String(answer.value['GrantId']));
  if (answer?.kind !== 'open') return;
  const id = (await grantsOf(asker, key)).get(name);
  if (id !== undefined) key.grants.set(name, id);
}

export async function changeUse(asker: Asker, key: ModelKey): Promise<void> {
  if (key.isShared) return;
  const isEnabling = asker.chance.next() < 0.7;
  const after = isEnabling ? 'Enabled' : 'Disabled';
  const canBe = key.state === 'Enabled' || key.state === 'Disabled';
  const isMade = await asker.change({
    region: key.region,
    operation: isEnabling ? 'EnableKey' : 'DisableKey',
    request: { KeyId: key.keyId },
    refusal: canBe ? undefined : 'KMSInvalidStateException',
    look: () => stateOf(asker, key),
    before: key.state,
    after,
  });
  if (isMade) key.state = after;
}

/** Schedules the deletion of a key, or takes it back. A primary with replicas is left alone. */
export async function changeDeletion(asker: Asker, key: ModelKey): Promise<void> {
  if (key.isShared || key.replicas.size > 0 || key.state === 'PendingImport') return;
  const isCancelling = asker.chance.next() < (key.state === 'PendingDeletion' ? 0.9 : 0.1);
  const after = isCancelling ? 'Disabled' : 'PendingDeletion';
  const canBe = (key.state === 'PendingDeletion') === isCancelling;
  const isMade = await asker.change({
    region: key.region,
    operation: isCancelling ? 'CancelKeyDeletion' : 'ScheduleKeyDeletion',
    request: { KeyId: key.keyId, ...(!isCancelling && { PendingWindowInDays: WINDOW_DAYS }) },
    refusal: canBe ? undefined : 'KMSInvalidStateException',
    look: () => stateOf(asker, key),
    before: key.state,
    after,
  });
  if (isMade) key.state = after;
}

export async function rotate(asker: Asker, key: ModelKey): Promise<void> {
  if (key.kind !== 'cipher' || key.rotations.most >= ROTATIONS_MAX) return;
  // A rotation that waits for replicas stands in the way of the next.
  const refusals = [refusalAtPrimary(key), ...(key.replicas.size > 0 ? ['ConflictException'] : [])];
  const answer = await asker.expect(key.primary, 'RotateKeyOnDemand', { KeyId: key.keyId }, refusals);
  if (answer === undefined || answer.kind === 'refused') return;
  const { least, most } = key.rotations;
  key.rotations = { least: answer.kind === 'done' ? least + 1 : least, most: most + 1 };
  if (answer.kind === 'done' || key.replicas.size > 0) return;
  const now = await rotationsOf(asker, key);
  if (now < least || now > most + 1)
    asker.violate(`${key.keyId} was rotated ${now} times, not ${least} to ${most + 1}`);
  key.rotations = { least: now, most: now };
}

/** Asks for a replica, or looks whether one that was asked for has become usable. */
export async function replicate(asker: Asker, key: ModelKey): Promise<void> {
  if (!key.isMultiRegion || key.kind === 'imported') return;
  const unfinished = [...key.replicas].find(([, isEnabled]) => !isEnabled)?.[0];
  if (unfinished !== undefined) {
    const state = (await describe(asker, unfinished, key.keyId))?.KeyState ?? 'absent';
    if (state === 'Enabled') key.replicas.set(unfinished, true);
    else if (state !== 'absent' && state !== 'Creating') {
      asker.violate(`the replica of ${key.keyId} in ${unfinished} is ${state}`);
    }
    return;
  }
  const lacking = asker.world.regions.filter((region) => !placesOf(key).includes(region));
  const region = asker.chance.pick(lacking);
  if (region === undefined) return;
  const before = placesOf(key)
    .filter((place) => place !== key.primary)
    .sort();
  const isMade = await asker.change({
    region: key.primary,
    operation: 'ReplicateKey',
    request: { KeyId: key.keyId, ReplicaRegion: region },
    refusal: refusalAtPrimary(key),
    look: async () => (await replicaRegionsOf(asker, key)).join(),
    before: before.join(),
    after: [...before, region].sort().join(),
  });
  if (isMade) key.replicas.set(region, false);
}

/**
 * Makes a replica the primary. What takes long comes about later or not at all, whatever was answered; then both regions have to
 * agree on which of them it is.
 */
export async function changePrimary(asker: Asker, key: ModelKey): Promise<void> {
  if (key.state !== 'Enabled' || ![...key.replicas.values()].every(Boolean)) return;
  const to = asker.chance.pick(placesOf(key).filter((region) => region !== key.primary));
  if (to === undefined) return;
  const request = { KeyId: key.keyId, PrimaryRegion: to };
  // The primary may not know yet that its replica is there, and the replica may refuse.
  await asker.expect(key.primary, 'UpdatePrimaryRegion', request, [undefined, 'KMSInvalidStateException']);
  const deadline = performance.now() + AGREED_MS_MAX;
  for (;;) {
    const seen = await Promise.all([key.primary, to].map((region) => describe(asker, region, key.keyId)));
    const isSettled = seen.every((description) => description?.KeyState === 'Enabled');
    const [old, fresh] = seen.map((description) => description?.MultiRegionConfiguration?.MultiRegionKeyType);
    if (isSettled && old !== fresh) {
      key.primary = fresh === 'PRIMARY' ? to : key.primary;
      return;
    }
    if (performance.now() > deadline) {
      const found = seen.map((description) => JSON.stringify(description)).join(' and ');
      throw new SoakStop(`UpdatePrimaryRegion of ${key.keyId} to ${to} never came to its end: ${found}`);
    }
    await sleep(100);
  }
}

/** The regions in which a key is or will be. */
function placesOf({ region, replicas }: ModelKey): readonly string[] {
  return [region, ...replicas.keys()];
}

/** Only in its own region is a key ever disabled. */
function refusalAtPrimary(key: ModelKey): string | undefined {
  return key.primary === key.region ? refusalOfUse(key) : undefined;
}
