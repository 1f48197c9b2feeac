import { expect } from 'chai';
import { checks } from '../../src/validation/catalogue.js';
import { describeKnownFacts } from '../support/known_facts.js';

describe('what policy checks of the validation find', () => {
  describeKnownFacts(
    ['POL'],
    {
      softhsm2: {
        findings: [
          ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_CBC'],
          ['POL-02', 'an RSA pair with CKA_WRAP and CKA_DECRYPT', 'the key in clear', 'CKM_RSA_PKCS'],
          ['POL-05', 'CKA_WRAP set on a key with CKA_DECRYPT', 'CKA_WRAP is true'],
          ['POL-05', 'CKA_DECRYPT set on a key with CKA_WRAP', 'CKA_DECRYPT is true'],
          ['POL-06', 'unwrapped with CKA_SENSITIVE false and CKA_EXTRACTABLE true', 'CKA_VALUE can be read'],
          ['POL-07', 'as CKK_AES that encrypts and as CKK_GENERIC_SECRET that signs', 'both'],
          ['POL-10', 'under an AES-128 key', 'wrapped'],
          ['POL-10', 'under an RSA-1024 key', 'wrapped'],
          ['POL-14', 'wrong in different ways', 'CKR_OK: a key of 31 octets', 'CKM_RSA_PKCS'],
          ['POL-16', 'from a base with CKA_SENSITIVE true', 'can be read', 'CKM_AES_CBC_ENCRYPT_DATA'],
          ['POL-19', 'd = 0', 'it signs'],
          ['POL-19', 'e = 1', 'it signs'],
          ['POL-20', '48 octets of the caller', 'signed'],
          ['POL-24', 'a tag of 0 bits', 'encrypted'],
          ['POL-24', 'the same key and nonce', 'encrypted'],
        ],
        answers: [
          ['POL-03', 'CKA_SENSITIVE true, CKA_EXTRACTABLE true', 'CKR_ATTRIBUTE_SENSITIVE'],
          ['POL-04', 'CKA_SENSITIVE true to false', 'CKR_ATTRIBUTE_READ_ONLY'],
          ['POL-04', 'CKA_EXTRACTABLE false to true', 'CKR_ATTRIBUTE_READ_ONLY'],
          ['POL-05', 'CKA_MODIFIABLE false', 'CKR_ACTION_PROHIBITED'],
          ['POL-06', 'under a key whose CKA_UNWRAP_TEMPLATE says true', 'CKR_TEMPLATE_INCONSISTENT'],
          ['POL-08', 'a key with CKA_WRAP_WITH_TRUSTED', 'CKR_KEY_NOT_WRAPPABLE'],
          ['POL-09', 'CKA_TRUSTED set by the user', 'CKR_ATTRIBUTE_READ_ONLY'],
          ['POL-09', 'CKA_WRAP_WITH_TRUSTED from true to false', 'CKR_ATTRIBUTE_READ_ONLY'],
          ['POL-11', 'a key with CKA_EXTRACTABLE false', 'CKR_KEY_UNEXTRACTABLE'],
          ['POL-11', 'CKA_WRAP false', 'CKR_KEY_FUNCTION_NOT_PERMITTED'],
          ['POL-12', 'not on the curve', 'CKR_GENERAL_ERROR'],
          ['POL-13', 'its own point', 'CKR_OK'],
          ['POL-15', 'wrong in different ways', 'CKR_GENERAL_ERROR'],
          ['POL-15', 'no multiple of 8', 'CKR_WRAPPED_KEY_LEN_RANGE'],
          ['POL-16', 'a sensitive result', 'CKR_MECHANISM_INVALID', 'CKM_XOR_BASE_AND_DATA'],
          ['POL-17', 'a shared secret with CKA_SENSITIVE false', 'the shared secret'],
          ['POL-18', 'CKA_DERIVE false', 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'CKM_ECDH1_DERIVE'],
          ['POL-18', 'CKA_SIGN false', 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'CKM_ECDSA'],
          ['POL-20', 'CKA_ALWAYS_AUTHENTICATE', 'CKR_USER_NOT_LOGGED_IN'],
          ['POL-21', 'allows another mechanism only', 'CKR_MECHANISM_INVALID', 'CKM_ECDH1_DERIVE'],
          ['POL-22', 'private keys that are found without a login', 'none'],
          ['POL-23', 'after the next login', 'refused'],
        ],
      },
      nss: {
        findings: [
          ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_CBC'],
          ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_CBC_PAD'],
          ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_ECB'],
          ['POL-02', 'an RSA pair with CKA_WRAP and CKA_DECRYPT', 'the key in clear', 'CKM_RSA_PKCS'],
          ['POL-03', 'CKA_SENSITIVE false, CKA_EXTRACTABLE false', 'CKA_VALUE can be read'],
          ['POL-04', 'CKA_EXTRACTABLE false to true', 'changed'],
          ['POL-05', 'CKA_WRAP set on a key with CKA_DECRYPT', 'CKA_WRAP is true'],
          ['POL-06', 'under a key whose CKA_UNWRAP_TEMPLATE says true', 'CKA_VALUE can be read'],
          ['POL-07', 'under a key whose CKA_UNWRAP_TEMPLATE says CKK_AES', 'a key of the other type'],
          ['POL-08', 'a key with CKA_WRAP_WITH_TRUSTED', 'wrapped'],
          ['POL-09', 'CKA_TRUSTED set by the user', 'CKA_TRUSTED is true'],
          ['POL-10', 'under a triple DES key', 'wrapped', 'CKM_DES3_CBC'],
          ['POL-11', 'a key with CKA_EXTRACTABLE false', 'wrapped'],
          ['POL-15', 'wrong in different ways', 'right padding behind a key of 47 octets', 'CKM_AES_CBC_PAD'],
          ['POL-18', 'CKA_DERIVE false', 'CKR_OK', 'CKM_ECDH1_DERIVE'],
          ['POL-19', 'd = 0', 'it signs'],
          ['POL-20', 'CKA_ALWAYS_AUTHENTICATE', 'signed'],
          ['POL-21', 'allows another mechanism only', 'CKR_OK', 'CKM_AES_ECB'],
          ['POL-22', 'without a login', 'CKR_OK'],
          ['POL-24', 'the same key and nonce', 'encrypted'],
          [
            'POL-14',
            'wrong in different ways, with SHA256',
            'CKR_KEY_SIZE_RANGE: a key of 31 octets',
            'CKM_RSA_PKCS_OAEP',
          ],
          ['POL-16', 'from a base with CKA_SENSITIVE true', 'can be read', 'CKM_AES_CBC_ENCRYPT_DATA'],
          ['POL-23', 'after the next login', 'CKR_OK', 'C_GetAttributeValue'],
        ],
        answers: [
          ['POL-03', 'CKA_SENSITIVE true, CKA_EXTRACTABLE true', 'CKR_ATTRIBUTE_SENSITIVE'],
          ['POL-05', 'CKA_MODIFIABLE false', 'CKR_ATTRIBUTE_READ_ONLY'],
          ['POL-11', 'CKA_WRAP false', 'CKR_KEY_TYPE_INCONSISTENT'],
          ['POL-12', 'not on the curve', 'CKR_KEY_SIZE_RANGE'],
          ['POL-14', 'wrong in different ways', 'CKR_KEY_SIZE_RANGE', 'CKM_RSA_PKCS'],
          ['POL-15', 'wrong in different ways', 'CKR_WRAPPED_KEY_INVALID', 'CKM_AES_KEY_WRAP_KWP'],
          ['POL-15', 'no multiple of 8', 'CKR_DATA_LEN_RANGE'],
          ['POL-16', 'from a base with CKA_SENSITIVE true', 'C_DeriveKey returned', 'CKM_XOR_BASE_AND_DATA'],
          ['POL-18', 'CKA_WRAP false', 'CKR_KEY_TYPE_INCONSISTENT'],
          ['POL-22', 'private keys that are found without a login', 'none'],
        ],
      },
    },
    (report) => {
      it('says of each finding what it is worth to an attacker, and what to do about it', () => {
        for (const { id, status, severity, observations } of report().checks) {
          const wrong = observations.filter(({ isAsExpected }) => !isAsExpected);
          expect(wrong.length > 0, id).to.equal(status === 'finding');
          const check = checks.find((each) => each.id === id);
          expect(check?.attack, id).to.be.a('string').with.length.above(40);
          expect(check?.remedy, id).to.have.length.above(40);
          expect(severity).to.equal(check?.severity);
        }
      });
    },
  );
});
