import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checks } from '../../src/validation/catalogue.js';
import type { CheckResult, ValidationReport } from '../../src/validation/result.js';
import { runValidation } from '../../src/validation/runner.js';
import { tokenKinds, type SoftwareTokenKind } from '../support/token_directory.js';

const CATALOGUE = new URL('../../src/validation/catalogue.js', import.meta.url).href;

/**
 * Something that is known of a token from measurements made without the suite: the check, part of what was tried, the mechanism
 * where it matters, and part of what was seen.
 */
type Known = readonly [check: string, what: string, seen: string, mechanism?: string];

const findings: Readonly<Record<SoftwareTokenKind, readonly Known[]>> = {
  softhsm2: [
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
  nss: [
    ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_CBC'],
    ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_CBC_PAD'],
    ['POL-01', 'CKA_WRAP and CKA_DECRYPT wraps a sensitive key', 'the key in clear', 'CKM_AES_ECB'],
    ['POL-02', 'an RSA pair with CKA_WRAP and CKA_DECRYPT', 'the key in clear', 'CKM_RSA_PKCS'],
    ['POL-03', 'CKA_SENSITIVE false, CKA_EXTRACTABLE false', 'CKA_VALUE can be read'],
    ['POL-04', 'CKA_EXTRACTABLE false to true', 'changed'],
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
  ],
};

const refusals: Readonly<Record<SoftwareTokenKind, readonly Known[]>> = {
  softhsm2: [
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
  nss: [
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
};

async function runPolicyChecks(kind: SoftwareTokenKind, directory: string): Promise<ValidationReport> {
  const label = 'keyferry-validation';
  return runValidation({
    reference: {
      module: kind,
      settings: {},
      selector: { label },
      userPin: { kind: 'file', path: join(directory, 'user.pin') },
      soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: join(directory, 'so.pin') },
      scratch: { kind, directory },
      initialiseAs: label,
    },
    checks: checks.filter(({ group }) => group === 'POL'),
    catalogue: CATALOGUE,
    seed: 'facts',
    isQuick: true,
  });
}

for (const kind of tokenKinds()) {
  describe(`policy checks of the validation on ${kind}`, function () {
    this.timeout(90_000);
    let directory: string;
    let report: ValidationReport;

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), `keyferry-policy-${kind}-`));
      report = await runPolicyChecks(kind, directory);
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    function resultOf(id: string): CheckResult {
      const found = report.checks.find((check) => check.id === id);
      if (found === undefined) throw new Error(`no result of ${id}`);
      return found;
    }

    function seen([id, what, , mechanism]: Known, isAsExpected: boolean): string {
      return resultOf(id)
        .observations.filter((each) => each.isAsExpected === isAsExpected && each.what.includes(what))
        .filter((each) => mechanism === undefined || each.mechanism === mechanism)
        .map((each) => each.seen)
        .join('\n');
    }

    for (const known of findings[kind]) {
      it(`finds ${known.join(': ')}`, () => {
        expect(seen(known, false)).to.contain(known[2]);
      });
    }

    for (const known of refusals[kind]) {
      it(`sees ${known.join(': ')}`, () => {
        expect(seen(known, true)).to.contain(known[2]);
      });
    }

    it('takes no check for not run or not applicable, and leaves nothing behind', () => {
      expect(report.checks.filter(({ status }) => status === 'not-run' || status === 'not-applicable')).to.deep.equal(
        [],
      );
      expect(report.incidents).to.deep.equal([]);
      const leftovers = report.checks.filter(({ observations }) =>
        observations.some(({ what }) => what.includes('gone at its end')),
      );
      expect(leftovers.map(({ id }) => id)).to.deep.equal([]);
    });

    it('says of each finding what it is worth to an attacker, and what to do about it', () => {
      for (const { id, status, severity, observations } of report.checks) {
        const wrong = observations.filter(({ isAsExpected }) => !isAsExpected);
        expect(wrong.length > 0, id).to.equal(status === 'finding');
        const check = checks.find((each) => each.id === id);
        expect(check?.attack, id).to.be.a('string').with.length.above(40);
        expect(check?.remedy, id).to.have.length.above(40);
        expect(severity).to.equal(check?.severity);
      }
    });
  });
}
