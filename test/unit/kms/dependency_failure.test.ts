import { expect } from 'chai';
import { HsmError, type HsmErrorCode } from '../../../src/hsm/errors.js';
import { awaitDependency } from '../../../src/kms/dependency_failure.js';
import { KmsError } from '../../../src/kms/errors.js';
import { ReplicationError } from '../../../src/replication/errors.js';

async function outcome(purpose: 'key' | 'service', failure: Error): Promise<unknown> {
  return awaitDependency(purpose, Promise.reject(failure)).catch((error: unknown) => error);
}

describe('A failure of the HSM or of replication', () => {
  const translated: readonly [HsmErrorCode, string, string][] = [
    ['ERR_HSM_CIPHERTEXT', 'InvalidCiphertextException', 'InvalidCiphertextException'],
    ['ERR_HSM_SESSION_LOST', 'KeyUnavailableException', 'DependencyTimeoutException'],
    ['ERR_HSM_UNAVAILABLE', 'KeyUnavailableException', 'DependencyTimeoutException'],
    ['ERR_HSM_FULL', 'KeyUnavailableException', 'LimitExceededException'],
    ['ERR_HSM_STRATEGY', 'UnsupportedOperationException', 'UnsupportedOperationException'],
  ];
  for (const [code, withKey, without] of translated) {
    it(`with ${code} becomes ${withKey} for a key and ${without} without one, and keeps its cause`, async () => {
      const failure = new HsmError(code, 'inside');
      for (const [purpose, name] of [
        ['key', withKey],
        ['service', without],
      ] as const) {
        const error = await outcome(purpose, failure);
        expect(error).to.be.instanceOf(KmsError).and.to.include({ code: name });
        expect((error as KmsError).cause).to.equal(failure);
      }
    });
  }

  const untold: readonly HsmErrorCode[] = [
    'ERR_HSM_MECHANISM',
    'ERR_HSM_UNWRAP',
    'ERR_HSM_TYPE',
    'ERR_HSM_MATERIAL_ID',
    'ERR_HSM_NOT_DESTROYED',
    'ERR_HSM_SELF_TEST',
    'ERR_HSM_POLICY_REFUSED',
    'ERR_HSM_KEY_NOT_FOUND',
    'ERR_HSM_RECORD',
  ];
  it('that the caller can do nothing about goes through unchanged, for the log', async () => {
    for (const code of untold) {
      const failure = new HsmError(code, 'inside');
      expect(await outcome('key', failure)).to.equal(failure);
    }
    const change = new ReplicationError('ERR_REPL_ROSTER_CHANGE', 'inside');
    expect(await outcome('service', change)).to.equal(change);
    const bug = new Error('inside');
    expect(await outcome('service', bug)).to.equal(bug);
  });

  it('says of decryption nothing at all', async () => {
    expect(await outcome('key', new HsmError('ERR_HSM_CIPHERTEXT', 'the tag is wrong'))).to.include({ message: '' });
  });

  it('of replication asks to try again', async () => {
    for (const code of ['ERR_REPL_NO_ROSTER', 'ERR_REPL_NO_ACTIVE_RSK', 'ERR_REPL_UNAVAILABLE'] as const) {
      const error = await outcome('service', new ReplicationError(code, 'inside'));
      expect(error).to.include({ code: 'DependencyTimeoutException', retryable: true });
    }
  });
});
