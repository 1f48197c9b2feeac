import { HsmError } from '../../hsm/errors.js';
import { ImportError, type ImportErrorCode } from '../../import/errors.js';
import { authorizeKey } from '../authorization.js';
import { awaitDependency } from '../dependency_failure.js';
import { incorrectKeyMaterial, invalidCiphertext, KmsError, originNotValid, validationError } from '../errors.js';
import { requireExpiration, type Expiration, type ImportType } from '../import_rules.js';
import { findKey } from '../key_lookup.js';
import type { ExpirationModel, KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import { placeImport, stateWith } from '../material_change.js';
import type { ImportParameters } from '../material_store.js';
import { synchronizeReplicas } from '../multi_region_sync.js';
import type { Call, Operation } from '../region.js';
import { publicKeyHash } from './get_parameters_for_import.js';

export interface ImportKeyMaterialRequest {
  readonly KeyId: string;
  /** 1–6,144 octets. */
  readonly ImportToken: Uint8Array;
  /** 1–6,144 octets. */
  readonly EncryptedKeyMaterial: Uint8Array;
  readonly ValidTo?: Date;
  readonly ExpirationModel?: ExpirationModel;
  readonly ImportType?: ImportType;
  /** At most 256 characters. */
  readonly KeyMaterialDescription?: string;
  /** 64 lower-case hex digits. */
  readonly KeyMaterialId?: string;
}

export interface ImportKeyMaterialResponse {
  readonly KeyId: string;
  /** Of symmetric encryption keys. */
  readonly KeyMaterialId?: string;
}

/** Wrapping keys that are unwrapping at this moment, in every region of this process: none works for two imports. */
const unwrapping = new Set<string>();

/**
 * Imports material into a key, or the same material again.
 *
 * The parameters are used up by the first blob that reaches the token, whatever comes of it: a wrapping key answers once. What
 * the token could not try at all leaves them as they were.
 *
 * @throws {@link KmsError} `InvalidImportTokenException`, `ExpiredImportTokenException`; `InvalidCiphertextException` for every
 * failure to unwrap; `IncorrectKeyMaterialException` for what is no material of this key
 * @source AWS KMS API Reference, ImportKeyMaterial
 */
export const importKeyMaterial: Operation<ImportKeyMaterialRequest, ImportKeyMaterialResponse> = async (
  call,
  request,
) => {
  const { region } = call;
  const record = findImportable(call, request);
  requireMembers(record, request);
  const expiration = requireExpiration(request, region.clock.nowMs());
  const parameters = await openToken(call, record, request.ImportToken);
  const { importKey } = parameters;
  // The token was checked meanwhile: somebody else may have begun with the same one.
  if (unwrapping.has(importKey.id)) throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_USED');
  unwrapping.add(importKey.id);
  try {
    const { material, strategy, outsideToken } = await unwrap(call, record, parameters, request.EncryptedKeyMaterial);
    const { materialId } = material.binding;
    call.note?.({ keyArn: record.arn, keyMaterialId: materialId, strategy, outsideToken });
    try {
      install(call, request, { parameters, material, expiration });
    } catch (error) {
      useUp(call, importKey.id);
      if (error instanceof KmsError && error.code === 'IncorrectKeyMaterialException') {
        note(call, record, 'ERR_IMPORT_MATERIAL_OTHER');
      }
      throw error;
    }
    region.deadlines.changed();
    region.replicator.wake();
    return {
      KeyId: record.arn,
      ...(record.keySpec === 'SYMMETRIC_DEFAULT' && { KeyMaterialId: materialId }),
    };
  } finally {
    unwrapping.delete(importKey.id);
  }
};

/** One transaction: the version, the key's state, and the end of the parameters. */
function install(
  call: Call,
  request: ImportKeyMaterialRequest,
  unwrapped: {
    readonly parameters: ImportParameters;
    readonly material: Parameters<typeof placeImport>[2]['material'];
    readonly expiration: Expiration;
  },
): void {
  const { store, materials, clock } = call.region;
  store.transaction(() => {
    const record = findImportable(call, request);
    const versions = materials.versions(record.keyId);
    const version = placeImport(record, versions, {
      material: unwrapped.material,
      importType: request.ImportType,
      expectedId: request.KeyMaterialId,
      description: request.KeyMaterialDescription,
      expiration: unwrapped.expiration,
      nowMs: clock.nowMs(),
    });
    if (!materials.removeParameters(unwrapped.parameters.importKey.id)) {
      throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_USED');
    }
    materials.putVersion(record.keyId, version);
    const isTold = versions.some(
      ({ materialId, description }) => materialId === version.materialId && description === version.description,
    );
    if (!isTold) synchronizeReplicas(call.region, record);
    store.setState(record.keyId, stateWith(record.state, materials.versions(record.keyId)), record.deletion);
  });
}

async function unwrap(
  call: Call,
  record: KeyRecord,
  { importKey, algorithm }: ImportParameters,
  encrypted: Uint8Array,
): ReturnType<Call['region']['importHsm']['importMaterial']> {
  const { keyId, keySpec, keyUsage, dataSuite } = record;
  try {
    return await awaitDependency(
      'key',
      call.region.importHsm.importMaterial({
        importKey,
        algorithm,
        encrypted,
        binding: { keyId, keySpec, keyUsage, multiRegion: record.multiRegion !== null, dataSuite },
      }),
    );
  } catch (error) {
    if (!(error instanceof HsmError)) throw error;
    if (error.code === 'ERR_HSM_UNWRAP') {
      useUp(call, importKey.id);
      note(call, record, 'ERR_IMPORT_MATERIAL_UNWRAP');
      throw invalidCiphertext(error);
    }
    if (error.code === 'ERR_HSM_TYPE') {
      useUp(call, importKey.id);
      note(call, record, 'ERR_IMPORT_MATERIAL_KIND');
      throw incorrectKeyMaterial(`The key material is not what key spec ${keySpec} asks for.`, error);
    }
    throw error;
  }
}

/** Tells the audit alone why an import is refused. */
function note(call: Call, { arn }: KeyRecord, refusal: ImportErrorCode): void {
  call.note?.({ keyArn: arn, refusal });
}

/** Whatever is wrong with a token, its caller is told one thing. */
function refusedToken(call: Call, record: KeyRecord, refusal: ImportErrorCode): KmsError {
  note(call, record, refusal);
  return invalidToken();
}

function useUp(call: Call, importKeyId: string): void {
  call.region.materials.removeParameters(importKeyId);
}

/** The parameters that a token belongs to. */
async function openToken(call: Call, record: KeyRecord, octets: Uint8Array): Promise<ImportParameters> {
  const { region } = call;
  const claims = await awaitDependency('service', region.importTokens.open(octets));
  if (claims instanceof ImportError) throw refusedToken(call, record, claims.code);
  if (claims.keyId !== record.keyId) throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_KEY');
  if (claims.expiresMs <= region.clock.nowMs()) {
    note(call, record, 'ERR_IMPORT_TOKEN_EXPIRED');
    throw new KmsError('ExpiredImportTokenException', 'The import token has expired.');
  }
  const parameters = region.materials.parameters(claims.importKeyId);
  if (parameters === undefined) throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_USED');
  if (parameters.algorithm !== claims.algorithm) throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_ALGORITHM');
  const isTheirs =
    parameters.keyId === record.keyId &&
    parameters.importKey.keySpec === claims.wrappingKeySpec &&
    publicKeyHash(parameters.importKey.publicKey) === claims.publicKeyHash;
  if (!isTheirs) throw refusedToken(call, record, 'ERR_IMPORT_TOKEN_WRAPPING_KEY');
  return parameters;
}

function findImportable(call: Call, request: ImportKeyMaterialRequest): KeyRecord {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'ImportKeyMaterial', record, {
    conditions: {
      'kms:ExpirationModel': request.ExpirationModel ?? 'KEY_MATERIAL_EXPIRES',
      'kms:ValidTo': request.ValidTo,
    },
  });
  if (record.origin !== 'EXTERNAL') throw originNotValid(record);
  requireState('import', record.state, record.arn);
  return record;
}

/** Members that only some keys take, and that exclude one another. */
function requireMembers(record: KeyRecord, request: ImportKeyMaterialRequest): void {
  const { ImportType: type, KeyMaterialDescription: description, KeyMaterialId: materialId } = request;
  const isSymmetric = record.keySpec === 'SYMMETRIC_DEFAULT';
  for (const [name, value] of Object.entries({
    ImportType: type,
    KeyMaterialDescription: description,
    KeyMaterialId: materialId,
  })) {
    if (!isSymmetric && value !== undefined) {
      throw new KmsError('UnsupportedOperationException', `${name} is not supported for key spec ${record.keySpec}.`);
    }
  }
  if (type === 'NEW_KEY_MATERIAL' && materialId !== undefined) {
    throw validationError('KeyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL');
  }
  if (description !== undefined && record.multiRegion?.type === 'REPLICA') {
    throw new KmsError(
      'UnsupportedOperationException',
      'KeyMaterialDescription can be set in the multi-Region primary key only.',
    );
  }
}

function invalidToken(): KmsError {
  return new KmsError('InvalidImportTokenException', 'The import token is not valid for this KMS key.');
}
