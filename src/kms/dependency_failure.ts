import { HsmError, type HsmErrorCode } from '../hsm/errors.js';
import { ReplicationError, type ReplicationErrorCode } from '../replication/errors.js';
import { invalidCiphertext, KmsError } from './errors.js';

/**
 * Awaits a job of the HSM or of replication and puts its failure into the words of AWS KMS.
 *
 * @param purpose - `key`: the job uses a key of the caller's; `service`: it makes a key or random octets
 * @throws {@link KmsError} where AWS KMS has a name for the failure; everything else goes through unchanged and becomes a
 * `KMSInternalException` at the edge
 */
export async function awaitDependency<Result>(purpose: 'key' | 'service', job: Promise<Result>): Promise<Result> {
  try {
    return await job;
  } catch (error) {
    if (error instanceof HsmError) throw ofHsm(purpose, error.code, error) ?? error;
    if (error instanceof ReplicationError) throw ofReplication(error.code, error) ?? error;
    throw error;
  }
}

function ofReplication(code: ReplicationErrorCode, cause: ReplicationError): KmsError | undefined {
  switch (code) {
    case 'ERR_REPL_NO_ROSTER':
    case 'ERR_REPL_NO_ACTIVE_RSK':
    case 'ERR_REPL_UNAVAILABLE':
      return new KmsError('DependencyTimeoutException', 'Replication is not available in this region at the moment.', {
        cause,
        retryable: true,
      });
    case 'ERR_REPL_ROSTER_CHANGE':
      return undefined;
    default: {
      const unlisted: never = code;
      return unlisted;
    }
  }
}

function ofHsm(purpose: 'key' | 'service', code: HsmErrorCode, cause: HsmError): KmsError | undefined {
  switch (code) {
    case 'ERR_HSM_CIPHERTEXT':
      return invalidCiphertext(cause);
    case 'ERR_HSM_SESSION_LOST':
    case 'ERR_HSM_UNAVAILABLE':
      return purpose === 'key'
        ? new KmsError('KeyUnavailableException', 'The key is not available at the moment.', { cause, retryable: true })
        : new KmsError('DependencyTimeoutException', 'The HSM is not available at the moment.', {
            cause,
            retryable: true,
          });
    case 'ERR_HSM_FULL':
      return purpose === 'key'
        ? new KmsError('KeyUnavailableException', 'The key is not available at the moment.', { cause, retryable: true })
        : new KmsError('LimitExceededException', 'The HSM has no room for another key.', { cause });
    case 'ERR_HSM_STRATEGY':
      return new KmsError('UnsupportedOperationException', cause.message, { cause });
    case 'ERR_HSM_MECHANISM':
    case 'ERR_HSM_UNWRAP':
    case 'ERR_HSM_TYPE':
    case 'ERR_HSM_MATERIAL_ID':
    case 'ERR_HSM_AGREEMENT_KEY':
    case 'ERR_HSM_NOT_DESTROYED':
    case 'ERR_HSM_SELF_TEST':
    case 'ERR_HSM_POLICY_REFUSED':
    case 'ERR_HSM_KEY_NOT_FOUND':
    case 'ERR_HSM_RECORD':
    case 'ERR_HSM_TOO_LONG':
      return undefined;
    default: {
      const unlisted: never = code;
      return unlisted;
    }
  }
}
