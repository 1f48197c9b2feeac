import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import type { ValidationReport } from '../../src/validation/result.js';
import { devices } from '../devices/catalogue.js';
import type { Device } from '../devices/device.js';
import { PAGE_FILE, pageOfRecords, readRecord } from '../devices/device_files.js';
import { recordOf } from '../devices/device_record.js';
import { validateDevice } from '../devices/device_run.js';
import { openCryptoki } from '../devices/opencryptoki.js';
import { tpm2 } from '../devices/tpm2.js';

/** Skips a test or a suite where a device cannot be run. */
function needDevice(context: Mocha.Context, device: Device): void {
  const reason = device.reasonToSkip();
  if (reason === null) return;
  Object.assign(context.currentTest?.parent ?? context.test?.parent ?? {}, { skipReason: reason });
  context.skip();
}

function missingOf(report: ValidationReport, flow: string): string {
  return report.verdicts.find((verdict) => verdict.flow === flow)?.missing.join('\n') ?? '';
}

function foldersOf(device: Device): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`keyferry-device-${device.id}-`));
}

describe('the devices that the validation is proven on', () => {
  describe('as docs/DEVICES.md has them', () => {
    it('are what the recorded findings say', () => {
      expect(readFileSync(PAGE_FILE, 'utf8')).to.equal(pageOfRecords());
    });

    it('were each validated whole, and nothing died outside of a check', () => {
      for (const device of devices) {
        const record = readRecord(device);
        expect(record, device.id).to.include({ id: device.id, isQuick: false });
        expect(record?.incidents, device.id).to.deep.equal([]);
      }
    });

    it('could run every check, but for a module that damages its own token when it crashes', () => {
      const incomplete = devices.filter((device) => readRecord(device)?.notRun.length !== 0);
      expect(incomplete.filter((device) => device !== openCryptoki).map(({ id }) => id)).to.deep.equal([]);
    });
  });

  describe('tpm2-pkcs11 over a TPM in software', function () {
    this.timeout(60_000);
    let report: ValidationReport;

    before(async function () {
      needDevice(this, tpm2);
      report = await validateDevice(tpm2, { isQuick: true });
    });

    it('carries no flow', () => {
      expect(report.verdicts.map(({ answer }) => answer)).to.deep.equal(['no', 'no', 'no', 'no']);
    });

    it('is told what is missing: mechanisms that it does not list, and calls that it refuses', () => {
      const replication = missingOf(report, 'replication');
      expect(replication).to.contain('deriveRwk: the token does not list CKM_ECDH1_DERIVE, CKM_AES_KEY_WRAP_KWP');
      expect(missingOf(report, 'operations')).to.contain('messageKey: the token does not list CKM_AES_GCM');
      expect(missingOf(report, 'signing')).to.match(
        /refuses CKM_EC_KEY_PAIR_GEN for P-384: C_GenerateKeyPair returned CKR_/u,
      );
      expect(missingOf(report, 'import')).to.contain('RSAES_OAEP_SHA_1: it refuses CKM_RSA_PKCS_KEY_PAIR_GEN');
      expect([replication, missingOf(report, 'operations')].join()).to.not.contain('not tried');
    });

    it('lets every check come to its end, though each process leaves objects in the TPM', () => {
      expect(report.checks.filter(({ status }) => status === 'not-run').map(({ id }) => id)).to.deep.equal([]);
      expect(report.incidents).to.deep.equal([]);
    });

    it('leaves neither process nor folder behind', () => {
      expect(foldersOf(tpm2)).to.deep.equal([]);
    });
  });

  describe('openCryptoki’s software token', function () {
    this.timeout(60_000);
    let report: ValidationReport;
    const state = (): readonly (string | number)[] => [
      ...readdirSync('/var/lib/opencryptoki/swtok', { recursive: true }).map(String),
      statSync('/var/lib/opencryptoki/swtok').mtimeMs,
      statSync('/etc/opencryptoki/opencryptoki.conf').mtimeMs,
    ];
    let stateBefore: readonly (string | number)[];

    before(async function () {
      needDevice(this, openCryptoki);
      stateBefore = state();
      report = await validateDevice(openCryptoki, { isQuick: true });
    });

    it('carries no flow', () => {
      expect(report.verdicts.map(({ answer }) => answer)).to.deep.equal(['no', 'no', 'no', 'no']);
    });

    it('is told what is missing: elliptic curves, AES key wrap and AES-GCM', () => {
      expect(missingOf(report, 'replication')).to.match(
        /deriveRwk: the token does not list CKM_ECDH1_DERIVE, CKM_\w+, CKM_AES_KEY_WRAP_KWP/u,
      );
      expect(missingOf(report, 'signing')).to.contain('sign: the token does not list CKM_ECDSA, CKM_EC_KEY_PAIR_GEN');
      expect(missingOf(report, 'operations')).to.contain('wrap: the token does not list CKM_AES_KEY_WRAP_KWP');
      expect(missingOf(report, 'operations')).to.contain('messageKey: the token does not list CKM_AES_GCM');
      expect(missingOf(report, 'import')).to.contain(
        'RSA_AES_KEY_WRAP_SHA_1: the token does not list CKM_RSA_AES_KEY_WRAP',
      );
    });

    it('unwraps by RSA-OAEP, and is still refused for imports, because what comes in cannot be kept', () => {
      const verdict = report.verdicts.find(({ flow }) => flow === 'import');
      expect(verdict?.strategies.map(({ id }) => id)).to.deep.equal(['import-oaep-sha1', 'import-oaep-sha256']);
      expect(verdict?.blockedBy).to.deep.equal(['CAP-06']);
    });

    it('leaves its daemon, its state and its socket nowhere on the machine', () => {
      expect(state()).to.deep.equal(stateBefore);
      expect(existsSync('/run/pkcsslotd.socket')).to.equal(false);
      expect(foldersOf(openCryptoki)).to.deep.equal([]);
    });

    it('gives the findings that are recorded of it, where it is of the same version', function () {
      const recorded = readRecord(openCryptoki);
      const found = recordOf(openCryptoki, report, recorded);
      if (recorded === undefined || recorded.packages.join() !== found.packages.join()) {
        Object.assign(this.test ?? {}, {
          skipReason: `another version than was recorded: ${found.packages.join(', ')}`,
        });
        this.skip();
      }
      expect(found.verdicts.map(({ flow, missing }) => ({ flow, missing }))).to.deep.equal(
        recorded.verdicts.map(({ flow, missing }) => ({ flow, missing })),
      );
    });
  });
});
