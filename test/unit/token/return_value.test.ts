import { expect } from 'chai';
import { TokenError } from '../../../src/token/errors.js';
import { CKR, errorCodeFor, remedyFor, returnValueName, severityOf } from '../../../src/token/return_value.js';

describe('return values of PKCS#11', () => {
  it('have the name of the standard, also those of version 3', () => {
    expect(returnValueName(0xa0)).to.equal('CKR_PIN_INCORRECT');
    expect(returnValueName(0x140)).to.equal('CKR_CURVE_NOT_SUPPORTED');
    expect(returnValueName(0x203)).to.equal('CKR_KEY_EXHAUSTED');
  });

  it('of a vendor are shown with the vendor’s number', () => {
    expect(returnValueName(0x8000002f)).to.equal('CKR_VENDOR_DEFINED+0x0000002F');
    expect(returnValueName(0x4ff)).to.equal('CKR_0x000004FF');
  });

  it('are each known once', () => {
    const values = Object.values(CKR);
    expect(new Set(values).size).to.equal(values.length);
  });

  it('decide whether the call, the session or the module is lost', () => {
    expect(severityOf(CKR.CKR_SESSION_HANDLE_INVALID)).to.equal('session');
    expect(severityOf(CKR.CKR_USER_NOT_LOGGED_IN)).to.equal('session');
    expect(severityOf(CKR.CKR_CRYPTOKI_NOT_INITIALIZED)).to.equal('module');
    expect(severityOf(CKR.CKR_DEVICE_REMOVED)).to.equal('module');
    expect(severityOf(CKR.CKR_MECHANISM_INVALID)).to.equal('call');
  });

  it('that a forged ciphertext can cause never cost a session', () => {
    const forgeable = [
      CKR.CKR_GENERAL_ERROR,
      CKR.CKR_FUNCTION_FAILED,
      CKR.CKR_ENCRYPTED_DATA_INVALID,
      CKR.CKR_WRAPPED_KEY_INVALID,
      CKR.CKR_DATA_LEN_RANGE,
    ];
    expect(forgeable.map(severityOf)).to.deep.equal(forgeable.map(() => 'call'));
  });

  it('become the error code that says what to do', () => {
    expect(errorCodeFor(CKR.CKR_PIN_INCORRECT)).to.equal('ERR_TOKEN_PIN_REFUSED');
    expect(errorCodeFor(CKR.CKR_PIN_LOCKED)).to.equal('ERR_TOKEN_PIN_LOCKED');
    expect(errorCodeFor(CKR.CKR_USER_PIN_NOT_INITIALIZED)).to.equal('ERR_TOKEN_PIN_NOT_SET');
    expect(errorCodeFor(CKR.CKR_TOKEN_NOT_PRESENT)).to.equal('ERR_TOKEN_NOT_PRESENT');
    expect(errorCodeFor(CKR.CKR_SESSION_COUNT)).to.equal('ERR_TOKEN_SESSION_COUNT');
    expect(errorCodeFor(CKR.CKR_SESSION_CLOSED)).to.equal('ERR_TOKEN_SESSION_LOST');
    expect(errorCodeFor(CKR.CKR_CRYPTOKI_NOT_INITIALIZED)).to.equal('ERR_TOKEN_MODULE_LOST');
    expect(errorCodeFor(CKR.CKR_MECHANISM_INVALID)).to.equal('ERR_TOKEN_CALL');
  });

  it('come with a remedy for every value, and one for the call where the call matters', () => {
    for (const rv of [...Object.values(CKR), 0x80000001, 0x4ff]) {
      const remedy = remedyFor('ERR_TOKEN_CALL', rv, 'C_Sign');
      expect(remedy, returnValueName(rv)).to.match(/^\S.*[^.\s]$/u);
    }
    expect(remedyFor('ERR_TOKEN_CALL', CKR.CKR_GENERAL_ERROR, 'C_UnwrapKey')).to.contain('wrapped octets');
    expect(remedyFor('ERR_TOKEN_CALL', CKR.CKR_GENERAL_ERROR, 'C_Initialize')).to.contain('SOFTHSM2_CONF');
  });
});

describe('a token error', () => {
  it('names the call, the return value, the mechanism, the strategy and what to do', () => {
    const error = new TokenError('ERR_TOKEN_CALL', {
      call: 'C_DeriveKey',
      rv: CKR.CKR_MECHANISM_PARAM_INVALID,
      mechanism: 'CKM_ECDH1_DERIVE',
      job: 'agree',
      strategy: 'OSKDF-A256KWP',
    });
    expect(error.message)
      .to.contain('C_DeriveKey returned CKR_MECHANISM_PARAM_INVALID')
      .and.to.contain('CKM_ECDH1_DERIVE')
      .and.to.contain('OSKDF-A256KWP')
      .and.to.contain('keyferry token profile');
    expect(error.retryable).to.equal(false);
  });

  it('may be retried exactly where a session or the module was lost', () => {
    const lost = new TokenError('ERR_TOKEN_SESSION_LOST', { call: 'C_Sign', rv: CKR.CKR_SESSION_HANDLE_INVALID });
    const wrongPin = new TokenError('ERR_TOKEN_PIN_REFUSED', { call: 'C_Login', rv: CKR.CKR_PIN_INCORRECT });
    expect(lost.retryable).to.equal(true);
    expect(wrongPin.retryable).to.equal(false);
  });
});
