import type { StoredMaterial } from '../hsm/material.js';
import { dryRunSucceeded, validationError } from './errors.js';
import { awaitDependency } from './dependency_failure.js';
import { findEncryptingKey } from './encrypting_key.js';
import type { EncryptionContext } from './ports.js';
import type { Call } from './region.js';

/** Lengths of data keys by their spec, octets. */
const DATA_KEY_OCTETS = { AES_128: 16, AES_256: 32 } as const;
export type DataKeySpec = keyof typeof DATA_KEY_OCTETS;
export const DATA_KEY_SPECS = ['AES_256', 'AES_128'] as const satisfies readonly DataKeySpec[];

/** What every request for a data key says. */
export interface DataKeyRequest {
  readonly KeyId: string;
  readonly EncryptionContext?: EncryptionContext;
  /** 1–1024; exactly one of this and `KeySpec`. */
  readonly NumberOfBytes?: number;
  readonly KeySpec?: DataKeySpec;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
}

/** A data key and the key that it was encrypted under. */
export interface DataKey {
  readonly arn: string;
  readonly material: StoredMaterial;
  readonly blob: Uint8Array;
  /** Null unless it was to be revealed. */
  readonly plaintext: Uint8Array | null;
}

/**
 * Makes a random data key in the token.
 *
 * @param operation - permission without `kms:`
 * @throws {@link KmsError} as Encrypt; `ValidationException` where not exactly one of the two sizes is given
 */
export async function makeDataKey(
  call: Call,
  request: DataKeyRequest,
  options: { readonly operation: string; readonly reveal: boolean },
): Promise<DataKey> {
  const octets = dataKeyOctets(request);
  const { arn, material } = findEncryptingKey(call, options.operation, {
    keyId: request.KeyId,
    grantTokens: request.GrantTokens,
    algorithm: undefined,
    context: request.EncryptionContext,
  });
  if (request.DryRun === true) throw dryRunSucceeded();
  const made = await awaitDependency(
    'key',
    call.region.hsm.generateDataKey(material, request.EncryptionContext ?? {}, { octets, reveal: options.reveal }),
  );
  return { arn, material, ...made };
}

function dataKeyOctets(request: DataKeyRequest): number {
  const { KeySpec: spec, NumberOfBytes: octets } = request;
  if (spec !== undefined && octets === undefined) return DATA_KEY_OCTETS[spec];
  if (spec === undefined && octets !== undefined) return octets;
  throw validationError('Please specify either number of bytes or key spec.');
}
