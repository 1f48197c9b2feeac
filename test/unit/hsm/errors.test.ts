import { expect } from 'chai';
import { HsmError, hsmErrorFrom, type HsmErrorCode } from '../../../src/hsm/errors.js';
import { TokenError, type TokenErrorCode } from '../../../src/token/errors.js';
import { CKR } from '../../../src/token/return_value.js';

const calls: readonly (readonly [string, number, HsmErrorCode])[] = [
  ['C_DeriveKey', CKR.CKR_MECHANISM_INVALID, 'ERR_HSM_MECHANISM'],
  ['C_UnwrapKey', CKR.CKR_MECHANISM_PARAM_INVALID, 'ERR_HSM_MECHANISM'],
  ['C_UnwrapKey', CKR.CKR_GENERAL_ERROR, 'ERR_HSM_UNWRAP'],
  ['C_UnwrapKey', CKR.CKR_WRAPPED_KEY_INVALID, 'ERR_HSM_UNWRAP'],
  ['C_UnwrapKey', CKR.CKR_WRAPPED_KEY_LEN_RANGE, 'ERR_HSM_UNWRAP'],
  ['C_UnwrapKey', CKR.CKR_DEVICE_MEMORY, 'ERR_HSM_UNAVAILABLE'],
  ['C_Decrypt', CKR.CKR_DEVICE_MEMORY, 'ERR_HSM_UNAVAILABLE'],
  ['C_UnwrapKey', CKR.CKR_HOST_MEMORY, 'ERR_HSM_UNWRAP'],
  ['C_Decrypt', CKR.CKR_GENERAL_ERROR, 'ERR_HSM_CIPHERTEXT'],
  ['C_Decrypt', CKR.CKR_ENCRYPTED_DATA_INVALID, 'ERR_HSM_CIPHERTEXT'],
  ['C_WrapKey', CKR.CKR_KEY_UNEXTRACTABLE, 'ERR_HSM_POLICY_REFUSED'],
  ['C_WrapKey', CKR.CKR_KEY_NOT_WRAPPABLE, 'ERR_HSM_POLICY_REFUSED'],
  ['C_Sign', CKR.CKR_KEY_HANDLE_INVALID, 'ERR_HSM_SESSION_LOST'],
  ['C_GenerateKey', CKR.CKR_DEVICE_MEMORY, 'ERR_HSM_UNAVAILABLE'],
];

const codes: readonly (readonly [TokenErrorCode, HsmErrorCode])[] = [
  ['ERR_TOKEN_SESSION_LOST', 'ERR_HSM_SESSION_LOST'],
  ['ERR_TOKEN_STALE_HANDLE', 'ERR_HSM_SESSION_LOST'],
  ['ERR_TOKEN_NOT_DESTROYED', 'ERR_HSM_NOT_DESTROYED'],
  ['ERR_TOKEN_SELF_TEST', 'ERR_HSM_SELF_TEST'],
  ['ERR_TOKEN_MODULE_LOST', 'ERR_HSM_UNAVAILABLE'],
  ['ERR_TOKEN_PIN_REFUSED', 'ERR_HSM_UNAVAILABLE'],
  ['ERR_TOKEN_BUSY', 'ERR_HSM_UNAVAILABLE'],
];

describe('a token’s failure in the HSM’s words', () => {
  for (const [call, rv, code] of calls) {
    it(`calls return value ${rv} of ${call} ${code}`, () => {
      const cause = new TokenError('ERR_TOKEN_CALL', { call, rv });
      expect(hsmErrorFrom(cause)).to.be.instanceOf(HsmError).and.include({ code, cause });
    });
  }

  for (const [tokenCode, code] of codes) {
    it(`calls ${tokenCode} ${code}`, () => {
      const cause = new TokenError(tokenCode, { call: 'C_Sign', rv: CKR.CKR_OK });
      expect(hsmErrorFrom(cause)).to.be.instanceOf(HsmError).and.include({ code, cause });
    });
  }

  it('says that an operation may be repeated when only its sessions were lost', () => {
    const lost = new TokenError('ERR_TOKEN_STALE_HANDLE', { call: 'C_Sign', rv: CKR.CKR_OK });
    expect(hsmErrorFrom(lost)).to.have.property('retryable', true);
  });

  it('keeps what the token said: function, return value, mechanism and remedy', () => {
    const cause = new TokenError('ERR_TOKEN_CALL', {
      call: 'C_DeriveKey',
      rv: CKR.CKR_MECHANISM_INVALID,
      mechanism: 'CKM_HKDF_DERIVE',
    });
    const error = hsmErrorFrom(cause) as HsmError;
    expect(error.message).to.include('C_DeriveKey').and.to.include('CKR_MECHANISM_INVALID');
    expect(error.details).to.include({ mechanism: 'CKM_HKDF_DERIVE', rvName: 'CKR_MECHANISM_INVALID' });
  });

  it('lets errors pass that are no token’s', () => {
    const bug = new TypeError('a bug');
    expect(hsmErrorFrom(bug)).to.equal(bug);
  });
});
