import { equalOctets, utf8 } from '../bytes.js';
import {
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_TRUSTED,
  CKK_AES,
  CKM_AES_CBC,
  CKM_AES_KEY_GEN,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKM_SHA384_HMAC,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template, type Template } from '../token/template.js';
import type { HsmCapabilities } from './capability.js';
import { DOMAIN_KEY_LABELS, domainKeyShape, SINGLE_REGION_UNWRAP_TEMPLATE, type DomainKeyLabel } from './domain_key.js';
import { HsmError } from './errors.js';
import { HsmHealth } from './health.js';
import { HsmJobs, type JobRunner } from './job_runner.js';
import { assertShape, readBack, templateOf, type KeyShape } from './key_shape.js';
import { recordKeyShape } from './record_key.js';
import { SigningKeys } from './signing_key.js';
import { clearLabel, findTokenKeys, KEY_LABELS, nextKeyId, pendingLabel, type KeyLabel } from './token_keys.js';

/** Who may be logged in to a token while it is provisioned. A token knows one at a time. */
export interface ProvisionAccess {
  asUser<Result>(work: (runner: JobRunner) => Promise<Result>): Promise<Result>;
  /** Null to go without a trusted domain key, where the security officer's PIN is not at hand. */
  readonly asSecurityOfficer: (<Result>(work: (runner: JobRunner) => Promise<Result>) => Promise<Result>) | null;
}

/** What a token holds after it was provisioned. */
export interface ProvisionReport {
  /** Labels of the keys that were made now; empty where nothing was missing. */
  readonly made: readonly KeyLabel[];
  /** Whether the security officer could make the single-Region domain key trusted; null where that was not tried. */
  readonly trustedDomainKey: boolean | null;
}

const CLEAR_LABEL = clearLabel(KEY_LABELS.singleRegionDomainKey);
const NO_PARAMETER = { kind: 'none' } as const;

/**
 * Makes the keys that a region's token is missing: the two domain keys, the record key, a first replication signing key and a first
 * key that signs import tokens.
 *
 * Does nothing where all are there. Each key carries a provisional label until it was tested, so that whatever an interrupted run
 * left is recognised by the next one, destroyed and made again.
 *
 * @throws {@link HsmError} `ERR_HSM_SELF_TEST` if a new key does not work
 */
export async function provisionRegion(
  access: ProvisionAccess,
  capabilities: HsmCapabilities,
): Promise<ProvisionReport> {
  const made: KeyLabel[] = [];
  let trustedDomainKey: boolean | null = null;
  const missing = await access.asUser(async (runner) => {
    const jobs = new HsmJobs(runner, new HsmHealth());
    await sweep(jobs);
    const labels: DomainKeyLabel[] = [];
    for (const label of DOMAIN_KEY_LABELS) {
      if ((await findTokenKeys(jobs, CKO_SECRET_KEY, label)).length === 0) labels.push(label);
    }
    return labels;
  });
  for (const label of missing) {
    trustedDomainKey = (await addDomainKey(access, capabilities, label)) ?? trustedDomainKey;
    made.push(label);
  }
  await access.asUser(async (runner) => {
    const jobs = new HsmJobs(runner, new HsmHealth());
    if ((await findTokenKeys(jobs, CKO_SECRET_KEY, KEY_LABELS.recordKey)).length === 0) {
      await makeRecordKey(jobs, capabilities);
      made.push(KEY_LABELS.recordKey);
    }
    for (const label of [KEY_LABELS.replicationSigningKey, KEY_LABELS.importSigningKey]) {
      const signingKeys = new SigningKeys(jobs, capabilities, label);
      await signingKeys.sweep();
      if ((await signingKeys.list()).length > 0) continue;
      await signingKeys.generate();
      made.push(label);
    }
  });
  return { made, trustedDomainKey };
}

/**
 * Makes the partition authority's key where the token has none.
 *
 * @param capabilities - for the purpose `authority`
 */
export async function provisionAuthority(
  access: ProvisionAccess,
  capabilities: HsmCapabilities,
): Promise<ProvisionReport> {
  return access.asUser(async (runner) => {
    const keys = new SigningKeys(new HsmJobs(runner, new HsmHealth()), capabilities, KEY_LABELS.partitionAuthorityKey);
    await keys.sweep();
    if ((await keys.list()).length > 0) return { made: [], trustedDomainKey: null };
    await keys.generate();
    return { made: [KEY_LABELS.partitionAuthorityKey], trustedDomainKey: null };
  });
}

/**
 * Adds a domain key, which is then the active one of its label; those that are there stay, for what they have wrapped.
 *
 * The user makes the domain key of multi-Region material. That of single-Region material is made trusted, where the token enforces
 * `CKA_WRAP_WITH_TRUSTED` and its security officer is at hand: the officer makes it as a public object, because no other can be
 * trusted; the user copies it into a private object and destroys the first.
 *
 * HAZARD: between these two steps SoftHSM2 has the key in clear on its disk. Nothing is wrapped under it before the copy is alone.
 *
 * @returns whether the key is trusted; null where the officer was not asked
 * @source PKCS#11 v2.40 section 4.4.2 (CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED)
 */
export async function addDomainKey(
  access: ProvisionAccess,
  capabilities: HsmCapabilities,
  label: DomainKeyLabel,
): Promise<boolean | null> {
  const id = await access.asUser(async (runner) => {
    const jobs = new HsmJobs(runner, new HsmHealth());
    await sweep(jobs);
    return nextKeyId(await findTokenKeys(jobs, CKO_SECRET_KEY, label));
  });
  const isToBeTrusted = label === KEY_LABELS.singleRegionDomainKey && capabilities.enforcesWrapWithTrusted;
  let isTrusted: boolean | null = null;
  if (isToBeTrusted && access.asSecurityOfficer !== null) {
    isTrusted = await access.asSecurityOfficer((runner) =>
      makeClearDomainKey(new HsmJobs(runner, new HsmHealth()), id, capabilities),
    );
  }
  await access.asUser(async (runner) => {
    const jobs = new HsmJobs(runner, new HsmHealth());
    const shape = domainKeyShape(id, pendingLabel(label), capabilities);
    const handle =
      isTrusted === true
        ? await copyClearDomainKey(jobs, shape, capabilities)
        : await makeKey(jobs, CKM_AES_KEY_GEN, shape, capabilities);
    await testDomainKey(jobs, handle, capabilities, { isTrusted: isTrusted === true });
    await nameKey(jobs, handle, label);
  });
  return isTrusted;
}

/** Destroys what an interrupted run left behind. */
async function sweep(jobs: HsmJobs): Promise<void> {
  const labels = [
    CLEAR_LABEL,
    ...DOMAIN_KEY_LABELS.map((label) => pendingLabel(label)),
    pendingLabel(KEY_LABELS.recordKey),
  ];
  for (const label of labels) {
    for (const key of await findTokenKeys(jobs, CKO_SECRET_KEY, label)) {
      await jobs.destroy(key.handle, 'sweep half-made key');
    }
  }
}

async function makeKey(
  jobs: HsmJobs,
  mechanism: number,
  shape: KeyShape,
  capabilities: HsmCapabilities,
): Promise<ObjectHandle> {
  const job = new Job('make token key', shape.label);
  const key = job.generateKey(
    { type: mechanism, parameter: NO_PARAMETER },
    templateOf(shape, 'generate', capabilities),
  );
  const attributes = readBack(job, key, shape, capabilities);
  const kept = job.keep(key);
  const result = await jobs.run(job);
  assertShape(result.attributes(attributes), shape, capabilities);
  return result.object(kept);
}

async function makeRecordKey(jobs: HsmJobs, capabilities: HsmCapabilities): Promise<void> {
  const shape = recordKeyShape(nextKeyId([]), pendingLabel(KEY_LABELS.recordKey));
  const handle = await makeKey(jobs, CKM_GENERIC_SECRET_KEY_GEN, shape, capabilities);
  const job = new Job('test record key', 'HMAC-SHA-384');
  const macs = ['a', 'b'].map((text) =>
    job.sign({ type: CKM_SHA384_HMAC, parameter: NO_PARAMETER }, handle, utf8(text)),
  );
  const result = await jobs.run(job);
  const [first, second] = macs.map((mac) => result.bytes(mac));
  if (first?.length !== 48 || second === undefined || equalOctets(first, second)) {
    throw jobs.health.stop('a new record key makes no HMAC-SHA-384');
  }
  await nameKey(jobs, handle, KEY_LABELS.recordKey);
}

/** Makes the key that the user will copy; false where this token's officer cannot make a trusted key. */
async function makeClearDomainKey(jobs: HsmJobs, id: Uint8Array, capabilities: HsmCapabilities): Promise<boolean> {
  const shape = templateOf(domainKeyShape(id, CLEAR_LABEL, capabilities), 'generate', capabilities);
  const trusted: Template = [
    ...shape.filter(({ type }) => type !== CKA_PRIVATE),
    ...template([CKA_PRIVATE, false], [CKA_TRUSTED, true]),
  ];
  // A token may know trusted keys and no unwrap templates; the self-test at open tells what it enforces.
  for (const keyTemplate of [[...trusted, ...SINGLE_REGION_UNWRAP_TEMPLATE], trusted]) {
    const job = new Job('make trusted key', 'CKA_TRUSTED');
    job.keep(job.generateKey({ type: CKM_AES_KEY_GEN, parameter: NO_PARAMETER }, keyTemplate));
    try {
      await jobs.run(job);
      return true;
    } catch (error) {
      if (!(error instanceof HsmError && error.cause instanceof TokenError && error.cause.severity === 'call'))
        throw error;
    }
  }
  return false;
}

async function copyClearDomainKey(
  jobs: HsmJobs,
  shape: ReturnType<typeof domainKeyShape>,
  capabilities: HsmCapabilities,
): Promise<ObjectHandle> {
  const [clear] = (await findTokenKeys(jobs, CKO_SECRET_KEY, CLEAR_LABEL)).filter((key) =>
    equalOctets(key.id, shape.id),
  );
  if (clear === undefined) {
    throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'the key that the security officer made is not in the token');
  }
  const job = new Job('make trusted key private', 'C_CopyObject');
  const copy = job.copyObject(clear.handle, template([CKA_PRIVATE, true], [CKA_LABEL, utf8(shape.label)]));
  const attributes = readBack(job, copy, shape, capabilities);
  const trusted = job.getAttributes(copy, [CKA_TRUSTED]);
  const kept = job.keep(copy);
  job.destroyObject(clear.handle);
  const result = await jobs.run(job);
  assertShape(result.attributes(attributes), shape, capabilities);
  const flag = result.attributes(trusted).get(CKA_TRUSTED);
  if (flag?.state !== 'value' || flag.octets[0] !== 1) {
    throw new HsmError('ERR_HSM_TYPE', 'the copy of the trusted domain key is not trusted');
  }
  return result.object(kept);
}

/** Wraps a session key and unwraps it again, in the way in which single-Region keys are stored; both must be the same key. */
async function testDomainKey(
  jobs: HsmJobs,
  handle: ObjectHandle,
  capabilities: HsmCapabilities,
  { isTrusted }: { readonly isTrusted: boolean },
): Promise<void> {
  const block = new Uint8Array(16);
  const cbc = { type: CKM_AES_CBC, parameter: { kind: 'octets', octets: block } } as const;
  const keyWrapPad = { type: capabilities.keyWrapPad, parameter: NO_PARAMETER } as const;
  const shape: KeyShape = {
    keyType: CKK_AES,
    lengthOctets: 32,
    uses: ['encrypt'],
    label: 'keyferry:test',
    id: new Uint8Array(16),
    extractable: true,
    wrapWithTrusted: isTrusted,
  };
  const first = new Job('test domain key', 'wrap');
  const key = first.generateKey(
    { type: CKM_AES_KEY_GEN, parameter: NO_PARAMETER },
    templateOf(shape, 'generate', capabilities),
  );
  const expected = first.encrypt(cbc, key, block);
  const wrapped = first.wrapKey(keyWrapPad, handle, key);
  const firstResult = await jobs.run(first);
  const second = new Job('test domain key', 'unwrap');
  const unwrapped = second.unwrapKey(
    keyWrapPad,
    handle,
    firstResult.bytes(wrapped),
    templateOf(shape, 'unwrap', capabilities),
  );
  const answer = second.encrypt(cbc, unwrapped, block);
  const secondResult = await jobs.run(second);
  if (!equalOctets(firstResult.bytes(expected), secondResult.bytes(answer))) {
    throw jobs.health.stop('a new domain key does not unwrap what it wrapped');
  }
}

/** The commit: from now on the key is one of ours. */
async function nameKey(jobs: HsmJobs, handle: ObjectHandle, label: KeyLabel): Promise<void> {
  const job = new Job('name token key', label);
  job.setAttributes(handle, template([CKA_LABEL, utf8(label)]));
  await jobs.run(job);
}
