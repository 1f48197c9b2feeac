import { expect } from 'chai';
import {
  attributeName,
  keyTypeName,
  mechanismName,
  mechanismNumber,
  objectClassName,
} from '../../../src/token/names.js';

describe('names of PKCS#11 numbers', () => {
  it('are those of the standard, also of version 3 and of known vendors', () => {
    expect(mechanismName(0x1050)).to.equal('CKM_ECDH1_DERIVE');
    expect(mechanismName(0x210b)).to.equal('CKM_AES_KEY_WRAP_KWP');
    expect(mechanismName(0x402a)).to.equal('CKM_HKDF_DERIVE');
    expect(mechanismName(0x8000216f)).to.equal('CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD');
    expect(attributeName(0x162)).to.equal('CKA_EXTRACTABLE');
    expect(attributeName(0x40000600)).to.equal('CKA_ALLOWED_MECHANISMS');
    expect(keyTypeName(0x1f)).to.equal('CKK_AES');
    expect(objectClassName(4)).to.equal('CKO_SECRET_KEY');
  });

  it('are the number itself where there is none', () => {
    expect(mechanismName(0x80000777)).to.equal('CKM_0x80000777');
    expect(attributeName(0x7777)).to.equal('CKA_0x7777');
  });

  it('lead back to the number', () => {
    expect(mechanismNumber('CKM_AES_GCM')).to.equal(0x1087);
    expect(mechanismNumber('AES_GCM')).to.equal(0x1087);
    expect(mechanismNumber('0x80000777')).to.equal(0x80000777);
    expect(mechanismNumber(mechanismName(0x80000777))).to.equal(0x80000777);
    expect(mechanismNumber('AES_NOTHING')).to.equal(undefined);
  });
});
