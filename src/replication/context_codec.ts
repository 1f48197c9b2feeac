import { utf8 } from '../bytes.js';
import { KEY_SPECS, KEY_USAGES, type KeySpec } from '../hsm/material.js';
import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import { Members } from '../wire/members.js';
import { isName } from '../wire/names.js';
import { accepted, refuse, refusing, type Reject } from '../wire/refusal.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../wire/strict_json.js';
import type { ImportedIdentity, KeyMetadataContext, RotationContext } from './key_context.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';

const MEMBERS = [
  'keyId',
  'keySpec',
  'keyUsage',
  'origin',
  'dataSuite',
  'account',
  'primaryRegion',
  'regions',
  'materials',
  'replica',
] as const;
const ROTATION_TYPES = ['AUTOMATIC', 'ON_DEMAND'] as const;
const ACCOUNT = /^[0-9]{12}$/;
/** AWS KMS allows 50 tags, a description of 8,192 characters and a policy of 32,768. */
const REPLICA_BOUNDS = { tagsMax: 50, descriptionMax: 8_192, policyMax: 32_768 } as const;

/** The octets that are sent and hashed; nobody ever encodes them again. */
export function encodeContext(context: KeyMetadataContext): Uint8Array {
  return utf8(JSON.stringify(context));
}

/**
 * Reads metadata that a source has sent, member by member.
 *
 * @returns the metadata, or a refusal with the member's path under `ctx`
 */
export function decodeContext(octets: Uint8Array): KeyMetadataContext | Reject {
  return refusing(() => {
    const parsed = accepted(parseStrictJson(octets));
    const isImported = isObject(parsed) && parsed['origin'] === 'EXTERNAL';
    const isHandover = isObject(parsed) && 'handover' in parsed;
    const isRotated = isObject(parsed) && parsed['origin'] === 'AWS_KMS' && 'rotation' in parsed;
    const names = [
      ...MEMBERS,
      ...(isImported ? ['imported'] : []),
      ...(isRotated ? ['rotation'] : []),
      ...(isHandover ? ['handover'] : []),
    ];
    const members = new Members(parsed, names, 'ctx');
    const materials = members.list('materials', { min: 1, max: LIMITS.materialsPerKeyMax }, (item, path) => {
      const material = new Members(item, ['materialId', 'index', 'state', 'createdMs'], path);
      return {
        materialId: material.materialId('materialId'),
        index: material.integer('index'),
        state: material.oneOf('state', ['CURRENT', 'NON_CURRENT']),
        createdMs: material.integer('createdMs'),
      };
    });
    if (materials.some((material, index) => material.index !== index)) {
      refuse('CONTEXT', 'ctx.materials', 'The rotation indexes do not count from 0.');
    }
    if (materials.filter((material) => material.state === 'CURRENT').length !== 1) {
      refuse('CONTEXT', 'ctx.materials', 'Not exactly one material is current.');
    }
    const replica = new Members(members.value('replica'), ['description', 'policy', 'tags'], 'ctx.replica');
    const keySpec = members.oneOf('keySpec', KEY_SPECS);
    const account = members.text('account');
    if (!ACCOUNT.test(account)) refuse('SYNTAX', 'ctx.account', 'Not an account of 12 digits.');
    return {
      keyId: members.keyId('keyId'),
      keySpec,
      keyUsage: members.oneOf('keyUsage', KEY_USAGES),
      origin: members.oneOf('origin', ['AWS_KMS', 'EXTERNAL']),
      dataSuite: readDataSuite(members, keySpec),
      account,
      primaryRegion: members.name('primaryRegion'),
      regions: members.texts('regions', { min: 1, max: LIMITS.regionsMax }, isName),
      materials,
      ...(isImported && { imported: readImported(members, materials.length) }),
      ...(isRotated && { rotation: readRotation(members, materials) }),
      ...(isHandover && { handover: members.text('handover') }),
      replica: {
        description: replica.text('description', REPLICA_BOUNDS.descriptionMax),
        policy: replica.text('policy', REPLICA_BOUNDS.policyMax),
        tags: replica.list('tags', { max: REPLICA_BOUNDS.tagsMax }, (item, path) => {
          const tag = new Members(item, ['TagKey', 'TagValue'], path);
          return { TagKey: tag.text('TagKey', 128), TagValue: tag.text('TagValue', 256) };
        }),
      },
    };
  });
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readImported(members: Members, count: number): ImportedIdentity {
  const imported = new Members(members.value('imported'), ['versions', 'pending'], 'ctx.imported');
  const versions = imported.list('versions', { min: count, max: count }, (item, path) => {
    const version = new Members(item, ['description', 'rotatedMs'], path);
    return { description: readDescription(version), rotatedMs: integerOrNull(version, 'rotatedMs') };
  });
  if (imported.value('pending') === null) return { versions, pending: null };
  const pending = new Members(
    imported.value('pending'),
    ['materialId', 'description', 'createdMs'],
    'ctx.imported.pending',
  );
  return {
    versions,
    pending: {
      materialId: pending.materialId('materialId'),
      description: readDescription(pending),
      createdMs: pending.integer('createdMs'),
    },
  };
}

/** Material that is current has become so: only the others may be of a rotation in progress, and only the newest is. */
function readRotation(members: Members, materials: KeyMetadataContext['materials']): RotationContext {
  const { length: count } = materials;
  const rotation = new Members(members.value('rotation'), ['setting', 'versions'], 'ctx.rotation');
  const versions = rotation.list('versions', { min: count, max: count }, (item, path) => {
    const version = new Members(item, ['type', 'rotatedMs'], path);
    const type = version.nullable('type', () => version.oneOf('type', ROTATION_TYPES));
    return { type, rotatedMs: integerOrNull(version, 'rotatedMs') };
  });
  for (const [index, { type, rotatedMs }] of versions.entries()) {
    const isInProgress = type !== null && rotatedMs === null;
    const mayBe = index === count - 1 && materials[index]?.state === 'NON_CURRENT';
    if ((type === null && rotatedMs !== null) || (isInProgress && !mayBe)) {
      refuse('CONTEXT', 'ctx.rotation.versions', 'Not what rotations make of versions.');
    }
  }
  if (rotation.value('setting') === null) return { setting: null, versions };
  const setting = new Members(rotation.value('setting'), ['periodDays', 'nextMs'], 'ctx.rotation.setting');
  return { setting: { periodDays: setting.integer('periodDays'), nextMs: setting.integer('nextMs') }, versions };
}

/** @source AWS KMS API Reference, KeyMaterialDescription */
function readDescription(members: Members): string | null {
  return members.value('description') === null ? null : members.text('description', 256);
}

function integerOrNull(members: Members, name: string): number | null {
  return members.value(name) === null ? null : members.integer(name);
}

/** Message keys are made from symmetric material only: exactly that has a data suite. */
function readDataSuite(members: Members, keySpec: KeySpec): DataSuite | null {
  if (keySpec === 'SYMMETRIC_DEFAULT') return members.oneOf('dataSuite', DATA_SUITES);
  if (members.value('dataSuite') !== null) refuse('CONTEXT', 'ctx.dataSuite', 'This key spec has no data suite.');
  return null;
}
