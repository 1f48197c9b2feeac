import { resolve } from 'node:path';
import { z } from 'zod';
import { CeremonyError } from '../customer/errors.js';
import { parseExpiration, type Expiration } from '../customer/expiration.js';
import { GRANT_OPERATIONS } from '../kms/grant.js';
import { KEY_SPECS, KEY_USAGES } from '../kms/key_spec.js';

/** Keys that one lab is prepared with: more would take longer than people wait. */
const KEYS_MAX = 500;
const GRANTS_MAX = 100;
const TAGS_MAX = 50;

const region = z.string().min(1).max(32);
const context = z.record(z.string().min(1), z.string());

const grant = z.strictObject({
  /** A grant is found again by its name. */
  name: z.string().regex(/^[a-zA-Z0-9:/_-]{1,256}$/u, 'a grant is named by letters, digits and :/_-'),
  granteePrincipal: z.string().min(1).max(256),
  retiringPrincipal: z.string().min(1).max(256).optional(),
  operations: z.array(z.enum(GRANT_OPERATIONS)).min(1),
  constraints: z
    .strictObject({ encryptionContextEquals: context.optional(), encryptionContextSubset: context.optional() })
    .optional(),
});

const material = z
  .strictObject({
    file: z.string().min(1),
    validTo: z.string().optional(),
    validFor: z.string().optional(),
    description: z.string().max(256).optional(),
  })
  .transform(({ file, description, ...said }, issues): SeedMaterial => {
    try {
      const isSilent = said.validTo === undefined && said.validFor === undefined;
      const expiration = parseExpiration({ ...said, doesNotExpire: isSilent });
      return { file, expiration, ...(description !== undefined && { description }) };
    } catch (error) {
      if (!(error instanceof CeremonyError)) throw error;
      issues.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });

const policy = z.union([z.strictObject({ file: z.string().min(1) }), z.looseObject({ Statement: z.unknown() })], {
  error: 'a policy is written here as it is in JSON, with its Statement, or is { file: PATH }',
});

const key = z
  .strictObject({
    keyId: z
      .string()
      .regex(
        /^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/u,
        'a key id is a lower-case UUID, or of a multi-Region key mrk- and 32 hexadecimal digits',
      )
      .optional(),
    aliases: z
      .array(z.string().regex(/^alias\/(?!aws\/)[a-zA-Z0-9/_-]{1,250}$/u, 'an alias is named like alias/orders'))
      .max(50)
      .default([]),
    region: region.optional(),
    multiRegion: z.boolean().optional(),
    replicas: z.array(region).default([]),
    description: z.string().max(8192).default(''),
    keySpec: z.enum(KEY_SPECS).default('SYMMETRIC_DEFAULT'),
    keyUsage: z.enum(KEY_USAGES).optional(),
    origin: z.enum(['AWS_KMS', 'EXTERNAL']).default('AWS_KMS'),
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .refine((tags) => Object.keys(tags).length <= TAGS_MAX, `a key has at most ${TAGS_MAX} tags`)
      .default({}),
    policy: policy.optional(),
    bypassPolicyLockoutSafetyCheck: z.boolean().default(false),
    grants: z.array(grant).max(GRANTS_MAX).default([]),
    rotation: z.strictObject({ periodDays: z.int().min(90).max(2560).default(365) }).optional(),
    material: material.optional(),
    enabled: z.boolean().default(true),
  })
  .superRefine((written, issues) => {
    for (const [path, message] of contradictions(written)) issues.addIssue({ code: 'custom', path: [path], message });
  });

/** Form of the `seed` member of a lab file. */
export const seedForm = z.strictObject({ keys: z.array(key).max(KEYS_MAX).default([]) });

type WrittenKey = z.infer<typeof key>;

/** Material of a seeded key. */
export interface SeedMaterial {
  readonly file: string;
  readonly expiration: Expiration;
  readonly description?: string;
}

/** A grant of a seeded key, found again by its name. */
export type SeedGrant = Readonly<z.infer<typeof grant>>;

/** A key that a lab is prepared with; paths are absolute. */
export interface SeedKey extends Omit<WrittenKey, 'region' | 'multiRegion' | 'keyUsage'> {
  readonly region: string;
  readonly multiRegion: boolean;
  readonly keyUsage: (typeof KEY_USAGES)[number];
}

/** What is wrong with one key by itself. */
function contradictions(written: {
  readonly [Member in keyof WrittenKey]: WrittenKey[Member];
}): readonly (readonly [keyof WrittenKey, string])[] {
  const found: (readonly [keyof WrittenKey, string])[] = [];
  const { keyId, aliases, keySpec, origin, replicas, multiRegion } = written;
  if (keyId === undefined && aliases.length === 0) {
    found.push(['aliases', 'a seeded key is found again by an alias or a keyId: give it one']);
  }
  if (multiRegion === false && replicas.length > 0) found.push(['multiRegion', 'only a multi-Region key has replicas']);
  const isMultiRegion = multiRegion === true || replicas.length > 0;
  if (keyId !== undefined && keyId.startsWith('mrk-') !== isMultiRegion) {
    const wanted = isMultiRegion ? 'begins with mrk-' : 'is a UUID';
    found.push(['keyId', `the id of a ${isMultiRegion ? 'multi' : 'single'}-Region key ${wanted}`]);
  }
  if (written.keyUsage === undefined && usualUsage(keySpec) === undefined) {
    found.push(['keyUsage', `a ${keySpec} key needs its keyUsage`]);
  }
  if (written.material !== undefined && origin !== 'EXTERNAL') {
    found.push(['material', 'only a key with origin: EXTERNAL takes material']);
  }
  if (written.rotation !== undefined && (keySpec !== 'SYMMETRIC_DEFAULT' || origin !== 'AWS_KMS')) {
    found.push(['rotation', 'only SYMMETRIC_DEFAULT keys of origin AWS_KMS rotate by themselves']);
  }
  const names = written.grants.map(({ name }) => name);
  if (new Set(names).size < names.length) found.push(['grants', 'two grants have one name']);
  return found;
}

function usualUsage(keySpec: string): (typeof KEY_USAGES)[number] | undefined {
  if (keySpec === 'SYMMETRIC_DEFAULT') return 'ENCRYPT_DECRYPT';
  return keySpec.startsWith('HMAC_') ? 'GENERATE_VERIFY_MAC' : undefined;
}

/**
 * The keys of a lab's seed, with everything that was left out.
 *
 * @param regions - of the lab, the first one where a key names none
 * @param file - of the lab; paths are relative to its directory
 */
export function seedKeys(
  written: z.infer<typeof seedForm>,
  { regions, file }: { readonly regions: readonly string[]; readonly file: string },
): readonly SeedKey[] {
  const from = (path: string): string => resolve(file, '..', path);
  return written.keys.map((each): SeedKey => ({
    ...each,
    region: each.region ?? regions[0] ?? '',
    multiRegion: each.multiRegion === true || each.replicas.length > 0,
    keyUsage: each.keyUsage ?? usualUsage(each.keySpec) ?? 'ENCRYPT_DECRYPT',
    ...(each.material !== undefined && { material: { ...each.material, file: from(each.material.file) } }),
    ...(each.policy !== undefined && 'file' in each.policy && { policy: { file: from(String(each.policy.file)) } }),
  }));
}

/** A region that the lab has not, or a key id or alias that two keys of one region want; undefined where there is none. */
export function seedClash(
  keys: readonly SeedKey[],
  regions: readonly string[],
): { readonly path: (string | number)[]; readonly message: string } | undefined {
  const taken = new Set<string>();
  for (const [index, { region: home, replicas, keyId, aliases }] of keys.entries()) {
    const at = (...path: (string | number)[]): (string | number)[] => ['seed', 'keys', index, ...path];
    for (const [place, name] of [home, ...replicas].entries()) {
      const path = place === 0 ? at('region') : at('replicas', place - 1);
      if (!regions.includes(name)) return { path, message: `the lab has no region ${name}` };
      if (place > 0 && name === home) return { path, message: `${name} has the key already: it is made there` };
      for (const [member, text] of [
        ['keyId', keyId] as const,
        ...aliases.map((alias) => ['aliases', alias] as const),
      ]) {
        if (text === undefined) continue;
        const mark = `${name} ${text}`;
        if (taken.has(mark)) return { path: at(member), message: `${text} is there twice in ${name}` };
        taken.add(mark);
      }
    }
  }
  return undefined;
}
