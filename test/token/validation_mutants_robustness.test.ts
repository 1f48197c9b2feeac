import { expect } from 'chai';
import {
  describeMutants,
  expectAllCovered,
  openBrokenModule,
  type BrokenModule,
  type Mutant,
} from '../support/broken_modules.js';

const FAST_IDLE_MINUTES = 0.001;

const robustness: readonly Mutant[] = [
  {
    check: 'ROB-01',
    what: 'answers for a session that is none',
    faults: ['C_GetSessionInfo * silent'],
    sees: 'C_GetSessionInfo : CKR_OK',
  },
  {
    check: 'ROB-02',
    what: 'makes a key without a mechanism',
    faults: ['C_GenerateKey 3 silent'],
    sees: 'no mechanism, C_GenerateKey : CKR_OK',
  },
  {
    check: 'ROB-02',
    what: 'dies of a missing pointer',
    faults: ['C_GetInfo * kill'],
    sees: 'no place for the answer, C_GetInfo : the process ended with SIGKILL',
  },
  {
    check: 'ROB-03',
    what: 'has another answer to a buffer that is too small',
    faults: ['C_Sign 2 return 7'],
    sees: 'signature: too little room, C_Sign CKM_ECDSA: CKR_ARGUMENTS_BAD',
  },
  {
    check: 'ROB-03',
    what: 'goes on wrongly after a buffer that was too small',
    faults: ['C_Digest 3 flip'],
    sees: 'another digest',
  },
  {
    check: 'ROB-04',
    what: 'says that it has told what it has not',
    faults: ['C_GetAttributeValue 1 silent'],
    sees: 'four attributes, C_GetAttributeValue : CKR_OK',
  },
  {
    check: 'ROB-05',
    what: 'ends a search that was not begun',
    faults: ['C_FindObjectsFinal 1 silent'],
    sees: 'not begun, C_FindObjectsFinal : CKR_OK',
  },
  {
    check: 'ROB-06',
    what: 'makes token objects in read-only sessions',
    faults: ['C_CreateObject * silent'],
    sees: 'C_CreateObject : CKR_OK',
  },
  {
    check: 'ROB-07',
    what: 'is not finalised by C_Finalize',
    faults: ['C_Finalize 2 silent'],
    sees: 'after C_Finalize, C_GetSessionInfo : CKR_OK',
  },
  {
    check: 'ROB-08',
    what: 'stays logged in',
    faults: ['C_Logout 1 silent'],
    sees: 'state of the first session after the logout, C_GetSessionInfo : 3',
  },
  {
    check: 'ROB-09',
    what: 'gives no random octets to the parent of a fork',
    faults: ['C_GenerateRandom 2 return 30'],
    sees: 'after the fork, C_GenerateRandom : CKR_DEVICE_ERROR',
  },
  {
    check: 'ROB-10',
    what: 'keeps the objects of a closed session',
    faults: ['C_CloseSession 1 silent'],
    sees: 'after its session was closed, C_GetAttributeValue : CKR_OK',
  },
  {
    check: 'ROB-11',
    what: 'does not say that its sessions are used up',
    faults: ['C_OpenSession 20 return 5'],
    sees: 'one session too many, C_OpenSession : CKR_GENERAL_ERROR',
  },
  {
    check: 'ROB-12',
    what: 'makes one signature or MAC wrong among many threads',
    faults: ['C_Sign 30 flip'],
    sees: '16 threads with CKF_OS_LOCKING_OK: wrong',
  },
  {
    check: 'ROB-12',
    what: 'dies among many threads',
    faults: ['C_DeriveKey 5 kill'],
    sees: 'the process ended with SIGKILL',
  },
  {
    check: 'ROB-13',
    what: 'keeps one object of thousands',
    faults: ['C_DestroyObject 7 silent'],
    sees: 'session objects that are left when all were destroyed, C_DestroyObject : 1 of ',
  },
  {
    check: 'ROB-14',
    what: 'does not find again what a killed process has left',
    faults: ['C_FindObjectsInit * return 30'],
    sees: 'C_FindObjects CKR_DEVICE_ERROR',
  },
  {
    check: 'ROB-15',
    what: 'takes a wrapped key that is too short',
    faults: ['C_UnwrapKey 3 silent'],
    sees: 'the first 7 octets of a wrapped key, C_UnwrapKey CKM_AES_KEY_WRAP: CKR_OK',
  },
  {
    check: 'ROB-15',
    what: 'dies of a wrapped key that is too short',
    faults: ['C_UnwrapKey 5 kill'],
    sees: 'the first 9 octets of a wrapped key, C_UnwrapKey : the process ended with SIGKILL',
  },
  {
    check: 'ROB-16',
    what: 'does not close its sessions',
    faults: ['C_CloseAllSessions * silent'],
    sees: 'a key of a session that was closed, C_EncryptInit : CKR_OK',
  },
  {
    check: 'ROB-17',
    what: 'breaks a search off',
    faults: ['C_FindObjects 30 return 30'],
    sees: 'C_FindObjects CKR_DEVICE_ERROR',
  },
  {
    check: 'ROB-18',
    what: 'ignores attributes that it does not know',
    faults: ['C_GenerateKey 1 silent'],
    sees: 'an attribute that does not exist, C_GenerateKey CKM_AES_KEY_GEN: CKR_OK',
  },
  {
    check: 'ROB-19',
    what: 'does not say that an idle session is gone',
    faults: ['C_EncryptInit 1 return 6'],
    sees: 'C_EncryptInit returned CKR_FUNCTION_FAILED',
    conditions: () => ({ idleMinutes: FAST_IDLE_MINUTES }),
  },
];

const performance: readonly Mutant[] = [
  { check: 'PRF-01', faults: ['C_GenerateKeyPair 3 return 6'], what: 'fails to make one pair' },
  { check: 'PRF-02', faults: ['C_DeriveKey 3 return 6'], what: 'fails to agree once' },
  { check: 'PRF-03', faults: ['C_WrapKey 3 return 6'], what: 'fails to wrap once' },
  { check: 'PRF-04', faults: ['C_UnwrapKey 3 return 6'], what: 'fails to unwrap once' },
  { check: 'PRF-05', faults: ['C_Sign 3 return 6'], what: 'fails to sign once' },
  { check: 'PRF-06', faults: ['C_UnwrapKey 3 return 6'], what: 'fails to unwrap once with RSA' },
  { check: 'PRF-07', faults: ['C_FindObjects 3 return 6'], what: 'fails to find once' },
  { check: 'PRF-08', faults: ['C_CloseSession 30 return 6'], what: 'fails to close a session' },
  { check: 'PRF-09', faults: ['C_Login 2 return 6'], what: 'fails to log in again' },
  { check: 'PRF-10', faults: ['C_DeriveKey 3 return 6'], what: 'fails in the middle of a replication' },
  { check: 'PRF-11', faults: ['C_GenerateRandom 9 return 6'], what: 'fails to give random octets' },
].map((mutant) => ({ ...mutant, sees: 'CKR_FUNCTION_FAILED' }));

/** Commands by which every call answers a return value for a while. */
function outage(rulesPath: string, returnValue: string): { interrupt: string; resume: string } {
  const write = (rule: string): string => `echo '${rule}' > '${rulesPath}.new' && mv '${rulesPath}.new' '${rulesPath}'`;
  return { interrupt: write(`* * return ${returnValue}`), resume: write('# there again') };
}

describe('robustness and performance checks of the validation on broken modules', function () {
  this.timeout(60_000);
  describeMutants('softhsm2', [...robustness, ...performance]);

  it('has a broken module for every robustness check', () => expectAllCovered('ROB', robustness));
  it('has a broken module for every performance check', () => expectAllCovered('PRF', performance));

  describe('while the device is away', () => {
    let broken: BrokenModule;

    before(async () => {
      broken = await openBrokenModule('softhsm2');
    });
    after(() => broken.close());

    const during = (returnValue: string): Promise<ReadonlySet<string>> =>
      broken.findings('ROB-16', [], {
        conditions: (rulesPath) => ({ interruption: outage(rulesPath, returnValue) }),
      });

    it('ROB-16 takes CKR_DEVICE_ERROR for what it says, and sees the token come back', async () => {
      expect([...(await during('30'))]).to.deep.equal([]);
    });

    it('ROB-16 tells a module that says something else', async () => {
      expect([...(await during('7'))].join()).to.contain('CKR_ARGUMENTS_BAD');
    });
  });
});
