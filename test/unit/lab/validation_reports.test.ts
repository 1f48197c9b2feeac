import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { StateDirectory } from '../../../src/lab/state_directory.js';
import { readValidationPage, readValidationReports } from '../../../src/lab/validation_reports.js';

const FINDINGS = {
  startedAt: '2026-01-01T00:00:00.000Z',
  isComplete: true,
  isQuick: true,
  identity: { manufacturer: 'Maker  ', model: 'Token  ', libraryVersion: '1.0', firmwareVersion: '2.0' },
  checks: [
    { status: 'finding', severity: 'security' },
    { status: 'finding', severity: 'security' },
    { status: 'passed', severity: 'blocks' },
  ],
  verdicts: [{ flow: 'import', answer: 'yes', reservations: ['POL-01'] }],
};

describe('the validation reports of a lab', () => {
  let directory: StateDirectory;
  const put = (name: string, file: string, text: string): void => {
    mkdirSync(join(directory.validation, name), { recursive: true });
    writeFileSync(join(directory.validation, name, file), text);
  };

  beforeEach(() => {
    directory = new StateDirectory(mkdtempSync(join(tmpdir(), 'keyferry-reports-')));
  });

  afterEach(() => rmSync(directory.root, { recursive: true }));

  it('are none where nothing was validated', () => {
    expect(readValidationReports(directory)).to.deep.equal([]);
  });

  it('are listed with what they found, the newest first', () => {
    put('old', 'findings.json', JSON.stringify(FINDINGS));
    put('new', 'findings.json', JSON.stringify({ ...FINDINGS, startedAt: '2026-02-01T00:00:00.000Z' }));
    put('new', 'report.html', '<h1>Report</h1>');
    const [first, second] = readValidationReports(directory);
    expect([first?.name, first?.hasPage, second?.name, second?.hasPage]).to.deep.equal(['new', true, 'old', false]);
    expect(first).to.deep.include({
      manufacturer: 'Maker',
      model: 'Token',
      checks: 3,
      findings: { security: 2 },
      verdicts: [{ flow: 'import', answer: 'yes', reservations: 1 }],
    });
  });

  it('leave out what is no report', () => {
    put('broken', 'findings.json', '{');
    put('other', 'findings.json', '{"startedAt": 5}');
    put('empty', 'notes.txt', 'nothing');
    put('.hidden', 'findings.json', JSON.stringify(FINDINGS));
    expect(readValidationReports(directory)).to.deep.equal([]);
  });

  it('are read from their own folders only', () => {
    put('nss', 'report.html', '<h1>Report</h1>');
    writeFileSync(join(directory.root, 'report.html'), 'of the lab itself');
    expect(readValidationPage(directory, 'nss')?.toString()).to.equal('<h1>Report</h1>');
    for (const name of ['..', '.', '', '../validation/nss', 'nss/', 'none', 'a'.repeat(65)]) {
      expect(readValidationPage(directory, name), name).to.equal(undefined);
    }
  });
});
