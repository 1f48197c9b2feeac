import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dialectDigest, dialectForm } from '../../src/token/dialect.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { parseReport } from '../../src/validation/result.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { keyferry } from '../support/keyferry_command.js';

const KWP_OF_ITS_OWN = '80000aaa';
const DIALECT = `mechanisms: { CKM_AES_KEY_WRAP_KWP: 0x${KWP_OF_ITS_OWN} }\n`;

/** SoftHSM2 behind a library that has another number for RFC 5649: one that nobody finds by trying. */
describe('a module with numbers of its own, on the command line', function () {
  this.timeout(120_000);
  let token: FaultyToken;
  let dialect: string;
  const validate = (...args: readonly string[]): ReturnType<typeof keyferry> =>
    keyferry('validate', ...named('--token'), '--quick', '--check', 'CAP-01', ...args);
  const named = (label: string): readonly string[] => [
    ...['--module', token.modulePath, label, token.label],
    ...['--pin-file', token.userPinFile],
  ];

  before(async () => {
    token = await makeFaultyToken('softhsm2');
    Object.assign(process.env, token.settings.environment);
    token.setFaults(`* * instead ${KWP_OF_ITS_OWN} 210a`, '* * no-mechanism 210a');
    token.module.close();
    dialect = join(token.directory, 'dialect.yaml');
    writeFileSync(dialect, DIALECT);
  });
  after(() => {
    for (const variable of Object.keys(token.settings.environment ?? {})) delete process.env[variable];
    token.dispose();
  });

  it('carries no flow for keyferry validate without its dialect, and every flow with it; the report says which', async () => {
    const [standard, own] = ['standard', 'own'].map((name) => join(token.directory, name));
    const without = await validate('--report', standard ?? '');
    expect(without.status, without.stderr).to.equal(0);
    expect(without.stdout).to.not.contain('DIALECT');
    const read = (directory = ''): ReturnType<typeof parseReport> =>
      parseReport(readFileSync(join(directory, 'findings.json'), 'utf8'), 'findings.json');
    expect(read(standard).verdicts[0]).to.include({ flow: 'replication', answer: 'no' });

    const ended = await validate('--dialect', dialect, '--report', own ?? '');
    expect(ended.status, ended.stderr).to.equal(0);
    expect(ended.stdout).to.contain(`CKM_AES_KEY_WRAP_KWP is 0x${KWP_OF_ITS_OWN}`);
    const report = read(own);
    expect(report.verdicts.map(({ answer }) => answer)).to.deep.equal(['yes', 'yes', 'yes', 'yes']);
    expect(report.dialect).to.deep.equal({ mechanisms: { CKM_AES_KEY_WRAP_KWP: Number(`0x${KWP_OF_ITS_OWN}`) } });
    expect(report.profile?.dialect).to.equal(dialectDigest(dialectForm.parse(report.dialect)));
    expect(readFileSync(join(own ?? '', 'report.html'), 'utf8')).to.contain(`is 0x${KWP_OF_ITS_OWN}`);
  });

  it('is profiled in its dialect', async () => {
    const ended = await keyferry('token', 'profile', ...named('--label'), '--json', '--dialect', dialect);
    expect(ended.status, ended.stderr).to.equal(0);
    const { profile } = JSON.parse(ended.stdout) as { readonly profile: TokenProfile };
    expect(profile.facts.aesKeyWrapPad.works).to.equal(true);
    expect(profile.dialect).to.equal(
      dialectDigest(dialectForm.parse({ mechanisms: { CKM_AES_KEY_WRAP_KWP: `0x${KWP_OF_ITS_OWN}` } })),
    );
  });

  it('is told where a dialect is not to be understood, before anything is loaded', async () => {
    const wrong = join(token.directory, 'wrong.yaml');
    writeFileSync(wrong, 'mechanisms:\n  CKM_AES_KEY_WARP_KWP: 0x1\n');
    const refused = await validate('--dialect', wrong);
    expect(refused.status).to.equal(2);
    expect(refused.stderr).to.contain('wrong.yaml:2:').and.to.contain('no mechanism of PKCS#11');
    const missing = await validate('--dialect', join(token.directory, 'nowhere.yaml'));
    expect(missing.status).to.equal(2);
    expect(missing.stderr).to.contain('cannot be read');
  });
});
