import { createHash } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { authorizeKey } from '../authorization.js';
import { awaitDependency } from '../dependency_failure.js';
import { KmsError, originNotValid } from '../errors.js';
import { requireWrapping, type RequestedWrappingAlgorithm, type RequestedWrappingKeySpec } from '../import_rules.js';
import { findKey } from '../key_lookup.js';
import type { KeyRecord } from '../key_record.js';
import { requireState } from '../key_state.js';
import type { Call, Operation } from '../region.js';

export interface GetParametersForImportRequest {
  readonly KeyId: string;
  readonly WrappingAlgorithm: RequestedWrappingAlgorithm;
  readonly WrappingKeySpec: RequestedWrappingKeySpec;
}

export interface GetParametersForImportResponse {
  readonly KeyId: string;
  readonly ImportToken: Uint8Array;
  /** DER SubjectPublicKeyInfo. */
  readonly PublicKey: Uint8Array;
  readonly ParametersValidTo: Date;
}

/**
 * Makes a wrapping key for one import into one key, and the import token that goes with it; both are valid for 24 hours.
 *
 * @throws {@link KmsError} `UnsupportedOperationException` for a key of another origin, a combination that AWS KMS does not allow,
 * and one that this region's token cannot unwrap (the text names the mechanisms)
 * @source AWS KMS API Reference, GetParametersForImport
 */
export const getParametersForImport: Operation<GetParametersForImportRequest, GetParametersForImportResponse> = async (
  call,
  request,
) => {
  const { region } = call;
  const record = findImportable(call, request);
  const { algorithm, wrappingKeySpec } = requireWrapping(
    record.keySpec,
    request.WrappingAlgorithm,
    request.WrappingKeySpec,
  );
  const refusal = region.importHsm.refusalOfImport(record.keySpec, algorithm);
  if (refusal !== undefined) throw new KmsError('UnsupportedOperationException', refusal);
  requireRoom(call, record);

  // A replica's owner asks here first.
  region.importHsm.expectImports();
  const importKey = await awaitDependency('service', region.importHsm.generateImportKey(wrappingKeySpec));
  const issuedMs = wholeSecondMs(region.clock.nowMs());
  const validToMs = issuedMs + LIMITS.kmsImportParametersMs;
  const token = await awaitDependency(
    'service',
    region.importTokens.issue({
      keyId: record.keyId,
      importKeyId: importKey.id,
      publicKeyHash: publicKeyHash(importKey.publicKey),
      wrappingKeySpec,
      algorithm,
      issuedMs,
      expiresMs: validToMs,
    }),
  );
  region.store.transaction(() => {
    // The key may have gone, or have been scheduled to go, while the token worked.
    const now = findImportable(call, request);
    requireRoom(call, now);
    region.materials.insertParameters({ keyId: now.keyId, algorithm, importKey, validToMs });
  });
  region.deadlines.changed();
  return {
    KeyId: record.arn,
    ImportToken: token,
    PublicKey: importKey.publicKey,
    ParametersValidTo: new Date(validToMs),
  };
};

/** What an import token names its wrapping key by. */
export function publicKeyHash(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

function findImportable(call: Call, request: GetParametersForImportRequest): KeyRecord {
  const record = findKey(call, request.KeyId, 'key');
  authorizeKey(call, 'GetParametersForImport', record, {
    conditions: {
      'kms:WrappingAlgorithm': request.WrappingAlgorithm,
      'kms:WrappingKeySpec': request.WrappingKeySpec,
    },
  });
  if (record.origin !== 'EXTERNAL') throw originNotValid(record);
  requireState('parameters', record.state, record.arn);
  return record;
}

function requireRoom(call: Call, record: KeyRecord): void {
  if (call.region.materials.countParameters(record.keyId) < LIMITS.kmsImportParametersPerKeyMax) return;
  throw new KmsError(
    'ThrottlingException',
    `The key has ${LIMITS.kmsImportParametersPerKeyMax} unused sets of import parameters. Use one of them, or wait until they expire.`,
  );
}

/** Tokens and the API tell whole seconds: what is shown is what holds. */
function wholeSecondMs(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
