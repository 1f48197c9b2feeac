import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checks } from '../../src/validation/catalogue.js';
import type { CheckResult, ValidationReport } from '../../src/validation/result.js';
import { runValidation } from '../../src/validation/runner.js';
import { tokenKinds, type SoftwareTokenKind } from '../support/token_directory.js';

const CATALOGUE = new URL('../../src/validation/catalogue.js', import.meta.url).href;

/** Something that is known of a token from measurements made without the suite: the check, part of what was tried, the call, and what was seen. */
type Known = readonly [check: string, what: string, call: string | undefined, seen: string];

const findings: Readonly<Record<SoftwareTokenKind, readonly Known[]>> = {
  softhsm2: [
    ['ROB-09', "the parent's session in a child", 'C_GenerateRandom', 'CKR_OK'],
    ['ROB-09', 'in a child', 'C_Initialize', 'CKR_CRYPTOKI_ALREADY_INITIALIZED'],
    ['ROB-13', 'session objects: memory of the process', 'C_DestroyObject', 'octets for each'],
    ['ROB-14', 'the token opens after', 'C_Login', 'it was lost'],
    ['ROB-17', 'searches among token objects', 'C_FindObjects', 'C_GenerateKey CKR_GENERAL_ERROR'],
  ],
  nss: [
    ['ROB-01', 'a session handle that names nothing', 'C_GenerateRandom', 'CKR_OK'],
    ['ROB-02', 'no place for the answer', 'C_GetInfo', 'SIGSEGV'],
    ['ROB-02', 'no template, with a count', 'C_UnwrapKey', 'SIGSEGV'],
    ['ROB-03', 'digest: too little room', 'C_Digest', 'CKR_OK'],
    ['ROB-03', 'digest: enough room', 'C_Digest', 'CKR_OPERATION_NOT_INITIALIZED'],
    ['ROB-03', 'ciphertext: enough room', 'C_Encrypt', 'CKR_OPERATION_NOT_INITIALIZED'],
    ['ROB-03', 'label: written beyond the room', 'C_GetAttributeValue', 'yes'],
    ['ROB-05', 'begun already', 'C_FindObjectsInit', 'CKR_OK'],
    ['ROB-06', 'a session without CKF_SERIAL_SESSION', 'C_OpenSession', 'CKR_OK'],
    ['ROB-07', 'before C_Initialize', 'C_GetInfo', 'CKR_OK'],
    ['ROB-08', 'a private key after the logout', 'C_EncryptInit', 'CKR_OK'],
    ['ROB-17', 'searches among token objects', 'C_FindObjects', 'C_DestroyObject CKR_OBJECT_HANDLE_INVALID'],
    ['ROB-18', 'an attribute that does not exist', 'C_GenerateKey', 'CKR_OK'],
  ],
};

/** What is as it should be, or may be as it is. */
const answers: Readonly<Record<SoftwareTokenKind, readonly Known[]>> = {
  softhsm2: [
    ['ROB-01', 'a session handle that names nothing', 'C_GetSessionInfo', 'CKR_SESSION_HANDLE_INVALID'],
    ['ROB-02', 'no template, with a count', 'C_GenerateKey', 'CKR_ARGUMENTS_BAD'],
    ['ROB-03', 'wrapped key: too little room', 'C_WrapKey', 'CKR_BUFFER_TOO_SMALL'],
    ['ROB-03', 'wrapped key: enough room', 'C_WrapKey', 'CKR_OK'],
    ['ROB-04', 'CKA_VALUE', 'C_GetAttributeValue', 'CK_UNAVAILABLE_INFORMATION'],
    ['ROB-05', 'begun already', 'C_EncryptInit', 'CKR_OPERATION_ACTIVE'],
    ['ROB-05', 'not begun', 'C_Sign', 'CKR_OPERATION_NOT_INITIALIZED'],
    ['ROB-06', 'a token object in a read-only session', 'C_CreateObject', 'CKR_SESSION_READ_ONLY'],
    ['ROB-06', 'a session without CKF_SERIAL_SESSION', 'C_OpenSession', 'CKR_SESSION_PARALLEL_NOT_SUPPORTED'],
    ['ROB-07', 'a second time', 'C_Initialize', 'CKR_CRYPTOKI_ALREADY_INITIALIZED'],
    ['ROB-07', 'after C_Finalize', 'C_OpenSession', 'CKR_CRYPTOKI_NOT_INITIALIZED'],
    ['ROB-07', 'the session of before', 'C_GetSessionInfo', 'CKR_SESSION_HANDLE_INVALID'],
    ['ROB-08', 'logged in already', 'C_Login', 'CKR_USER_ALREADY_LOGGED_IN'],
    ['ROB-10', 'after its session was closed', 'C_GetAttributeValue', 'CKR_OBJECT_HANDLE_INVALID'],
    ['ROB-11', 'sessions of one process at once', 'C_OpenSession', 'no end at'],
    ['ROB-12', '16 threads with CKF_OS_LOCKING_OK: wrong', undefined, 'no wrong result'],
    ['ROB-15', 'the first 9 octets of a wrapped key', 'C_UnwrapKey', 'CKR_WRAPPED_KEY_LEN_RANGE'],
    ['ROB-15', 'a changed bit in octet 0', 'C_UnwrapKey', 'CKR_GENERAL_ERROR'],
    ['ROB-16', 'a key of a session that was closed', undefined, 'CKR_SESSION_HANDLE_INVALID'],
    ['ROB-18', 'an attribute that does not exist', 'C_GenerateKey', 'CKR_ATTRIBUTE_TYPE_INVALID'],
    ['PRF-10', 'PKCS#11 calls of one replication', undefined, 'CBCDERIVE-A256KWP'],
  ],
  nss: [
    ['ROB-10', 'after its session was closed', 'C_GetAttributeValue', 'CKR_OBJECT_HANDLE_INVALID'],
    ['ROB-11', 'sessions of one process at once', 'C_OpenSession', 'no end at'],
    ['ROB-12', '16 threads with CKF_OS_LOCKING_OK: wrong', undefined, 'no wrong result'],
    ['ROB-14', 'the token opens after', 'C_Login', 'each time'],
    ['ROB-15', 'the first 9 octets of a wrapped key', 'C_UnwrapKey', 'CKR_DATA_LEN_RANGE'],
    ['ROB-15', 'the first 1 octets of a wrapped key', 'C_UnwrapKey', 'CKR_HOST_MEMORY'],
    ['ROB-15', 'a changed bit in octet 0', 'C_UnwrapKey', 'CKR_WRAPPED_KEY_INVALID'],
    ['PRF-10', 'PKCS#11 calls of one replication', undefined, 'A256KWP'],
  ],
};

/** Performance checks whose numbers come from a run of this size; the sizes are in the names of what was measured. */
const measured = [
  'P-384 key pair',
  'RSA-2048 key pair',
  'RSAES-OAEP unwrap of an AES-256 key under RSA-2048',
  'find by CKA_ID among 1,000 session objects',
  'C_OpenSession and C_CloseSession',
  'C_Login',
];

for (const kind of tokenKinds()) {
  describe(`robustness and performance of ${kind}, as the suite finds it`, function () {
    this.timeout(120_000);
    let directory: string;
    let report: ValidationReport;

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'keyferry-validation-facts-'));
      const label = 'keyferry-validation';
      report = await runValidation({
        reference: {
          module: kind,
          settings: {},
          selector: { label },
          userPin: { kind: 'file', path: join(directory, 'user.pin') },
          soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: join(directory, 'so.pin') },
          scratch: { kind, directory },
          initialiseAs: label,
        },
        checks: checks.filter(({ group }) => group === 'ROB' || group === 'PRF'),
        catalogue: CATALOGUE,
        seed: 'facts',
        isQuick: true,
      });
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    function resultOf(id: string): CheckResult {
      const found = report.checks.find((check) => check.id === id);
      if (found === undefined) throw new Error(`no result of ${id}`);
      return found;
    }

    function expectKnown([id, what, call, seen]: Known, isAsExpected: boolean): void {
      const about = resultOf(id).observations.filter(
        (each) => each.what.includes(what) && (call === undefined || each.call === call),
      );
      const texts = about.map((each) => `${each.isAsExpected ? 'expected' : 'finding'}: ${each.seen}`);
      const wanted = about.some((each) => each.seen.includes(seen) && each.isAsExpected === isAsExpected);
      expect(wanted, `${id}, ${what}, ${call ?? ''}: ${texts.join('; ')}`).to.equal(true);
    }

    it('finds each thing that is known to be wrong', () => {
      for (const known of findings[kind]) expectKnown(known, false);
    });

    it('finds each thing that is known to be right, or that may be as it is', () => {
      for (const known of answers[kind]) expectKnown(known, true);
    });

    // A crash, failed calls, or wrong results: which of them is a matter of luck.
    if (kind === 'softhsm2') {
      it('finds that threads without CKF_OS_LOCKING_OK go wrong', () => {
        const without = resultOf('ROB-12').observations.find(({ what }) => what.includes('without CKF_OS_LOCKING_OK'));
        expect(without?.seen).to.be.a('string').and.not.equal('nothing wrong');
      });
    }

    it('has no check that could not be run', () => {
      expect(report.checks.filter(({ status }) => status === 'not-run').map(({ id }) => id)).to.deep.equal([]);
      expect(report.incidents).to.deep.equal([]);
    });

    it('finds nothing that keeps the token from carrying a flow', () => {
      expect(report.verdicts.flatMap(({ blockedBy }) => blockedBy)).to.deep.equal([]);
    });

    it('measures each operation at the numbers of sessions of the run', () => {
      const all = report.checks.flatMap(({ measurements }) => measurements);
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
  });
}
