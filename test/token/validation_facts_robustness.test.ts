import { expect } from 'chai';
import { describeKnownFacts } from '../support/known_facts.js';

/** Performance checks whose numbers come from a run of this size; the sizes are in the names of what was measured. */
const measured = [
  'P-384 key pair',
  'RSA-2048 key pair',
  'RSAES-OAEP unwrap of an AES-256 key under RSA-2048',
  'find by CKA_ID among 1,000 session objects',
  'C_OpenSession and C_CloseSession',
  'C_Login',
];

describe('what robustness and performance checks of the validation find', () => {
  describeKnownFacts(
    ['ROB', 'PRF'],
    {
      softhsm2: {
        findings: [
          ['ROB-09', "the parent's session in a child", 'CKR_OK', 'C_GenerateRandom'],
          ['ROB-09', 'in a child', 'CKR_CRYPTOKI_ALREADY_INITIALIZED', 'C_Initialize'],
          ['ROB-13', 'session objects: memory of the process', 'octets for each', 'C_DestroyObject'],
          ['ROB-14', 'the token opens after', 'it was lost', 'C_Login'],
          ['ROB-17', 'searches among token objects', 'C_GenerateKey CKR_GENERAL_ERROR', 'C_FindObjects'],
        ],
        notApplicable: { 'ROB-19': 'give --idle-minutes' },
        answers: [
          ['ROB-01', 'a session handle that names nothing', 'CKR_SESSION_HANDLE_INVALID', 'C_GetSessionInfo'],
          ['ROB-02', 'no template, with a count', 'CKR_ARGUMENTS_BAD', 'C_GenerateKey'],
          ['ROB-03', 'wrapped key: too little room', 'CKR_BUFFER_TOO_SMALL', 'C_WrapKey'],
          ['ROB-03', 'wrapped key: enough room', 'CKR_OK', 'C_WrapKey'],
          ['ROB-04', 'CKA_VALUE', 'CK_UNAVAILABLE_INFORMATION', 'C_GetAttributeValue'],
          ['ROB-05', 'begun already', 'CKR_OPERATION_ACTIVE', 'C_EncryptInit'],
          ['ROB-05', 'not begun', 'CKR_OPERATION_NOT_INITIALIZED', 'C_Sign'],
          ['ROB-06', 'a token object in a read-only session', 'CKR_SESSION_READ_ONLY', 'C_CreateObject'],
          ['ROB-06', 'a session without CKF_SERIAL_SESSION', 'CKR_SESSION_PARALLEL_NOT_SUPPORTED', 'C_OpenSession'],
          ['ROB-07', 'a second time', 'CKR_CRYPTOKI_ALREADY_INITIALIZED', 'C_Initialize'],
          ['ROB-07', 'after C_Finalize', 'CKR_CRYPTOKI_NOT_INITIALIZED', 'C_OpenSession'],
          ['ROB-07', 'the session of before', 'CKR_SESSION_HANDLE_INVALID', 'C_GetSessionInfo'],
          ['ROB-08', 'logged in already', 'CKR_USER_ALREADY_LOGGED_IN', 'C_Login'],
          ['ROB-10', 'after its session was closed', 'CKR_OBJECT_HANDLE_INVALID', 'C_GetAttributeValue'],
          ['ROB-11', 'sessions of one process at once', 'no end at', 'C_OpenSession'],
          ['ROB-12', '16 threads with CKF_OS_LOCKING_OK: wrong', 'no wrong result'],
          ['ROB-15', 'the first 9 octets of a wrapped key', 'CKR_WRAPPED_KEY_LEN_RANGE', 'C_UnwrapKey'],
          ['ROB-15', 'a changed bit in octet 0', 'CKR_GENERAL_ERROR', 'C_UnwrapKey'],
          ['ROB-16', 'a key of a session that was closed', 'CKR_SESSION_HANDLE_INVALID'],
          ['ROB-18', 'an attribute that does not exist', 'CKR_ATTRIBUTE_TYPE_INVALID', 'C_GenerateKey'],
          ['PRF-10', 'PKCS#11 calls of one replication', 'CBCDERIVE-A256KWP'],
        ],
      },
      nss: {
        findings: [
          ['ROB-01', 'a session handle that names nothing', 'CKR_OK', 'C_GenerateRandom'],
          ['ROB-02', 'no place for the answer', 'SIGSEGV', 'C_GetInfo'],
          ['ROB-02', 'no template, with a count', 'SIGSEGV', 'C_UnwrapKey'],
          ['ROB-03', 'digest: too little room', 'CKR_OK', 'C_Digest'],
          ['ROB-03', 'digest: enough room', 'CKR_OPERATION_NOT_INITIALIZED', 'C_Digest'],
          ['ROB-03', 'ciphertext: enough room', 'CKR_OPERATION_NOT_INITIALIZED', 'C_Encrypt'],
          ['ROB-03', 'label: written beyond the room', 'yes', 'C_GetAttributeValue'],
          ['ROB-05', 'begun already', 'CKR_OK', 'C_FindObjectsInit'],
          ['ROB-06', 'a session without CKF_SERIAL_SESSION', 'CKR_OK', 'C_OpenSession'],
          ['ROB-07', 'before C_Initialize', 'CKR_OK', 'C_GetInfo'],
          ['ROB-08', 'a private key after the logout', 'CKR_OK', 'C_EncryptInit'],
          ['ROB-09', 'in a child', 'CKR_CRYPTOKI_ALREADY_INITIALIZED', 'C_Initialize'],
          ['ROB-17', 'searches among token objects', 'C_DestroyObject CKR_OBJECT_HANDLE_INVALID', 'C_FindObjects'],
          ['ROB-18', 'an attribute that does not exist', 'CKR_OK', 'C_GenerateKey'],
        ],
        notApplicable: { 'ROB-19': 'give --idle-minutes' },
        answers: [
          ['ROB-10', 'after its session was closed', 'CKR_OBJECT_HANDLE_INVALID', 'C_GetAttributeValue'],
          ['ROB-11', 'sessions of one process at once', 'no end at', 'C_OpenSession'],
          ['ROB-12', '16 threads with CKF_OS_LOCKING_OK: wrong', 'no wrong result'],
          ['ROB-14', 'the token opens after', 'each time', 'C_Login'],
          ['ROB-15', 'the first 9 octets of a wrapped key', 'CKR_DATA_LEN_RANGE', 'C_UnwrapKey'],
          ['ROB-15', 'the first 1 octets of a wrapped key', 'CKR_HOST_MEMORY', 'C_UnwrapKey'],
          ['ROB-15', 'a changed bit in octet 0', 'CKR_WRAPPED_KEY_INVALID', 'C_UnwrapKey'],
          ['PRF-10', 'PKCS#11 calls of one replication', 'A256KWP'],
        ],
      },
    },
    (report, kind) => {
      // A crash, failed calls, or wrong results: which of them is a matter of luck.
      if (kind === 'softhsm2') {
        it('finds that threads without CKF_OS_LOCKING_OK go wrong', () => {
          const crowd = report().checks.find(({ id }) => id === 'ROB-12');
          const without = crowd?.observations.find(({ what }) => what.includes('without CKF_OS_LOCKING_OK'));
          expect(without?.seen).to.be.a('string').and.not.equal('nothing wrong');
        });
      }

      it('finds nothing that keeps the token from carrying a flow', () => {
        expect(report().verdicts.flatMap(({ blockedBy }) => blockedBy)).to.deep.equal([]);
      });

      it('measures each operation at the numbers of sessions of the run', () => {
        const all = report().checks.flatMap(({ measurements }) => measurements);
        for (const operation of measured) {
          const levels = all.filter((each) => each.operation === operation);
          expect(levels, operation).to.not.deep.equal([]);
          for (const { operations, p50Us, p99Us, perSecond } of levels) {
            expect(operations, operation).to.be.above(0);
            expect(p99Us, operation).to.be.at.least(p50Us);
            expect(perSecond, operation).to.be.above(0);
          }
        }
        const pairs = all.filter(({ operation }) => operation === 'P-384 key pair').map(({ sessions }) => sessions);
        expect(pairs).to.deep.equal([1, 4]);
      });
    },
  );
});
