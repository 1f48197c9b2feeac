import { expect } from 'chai';
import { describeMutants, expectAllCovered, openBrokenModule, type Mutant } from '../support/broken_modules.js';

const onSoftHsm: readonly Mutant[] = [
  {
    check: 'CAP-01',
    what: 'does not know a mechanism that it lists',
    faults: ['C_GetMechanismInfo 7 return 70'],
    sees: 'CKR_MECHANISM_INVALID',
  },
  {
    check: 'CAP-01',
    what: 'lists a mechanism twice',
    faults: ['C_GetMechanismList * list 1041'],
    sees: 'some twice',
  },
  {
    check: 'CAP-02',
    what: 'makes no pairs on elliptic curves',
    faults: ['* * no-mechanism 1040'],
    sees: 'not listed',
    probesAgain: true,
  },
  {
    check: 'CAP-02',
    what: 'tells the point of another key',
    faults: ['C_GetAttributeValue * flip'],
    sees: 'CKM_EC_KEY_PAIR_GEN',
    probesAgain: true,
  },
  {
    check: 'CAP-03',
    what: 'signs wrongly',
    faults: ['C_Sign * flip'],
    sees: 'ECDSA on P-384,  : none',
    probesAgain: true,
  },
  { check: 'CAP-04', what: 'agrees with another point', faults: ['C_DeriveKey * flip'], sees: ': none' },
  { check: 'CAP-05', what: 'derives from other data', faults: ['C_DeriveKey * flip'], sees: ': none' },
  { check: 'CAP-06', what: 'wraps wrongly', faults: ['C_WrapKey * flip'], sees: 'by known answer, C_WrapKey : none' },
  {
    check: 'CAP-07',
    what: 'lists CKM_RSA_AES_KEY_WRAP, and has it not',
    faults: ['C_GetMechanismList * list 1054'],
    sees: 'CKM_RSA_AES_KEY_WRAP,  : none',
  },
  {
    check: 'CAP-08',
    what: 'unwraps no good OAEP',
    faults: ['C_UnwrapKey * flip'],
    sees: 'SHA1 with MGF1 by SHA1',
  },
  {
    check: 'CAP-09',
    what: 'encrypts with an IV that it keeps to itself',
    faults: ['C_Encrypt * flip'],
    sees: 'an IV that nobody tells',
  },
  {
    check: 'CAP-10',
    what: 'forgets the length of an unwrap template',
    faults: ['C_UnwrapKey * forget 161'],
    sees: 'CKA_VALUE_LEN 16 for an AES-256 key that is unwrapped, C_UnwrapKey CKM_AES_KEY_WRAP_PAD: CKR_OK',
  },
  {
    check: 'CAP-11',
    what: 'makes token objects of session keys',
    faults: ['C_GenerateKey * true 1'],
    sees: 'CKA_TOKEN true',
  },
  {
    check: 'CAP-12',
    what: 'does not unwrap with derived keys',
    faults: ['C_DeriveKey * false 107'],
    sees: 'C_UnwrapKey with a derived key',
    probesAgain: true,
  },
  {
    check: 'CAP-13',
    what: 'lets no private key out',
    faults: ['C_GenerateKeyPair * false 162'],
    sees: 'CKR_KEY_UNEXTRACTABLE',
    probesAgain: true,
  },
  {
    check: 'CAP-14',
    what: 'copies nothing and says that it has',
    faults: ['C_CopyObject * silent'],
    sees: 'a session key, copied',
  },
  {
    check: 'CAP-14',
    what: 'keeps the name that an object had',
    faults: ['C_SetAttributeValue * silent'],
    sees: 'CKA_LABEL, changed, C_SetAttributeValue : another value',
  },
  {
    check: 'CAP-15',
    what: 'ignores CKA_ALLOWED_MECHANISMS',
    faults: ['C_GenerateKey * forget 40000600'],
    sees: 'CKA_ALLOWED_MECHANISMS, C_GenerateKey : not told as it was given',
  },
  {
    check: 'CAP-16',
    what: 'has no more than 20 sessions',
    faults: ['C_OpenSession 20 return b1'],
    sees: 'CKR_SESSION_COUNT after 19',
  },
  {
    check: 'CAP-18',
    what: 'takes no bare point',
    faults: ['C_DeriveKey 1 return 71'],
    sees: 'the bare point in pPublicData, C_DeriveKey CKM_ECDH1_DERIVE: C_DeriveKey returned CKR_MECHANISM_PARAM_INVALID',
  },
  {
    check: 'CAP-19',
    what: 'encrypts wrongly under AES-GCM',
    faults: ['C_Encrypt * flip'],
    sees: 'CKM_AES_GCM',
    probesAgain: true,
  },
];

const onNss: readonly Mutant[] = [
  {
    check: 'CAP-17',
    what: 'takes no shared data of 430 octets',
    faults: ['C_DeriveKey 4 return 71'],
    sees: 'right with 0, 48, 256, 1024; 430: C_DeriveKey returned CKR_MECHANISM_PARAM_INVALID',
  },
  {
    check: 'CAP-17',
    what: 'cuts long shared data off',
    faults: ['C_DeriveKey 5 flip'],
    sees: '1024: other octets than software derives',
  },
];

describe('capability checks of the validation on broken modules', function () {
  this.timeout(60_000);
  describeMutants('softhsm2', onSoftHsm);
  describeMutants('nss', onNss);

  it('tells how a token gives its own IV: in pIv, or before the ciphertext', async () => {
    const module = await openBrokenModule('softhsm2');
    try {
      for (const [fault, seen] of [
        ['iv-back', 'an IV of the token, written to pIv'],
        ['iv-front', 'an IV of the token, before the ciphertext'],
      ] as const) {
        const answers = await module.answers('CAP-09', [`C_EncryptInit * ${fault}`]);
        expect(answers.join('\n')).to.contain(`the IV of a ciphertext, C_Encrypt CKM_AES_GCM: ${seen}`);
      }
    } finally {
      await module.close();
    }
  });

  it('has a broken module for every capability check', () => expectAllCovered('CAP', [...onSoftHsm, ...onNss]));
});
