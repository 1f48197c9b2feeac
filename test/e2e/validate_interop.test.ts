import { expect } from 'chai';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '../../src/bytes.js';
import { CKA_ENCRYPT, CKA_LABEL, CKA_TOKEN, CKA_VALUE_LEN, CKM_AES_KEY_GEN } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { TokenModule } from '../../src/token/module.js';
import { OpenToken } from '../../src/token/open_token.js';
import { plain } from '../../src/token/probe/probe_context.js';
import type { TokenProfile } from '../../src/token/profile.js';
import type { InteropResult } from '../../src/surfaces/cli/validate_interop_text.js';
import { template } from '../../src/token/template.js';
import { writeReports } from '../../src/validation/report_files.js';
import type { CheckResult } from '../../src/validation/result.js';
import { verdictsOf } from '../../src/validation/verdict.js';
import { keyferry } from '../support/keyferry_command.js';
import { profileBut } from '../support/profile.js';
import { KEY_LABELS } from '../../src/hsm/token_keys.js';
import { makeScratchToken, type ScratchToken } from '../support/token_directory.js';
import { finding, report, result } from '../support/validation_report.js';

describe('keyferry validate compare and interop, of reports', () => {
  let directory: string;
  const path = (name: string): string => join(directory, name);

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-compare-'));
    const write = (name: string, profile: TokenProfile, ...checks: readonly CheckResult[]): void => {
      mkdirSync(path(name));
      writeReports({ ...report(...checks), profile, verdicts: [...verdictsOf(profile, checks)] }, path(name));
    };
    write('old', profileBut({}), result('POL-01'));
    write('new', profileBut({ facts: ['ecdsa', 'ecdsaSha384'] }), finding('POL-01', 'a <b>key</b> comes out'));
    writeFileSync(path('broken.json'), '{}');
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('shows what is different, and exits with 0', async () => {
    const ended = await keyferry('validate', 'compare', path('old'), path('new'));
    expect(ended.status, ended.stderr).to.equal(0);
    for (const text of ['yes before, no now', '- CKM_ECDSA', 'new POL-01', 'new: a <b>key</b> comes out']) {
      expect(ended.stdout).to.contain(text);
    }
  });

  it('exits with 1 on a regression where that is asked for, and not where things got better', async () => {
    const compare = (from: string, to: string, ...more: readonly string[]): ReturnType<typeof keyferry> =>
      keyferry('validate', 'compare', path(from), join(path(to), 'findings.json'), '--json', ...more);
    const worse = await compare('old', 'new', '--fail-on-regression', 'blocks');
    expect([worse.status, worse.stderr]).to.satisfy(
      ([status, text]: [number, string]) => status === 1 && text.includes('signing'),
    );
    expect((JSON.parse(worse.stdout) as { regressions: unknown }).regressions).to.deep.equal([
      'signing: yes before, no now',
    ]);
    const better = await compare('new', 'old', '--fail-on-regression');
    expect(better.status, better.stderr).to.equal(0);
  });

  it('prints the matrix of stored profiles, and fails on a missing pair where that is asked for', async () => {
    const ended = await keyferry('validate', 'interop', path('old'), path('new'), '--fail-on-missing', '--json');
    expect(ended.status).to.equal(1);
    expect(ended.stderr).to.contain('old to new').and.not.contain('old to old');
    const { pairs } = JSON.parse(ended.stdout) as InteropResult;
    expect(pairs.map(({ from, to, answer }) => `${from} ${to} ${answer}`)).to.deep.equal([
      'old old yes',
      'old new no',
      'new old no',
      'new new no',
    ]);
  });

  it('exits with 2 for files that it cannot read and requests that make no sense', async () => {
    for (const args of [
      ['compare', path('old'), path('broken.json')],
      ['compare', path('old'), path('new'), '--noise', '0.5'],
      ['interop'],
      ['interop', path('old'), path('old')],
      ['interop', '--token', 'x'],
    ]) {
      const ended = await keyferry('validate', ...args);
      expect(ended.status, `${args.join(' ')}: ${ended.stderr}`).to.equal(2);
    }
  }).timeout(30_000);
});

describe('keyferry validate interop, between live tokens', function () {
  this.timeout(120_000);
  let token: ScratchToken;
  let spec: string;

  async function addKey(label: string): Promise<void> {
    const module = TokenModule.load(token.modulePath);
    module.initialise(token.settings);
    const open = await OpenToken.open(module, { token: { label: token.label }, userPin: token.userPin });
    const job = new Job('make a key', 'test');
    const shape = template([CKA_TOKEN, true], [CKA_LABEL, utf8(label)], [CKA_VALUE_LEN, 32], [CKA_ENCRYPT, true]);
    job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), shape));
    await open.executor.run(job);
    await open.close();
    module.close();
  }

  before(async () => {
    token = await makeScratchToken('softhsm2', 'somebody’s token');
    token.module.close();
    await addKey('somebody’s key');
    const configuration = token.settings.environment?.['SOFTHSM2_CONF'] ?? '';
    spec = `soft=${token.modulePath},label=${token.label},pin-file=${token.userPinFile},environment.SOFTHSM2_CONF=${configuration}`;
  });
  after(() => rmSync(token.directory, { recursive: true, force: true }));

  const labs = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('kf-interop-'));

  it('replicates a key each way, uses it in both, and leaves the user’s token as it was', async () => {
    const before = labs();
    const ended = await keyferry('validate', 'interop', '--token', spec, '--token', 'nss=nss', '--json');
    expect(ended.status, ended.stderr).to.equal(0);
    const { performed, left } = JSON.parse(ended.stdout) as InteropResult;
    expect(performed.map(({ from, to, outcome }) => `${from} ${to} ${outcome}`)).to.deep.equal([
      'soft nss replicated',
      'nss soft replicated',
    ]);
    for (const each of performed) {
      if (each.outcome !== 'replicated') throw new Error(each.reason);
      expect(each.messages).to.equal(5);
      const peer = each.from === 'soft' ? 'nss' : 'soft';
      expect(each.proofs).to.deep.equal([
        `encrypted in ${each.from}, decrypted in ${peer}`,
        `encrypted in ${peer}, decrypted in ${each.from}`,
      ]);
      expect(each.steps.map(({ region, step }) => `${region} ${step}`)).to.include.members([
        `${peer} generateAgreementKey`,
        `${each.from} agree`,
        `${each.from} wrap`,
        `${peer} unwrap`,
      ]);
    }
    expect(left).to.have.length(1);
    expect(left[0]).to.deep.include({ name: 'soft', before: 1, after: 1 });
    expect(left[0]?.removed).to.be.greaterThan(3);
    expect(labs().filter((name) => !before.includes(name))).to.deep.equal([]);
  });

  it('refuses a token that holds keys of a region, and leaves them there', async () => {
    await addKey(KEY_LABELS.domainKey);
    // Twice: what refused it the first time must not have removed anything.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const refused = await keyferry('validate', 'interop', '--token', spec, '--token', 'nss=nss');
      expect(refused.status).to.equal(2);
      expect(refused.stderr).to.contain('holds 1 keys of Keyferry');
    }
  });
});
