import { describeMutants, expectAllCovered, type Mutant } from '../support/broken_modules.js';

const onSoftHsm: readonly Mutant[] = [
  {
    check: 'COR-01',
    what: 'agrees with another point than it was given',
    faults: ['C_DeriveKey * flip'],
    sees: 'CKR_GENERAL_ERROR',
  },
  { check: 'COR-01', what: 'fails once in a while', faults: ['C_DeriveKey 3 return 6'], sees: 'CKR_FUNCTION_FAILED' },
  {
    check: 'COR-01',
    what: 'agrees on the base point whatever it is given',
    faults: ['C_DeriveKey * any-point'],
    sees: '10 of 10 differ',
  },
  {
    check: 'COR-02',
    what: 'agrees wrongly where the secret starts with a zero',
    faults: ['C_DeriveKey * any-point'],
    sees: '0 of 1',
  },
  {
    check: 'COR-03',
    what: 'keeps other octets than the trailing ones',
    faults: ['C_DeriveKey * any-point'],
    sees: 'octets that a secret of 32 octets keeps of one of 48, C_DeriveKey CKM_ECDH1_DERIVE: other',
  },
  {
    check: 'COR-04',
    what: 'refuses points that look like DER',
    faults: ['C_DeriveKey * return 5'],
    sees: 'CKR_GENERAL_ERROR',
  },
  {
    check: 'COR-04',
    what: 'takes points that look like DER for others',
    faults: ['C_DeriveKey * any-point'],
    sees: '0 of 1',
  },
  {
    check: 'COR-05',
    what: 'agrees with points that are none of the curve',
    faults: ['C_DeriveKey * any-point'],
    sees: 'a point of the quadratic twist, C_DeriveKey CKM_ECDH1_DERIVE: CKR_OK',
  },
  {
    check: 'COR-06',
    what: 'derives from other data',
    faults: ['C_DeriveKey * flip'],
    sees: 'CKM_AES_CBC_ENCRYPT_DATA, 64 octets',
  },
  { check: 'COR-07', what: 'wraps wrongly', faults: ['C_WrapKey * flip'], sees: '4.6, 256 bits under 256' },
  {
    check: 'COR-07',
    what: 'says that it has unwrapped, and has not',
    faults: ['C_UnwrapKey * silent'],
    sees: 'unwrap, 20 octets under 192 bits',
  },
  {
    check: 'COR-07',
    what: 'takes a changed blob for another key',
    faults: ['C_UnwrapKey * instead 210a 2109'],
    sees: 'the initial value of RFC 3394, C_UnwrapKey CKM_AES_KEY_WRAP_PAD: a secret of 32 octets',
  },
  {
    check: 'COR-08',
    what: 'wraps private keys wrongly',
    faults: ['C_WrapKey * flip'],
    sees: 'an EC key on P-384 that the token made, C_WrapKey CKM_AES_KEY_WRAP_PAD: octets that software does not unwrap',
  },
  {
    check: 'COR-08',
    what: 'takes keys for others',
    faults: ['C_UnwrapKey 5 flip'],
    sees: 'C_UnwrapKey',
  },
  {
    check: 'COR-09',
    what: 'makes one signature in thirty wrong',
    faults: ['C_Sign 7 flip'],
    sees: '1 of 30 do not',
  },
  {
    check: 'COR-09',
    what: 'tells a point that is none',
    faults: ['C_GetAttributeValue * flip'],
    sees: 'what the token tells of its keys',
  },
  {
    check: 'COR-10',
    what: 'takes every signature',
    faults: ['C_Verify * silent'],
    sees: 'r = s = 0, C_Verify CKM_ECDSA: CKR_OK: taken',
  },
  {
    check: 'COR-10',
    what: 'refuses a good signature over a rare digest',
    faults: ['C_Verify 3 return c0'],
    sees: 'a digest of zeros',
  },
  {
    check: 'COR-11',
    what: 'signs short digests wrongly',
    faults: ['C_Sign * flip'],
    sees: 'a digest of 32 octets, C_Sign CKM_ECDSA: another signature',
  },
  {
    check: 'COR-12',
    what: 'decrypts wrongly',
    faults: ['C_Decrypt * flip'],
    sees: 'SHA1, no label, a message of 32 octets, C_Decrypt CKM_RSA_PKCS_OAEP: other octets',
  },
  {
    check: 'COR-12',
    what: 'decrypts whatever it is given',
    faults: ['C_Decrypt * silent'],
    sees: 'no octet 01 before the message, C_Decrypt CKM_RSA_PKCS_OAEP: CKR_OK: decrypted',
  },
  {
    check: 'COR-12',
    what: 'does not unwrap the second half of a download',
    faults: ['C_UnwrapKey 2 return 70'],
    sees: 'unwrapped in two steps',
  },
  {
    check: 'COR-13',
    what: 'makes a wrong CMAC',
    faults: ['C_Sign 1 flip'],
    sees: 'AES-256-CMAC, 16 octets, C_Sign CKM_AES_CMAC: another MAC',
  },
  {
    check: 'COR-13',
    what: 'makes a wrong HMAC of a long message',
    faults: ['C_Sign 8 flip'],
    sees: 'HMAC-SHA-256, test case 7, C_Sign CKM_SHA256_HMAC: another MAC',
  },
  { check: 'COR-14', what: 'encrypts wrongly', faults: ['C_Encrypt 1 flip'], sees: 'test case 13' },
  {
    check: 'COR-14',
    what: 'does not check the tag',
    faults: ['C_Decrypt * silent'],
    sees: 'a bit of the tag changed, C_Decrypt CKM_AES_GCM: CKR_OK',
  },
  {
    check: 'COR-15',
    what: 'unwraps extractable keys',
    faults: ['C_UnwrapKey * true 162'],
    sees: 'CKA_EXTRACTABLE of a key that is sensitive and not extractable, C_UnwrapKey : true',
  },
  {
    check: 'COR-15',
    what: 'does not know what it has generated',
    faults: ['C_GetAttributeValue * flip'],
    sees: 'CKA_LOCAL of a key that is sensitive and not extractable, C_GenerateKey : ',
  },
  {
    check: 'COR-16',
    what: 'gives no random octets',
    faults: ['C_GenerateRandom * silent'],
    sees: 'blocks came before',
  },
  {
    check: 'COR-16',
    what: 'gives the child of a fork what it gives the parent',
    faults: ['C_GenerateRandom * silent'],
    sees: 'the same octets in two processes',
  },
  {
    check: 'COR-17',
    what: 'tells a wrong check value',
    faults: ['C_GetAttributeValue * flip'],
    sees: 'CKA_CHECK_VALUE of the published AES-256 key',
  },
];

const onNss: readonly Mutant[] = [
  {
    check: 'COR-06',
    what: 'derives the second round of X9.63 wrongly',
    faults: ['C_DeriveKey 3 flip'],
    sees: 'CKD_SHA1_KDF, 40 octets, C_DeriveKey CKM_ECDH1_DERIVE: other octets than software derives',
  },
];

describe('correctness checks of the validation on broken modules', function () {
  this.timeout(60_000);
  describeMutants('softhsm2', onSoftHsm);
  describeMutants('nss', onNss);

  it('has a broken module for every correctness check', () => expectAllCovered('COR', [...onSoftHsm, ...onNss]));
});
