import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ConfigError } from '../../errors.js';
import { KEY_SPECS, KEY_USAGES } from '../../kms/key_spec.js';
import type { KeyMetadata } from '../../kms/key_record.js';
import { createKeyWithId, type CreateKeyRequest } from '../../kms/operations/create_key.js';
import type { KmsRegion } from '../../kms/region.js';

const createKeyForm = z.strictObject({
  Description: z.string().max(8192).optional(),
  KeySpec: z.enum(KEY_SPECS).optional(),
  KeyUsage: z.enum(KEY_USAGES).optional(),
  Origin: z.enum(['AWS_KMS', 'EXTERNAL']).optional(),
  MultiRegion: z.boolean().optional(),
  Policy: z.string().min(1).max(131_072).optional(),
  BypassPolicyLockoutSafetyCheck: z.boolean().optional(),
  Tags: z
    .array(z.strictObject({ TagKey: z.string().min(1).max(128), TagValue: z.string().max(256) }))
    .max(1000)
    .optional(),
});

/** Form of a request for a key whose id is chosen. */
export const chosenKeyForm = z.strictObject({
  /** A UUID, or `mrk-` and 32 hex digits. */
  keyId: z.string().max(64),
  /** Of a multi-Region key: compact JWS of the partition authority. */
  birthCertificate: z.string().max(16_384).nullable(),
  /** Members of `CreateKey`. */
  request: createKeyForm,
});

/** A key that a laboratory wants under an id of its own choice. */
export type ChosenKey = Readonly<z.infer<typeof chosenKeyForm>>;

/**
 * Makes a key whose id is chosen, as the account's root, and tells the audit trail.
 *
 * @param isLab - whether lab controls are on
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` outside lab mode; {@link KmsError} as CreateKey
 */
export async function createChosenKey(
  region: KmsRegion,
  chosen: ChosenKey,
  isLab: boolean,
): Promise<{ readonly KeyMetadata: KeyMetadata }> {
  if (!isLab) throw new ConfigError('ERR_CONFIG_STATE', 'The ids of keys are chosen in lab mode only');
  const { partition, account } = region.home;
  const caller = { principal: `arn:${partition}:iam::${account}:root`, account };
  const request = withoutAbsent(chosen.request);
  const { keyId, birthCertificate } = chosen;
  const response = await createKeyWithId({ region, caller }, request, { keyId, birthCertificate });
  await region.events.record({
    name: 'CreateKey',
    keyArn: response.KeyMetadata.Arn,
    details: {},
    call: { request, response },
    eventId: randomUUID(),
    atMs: region.clock.nowMs(),
  });
  return response;
}

/** A member that is absent and one that is undefined are two things to the operation. */
function withoutAbsent(request: ChosenKey['request']): CreateKeyRequest {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as CreateKeyRequest;
}
