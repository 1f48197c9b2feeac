import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './errors.js';
import type { KmsClient } from './kms_client.js';
import type { SeedGrant, SeedKey } from './seed_file.js';
import type { SeedMaterial } from './seed_file.js';

/** A replica that has not arrived by then is reported, milliseconds. */
const REPLICA_MS_MAX = 60_000;
const REPLICA_POLL_MS = 100;

type Metadata = Readonly<Record<string, unknown>>;

/** What seeding a key takes besides the KMS API. */
export interface SeedServices {
  readonly kms: KmsClient;
  /** The text of a policy that the lab file names or holds. */
  readonly policyText: (key: SeedKey) => string | undefined;
  /** Makes a key whose id is chosen; returns its metadata. */
  readonly createChosen: (key: SeedKey & { readonly keyId: string }, request: object) => Promise<Metadata>;
  /** Imports material from a file. */
  readonly importMaterial: (region: string, arn: string, material: SeedMaterial) => Promise<void>;
}

/** What became of one seeded key. */
export interface SeededKey {
  /** Its first alias, else its id. */
  readonly name: string;
  readonly arn: string;
  readonly made: boolean;
  /** What a key that was there has been given now. */
  readonly added: readonly string[];
  /** What is not as the lab file says, and was left as it is. */
  readonly unchanged: readonly string[];
}

/** The metadata of a key that is there; undefined where it is not. */
export async function findSeeded(kms: KmsClient, key: SeedKey): Promise<Metadata | undefined> {
  for (const name of key.keyId === undefined ? key.aliases : [key.keyId]) {
    const found = await describe(kms, key.region, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Makes a key of the seed where it is missing, and gives it what it has not. Everything that is there stays as it is.
 *
 * A lab that is killed between a key and its first alias leaves a key without a name, and makes another one at its next start; a key
 * with a `keyId` is found again.
 *
 * @throws {@link LabError} for what KMS refuses
 */
export async function seedKey(services: SeedServices, key: SeedKey): Promise<SeededKey> {
  const { kms } = services;
  const found = await findSeeded(kms, key);
  const seeding = new Seeding(services, key, found ?? (await create(services, key)), found === undefined);
  return seeding.run();
}

async function describe(kms: KmsClient, region: string, KeyId: string): Promise<Metadata | undefined> {
  try {
    return (await kms.call(region, 'DescribeKey', { KeyId }))['KeyMetadata'] as Metadata;
  } catch (error) {
    if (isRefusal(error, 'NotFoundException')) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown, exception: string): boolean {
  return error instanceof LabError && error.details['exception'] === exception;
}

async function create(services: SeedServices, key: SeedKey): Promise<Metadata> {
  const policy = services.policyText(key);
  const request = {
    Description: key.description,
    KeySpec: key.keySpec,
    KeyUsage: key.keyUsage,
    Origin: key.origin,
    MultiRegion: key.multiRegion,
    Tags: tagsOf(key.tags),
    ...(policy !== undefined && { Policy: policy }),
    ...(key.bypassPolicyLockoutSafetyCheck && { BypassPolicyLockoutSafetyCheck: true }),
  };
  const { keyId } = key;
  if (keyId !== undefined) return services.createChosen({ ...key, keyId }, request);
  return (await services.kms.call(key.region, 'CreateKey', request))['KeyMetadata'] as Metadata;
}

function tagsOf(tags: SeedKey['tags']): readonly object[] {
  return Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
}

/** One key on its way to what the lab file says. */
class Seeding {
  readonly #services: SeedServices;
  readonly #key: SeedKey;
  readonly #keyId: string;
  readonly #arn: string;
  readonly #isNew: boolean;
  readonly #found: Metadata;
  readonly #added: string[] = [];
  readonly #unchanged: string[] = [];

  constructor(services: SeedServices, key: SeedKey, metadata: Metadata, isNew: boolean) {
    this.#services = services;
    this.#key = key;
    this.#found = metadata;
    this.#keyId = String(metadata['KeyId']);
    this.#arn = String(metadata['Arn']);
    this.#isNew = isNew;
  }

  async run(): Promise<SeededKey> {
    const { region, replicas } = this.#key;
    const state = String(this.#found['KeyState']);
    // The name first: it is what a key without a chosen id is found by.
    await this.#aliases(region);
    if (!this.#isNew) await this.#compare(state);
    if (state === 'PendingDeletion' || state === 'PendingReplicaDeletion') {
      this.#unchanged.push(`it is ${state}: cancel that with kms cancel-key-deletion`);
    } else {
      await this.#contents(region, this.#arn, state);
      for (const replica of replicas) await this.#replica(replica);
      await this.#switch(region, state);
    }
    const name = this.#key.aliases[0] ?? this.#keyId;
    return { name, arn: this.#arn, made: this.#isNew, added: this.#added, unchanged: this.#unchanged };
  }

  /** Everything that a key has in each of its regions. */
  async #contents(region: string, arn: string, state: string): Promise<void> {
    await this.#tags(region);
    await this.#grants(region, arn);
    const { material, rotation } = this.#key;
    if (material !== undefined && state === 'PendingImport') {
      await this.#services.importMaterial(region, arn, material);
      this.#note(`material in ${region}`);
    }
    if (rotation !== undefined && region === this.#key.region && state === 'Enabled') await this.#rotation(rotation);
  }

  async #aliases(region: string): Promise<void> {
    for (const AliasName of this.#key.aliases) {
      const named = await describe(this.#services.kms, region, AliasName);
      if (named === undefined) {
        await this.#call(region, 'CreateAlias', { AliasName, TargetKeyId: this.#keyId });
        this.#note(`${AliasName} in ${region}`);
      } else if (named['KeyId'] !== this.#keyId) {
        this.#unchanged.push(`${AliasName} in ${region} names the key ${String(named['KeyId'])}`);
      }
    }
  }

  async #compare(state: string): Promise<void> {
    const { keySpec, keyUsage, origin, multiRegion, description, enabled, region } = this.#key;
    const wanted = {
      KeySpec: keySpec,
      KeyUsage: keyUsage,
      Origin: origin,
      MultiRegion: multiRegion,
      Description: description,
    };
    for (const [member, value] of Object.entries(wanted)) {
      const actual = this.#found[member] ?? '';
      if (actual !== value) this.#unchanged.push(`${member} is ${JSON.stringify(actual)}`);
    }
    if (state === 'Disabled' && enabled) this.#unchanged.push('it is disabled');
    if (state === 'Enabled' && !enabled) this.#unchanged.push('it is enabled');
    const policy = this.#services.policyText(this.#key);
    if (policy === undefined) return;
    const { Policy } = await this.#call(region, 'GetKeyPolicy', { KeyId: this.#keyId });
    if (canonical(JSON.parse(String(Policy))) !== canonical(JSON.parse(policy))) {
      this.#unchanged.push('its policy is another one; kms put-key-policy changes it');
    }
  }

  async #tags(region: string): Promise<void> {
    const wanted = Object.entries(this.#key.tags);
    if (wanted.length === 0 || (this.#isNew && region === this.#key.region)) return;
    const { Tags } = await this.#call(region, 'ListResourceTags', { KeyId: this.#keyId });
    const present = new Map((Tags as { TagKey: string; TagValue: string }[]).map((tag) => [tag.TagKey, tag.TagValue]));
    const missing = wanted.filter(([name]) => !present.has(name));
    if (missing.length > 0) {
      await this.#call(region, 'TagResource', { KeyId: this.#keyId, Tags: tagsOf(Object.fromEntries(missing)) });
      this.#note(`the tags ${missing.map(([name]) => name).join(', ')} in ${region}`);
    }
    for (const [name, value] of wanted) {
      const actual = present.get(name);
      if (actual !== undefined && actual !== value) {
        this.#unchanged.push(`the tag ${name} in ${region} is ${JSON.stringify(actual)}`);
      }
    }
  }

  async #grants(region: string, KeyId: string): Promise<void> {
    if (this.#key.grants.length === 0) return;
    const present = new Map<string, Metadata>();
    for (let marker: unknown = undefined; ;) {
      const page = await this.#call(region, 'ListGrants', { KeyId, ...(marker !== undefined && { Marker: marker }) });
      for (const grant of page['Grants'] as Metadata[]) present.set(String(grant['Name'] ?? ''), grant);
      if (page['Truncated'] !== true) break;
      marker = page['NextMarker'];
    }
    for (const grant of this.#key.grants) {
      const request = grantRequest(KeyId, grant);
      const actual = present.get(grant.name);
      if (actual === undefined) {
        await this.#call(region, 'CreateGrant', request);
        this.#note(`the grant ${grant.name} in ${region}`);
      } else if (!isSameGrant(actual, request)) {
        this.#unchanged.push(`the grant ${grant.name} in ${region} says something else`);
      }
    }
  }

  async #rotation({ periodDays }: { readonly periodDays: number }): Promise<void> {
    const { region } = this.#key;
    const status = await this.#call(region, 'GetKeyRotationStatus', { KeyId: this.#keyId });
    if (status['KeyRotationEnabled'] !== true) {
      await this.#call(region, 'EnableKeyRotation', { KeyId: this.#keyId, RotationPeriodInDays: periodDays });
      this.#note(`rotation every ${periodDays} days`);
    } else if (status['RotationPeriodInDays'] !== periodDays) {
      this.#unchanged.push(`it rotates every ${String(status['RotationPeriodInDays'])} days`);
    }
  }

  async #replica(region: string): Promise<void> {
    const { kms, policyText } = this.#services;
    if ((await describe(kms, region, this.#keyId)) === undefined) {
      const policy = policyText(this.#key);
      await this.#call(this.#key.region, 'ReplicateKey', {
        KeyId: this.#keyId,
        ReplicaRegion: region,
        Description: this.#key.description,
        Tags: tagsOf(this.#key.tags),
        ...(policy !== undefined && { Policy: policy }),
        ...(this.#key.bypassPolicyLockoutSafetyCheck && { BypassPolicyLockoutSafetyCheck: true }),
      }).catch((error: unknown) => {
        // Under way since an earlier start that was stopped.
        if (!isRefusal(error, 'AlreadyExistsException')) throw error;
      });
      this.#note(`a replica in ${region}`);
    }
    const metadata = await this.#arrived(region);
    await this.#aliases(region);
    await this.#contents(region, String(metadata['Arn']), String(metadata['KeyState']));
    await this.#switch(region, String(metadata['KeyState']));
  }

  async #arrived(region: string): Promise<Metadata> {
    for (let waitedMs = 0; waitedMs < REPLICA_MS_MAX; waitedMs += REPLICA_POLL_MS) {
      const metadata = await describe(this.#services.kms, region, this.#keyId);
      if (metadata !== undefined && metadata['KeyState'] !== 'Creating') return metadata;
      await sleep(REPLICA_POLL_MS);
    }
    throw new LabError('ERR_LAB_TIMEOUT', `the replica of ${this.#arn} has not arrived in ${region}`, {
      remedy: 'keyferry trace',
    });
  }

  /** A new key that is to be disabled was enabled until everything was in it. */
  async #switch(region: string, state: string): Promise<void> {
    const isOn = state === 'Enabled' || this.#key.material !== undefined;
    if (this.#isNew && !this.#key.enabled && isOn) await this.#call(region, 'DisableKey', { KeyId: this.#keyId });
  }

  #note(what: string): void {
    if (!this.#isNew) this.#added.push(what);
  }

  #call(region: string, operation: string, input: object): Promise<Metadata> {
    return this.#services.kms.call(region, operation, input);
  }
}

function grantRequest(KeyId: string, grant: SeedGrant): Metadata {
  const { encryptionContextEquals: equals, encryptionContextSubset: subset } = grant.constraints ?? {};
  return {
    KeyId,
    Name: grant.name,
    GranteePrincipal: grant.granteePrincipal,
    Operations: grant.operations,
    ...(grant.retiringPrincipal !== undefined && { RetiringPrincipal: grant.retiringPrincipal }),
    ...(grant.constraints !== undefined && {
      Constraints: {
        ...(equals !== undefined && { EncryptionContextEquals: equals }),
        ...(subset !== undefined && { EncryptionContextSubset: subset }),
      },
    }),
  };
}

function isSameGrant(actual: Metadata, wanted: Metadata): boolean {
  const shown = ({ GranteePrincipal, RetiringPrincipal, Operations, Constraints }: Metadata): string =>
    canonical({
      GranteePrincipal,
      RetiringPrincipal: RetiringPrincipal ?? null,
      Operations: [...(Operations as string[])].toSorted(),
      Constraints: Constraints ?? {},
    });
  return shown(actual) === shown(wanted);
}

/** JSON whose members are in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
