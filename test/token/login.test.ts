import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ConfigError } from '../../src/errors.js';
import { TokenError } from '../../src/token/errors.js';
import { TokenModule } from '../../src/token/module.js';
import { findModule } from '../../src/token/module_path.js';
import { generatePinFile, type PinSource } from '../../src/token/native.js';
import { OpenToken } from '../../src/token/open_token.js';
import { refusalMarker } from '../../src/token/pin_refusal.js';
import { prepareTokenDirectory } from '../../src/token/token_directory.js';
import { Job } from '../../src/token/job.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';
import { rejection } from '../support/failure.js';

const loginProgram = fileURLToPath(new URL('../support/log_in.js', import.meta.url));

/** Opens the token in another process, as a restarted service would, and says how that ended. */
function openElsewhere(
  scratch: ScratchToken,
  userPin: PinSource,
): { readonly code: string; readonly remembered: boolean } {
  const child = spawnSync(
    process.execPath,
    [
      loginProgram,
      JSON.stringify({ module: scratch.modulePath, settings: scratch.settings, label: scratch.label, userPin }),
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as { code: string; remembered: boolean };
}

for (const kind of tokenKinds()) {
  describe(`logging in to ${kind}`, function () {
    this.timeout(20_000);
    let scratch: ScratchToken;
    before(async () => {
      scratch = await makeScratchToken(kind);
    });
    after(() => scratch.dispose());

    const open = (userPin: PinSource): Promise<OpenToken> =>
      OpenToken.open(scratch.module, { token: { label: scratch.label }, userPin });

    it('gives a token that runs jobs', async () => {
      const token = await open(scratch.userPin);
      const job = new Job('random', 'test');
      const output = job.random(16);
      expect((await token.executor.run(job)).bytes(output)).to.have.length(16);
      await token.close();
    });

    it('counts "already logged in" as success, and reads no PIN for it', async () => {
      const first = await open(scratch.userPin);
      const second = await open({ kind: 'file', path: join(scratch.directory, 'there is no such file') });
      await second.close();
      const job = new Job('random', 'test');
      job.random(1);
      await first.executor.run(job);
      await first.close();
    });

    it('is over when the token is closed', async () => {
      await (await open(scratch.userPin)).close();
      await rejection(ConfigError, open({ kind: 'file', path: join(scratch.directory, 'there is no such file') }));
    });

    it('reads the PIN from an environment variable as well', async () => {
      // The variable is set by a shell in a child process: here a PIN would be a JavaScript value.
      const request = JSON.stringify({
        module: scratch.modulePath,
        settings: scratch.settings,
        label: scratch.label,
        userPin: { kind: 'environment', name: 'KEYFERRY_TEST_PIN' },
      });
      const child = spawnSync(
        'sh',
        [
          '-c',
          'KEYFERRY_TEST_PIN=$(cat "$1") exec "$2" "$3" "$4"',
          'sh',
          scratch.userPinFile,
          process.execPath,
          loginProgram,
          request,
        ],
        { encoding: 'utf8', timeout: 20_000 },
      );
      expect(child.stdout, child.stderr).to.equal('{"code":"","remembered":false}');
    });

    it('refuses a PIN file that others can read, before the token is asked', async () => {
      const path = join(scratch.directory, 'open.pin');
      copyFileSync(scratch.userPinFile, path);
      const { chmodSync } = await import('node:fs');
      chmodSync(path, 0o644);
      expect((await rejection(ConfigError, open({ kind: 'file', path }))).code).to.equal('ERR_CONFIG_PIN');
    });

    it('with a wrong PIN fails once, and never asks the token again: here, or after a restart', async () => {
      const path = join(scratch.directory, 'wrong.pin');
      generatePinFile(path);
      const wrong: PinSource = { kind: 'file', path };
      const first = await rejection(TokenError, open(wrong));
      expect(first.code).to.equal('ERR_TOKEN_PIN_REFUSED');
      expect(first.rvName).to.equal('CKR_PIN_INCORRECT');
      expect(first.call).to.equal('C_Login');
      expect(first.retryable).to.equal(false);
      expect(first.details['remembered']).to.equal(false);
      const second = await rejection(TokenError, open(wrong));
      expect(second.code).to.equal('ERR_TOKEN_PIN_REFUSED');
      expect(second.details['remembered']).to.equal(true);
      expect(openElsewhere(scratch, wrong)).to.deep.equal({ code: 'ERR_TOKEN_PIN_REFUSED', remembered: true });
    });

    it('leaves a marker that nobody else can read and that says nothing about the PIN', () => {
      const path = join(scratch.directory, 'wrong.pin');
      const marker = statSync(refusalMarker(path));
      expect(marker.mode & 0o777).to.equal(0o600);
    });

    it('tries again when the PIN file was changed, and then forgets the refusal', async () => {
      const path = join(scratch.directory, 'wrong.pin');
      copyFileSync(scratch.userPinFile, path);
      const token = await open({ kind: 'file', path });
      await token.close();
      expect(existsSync(refusalMarker(path))).to.equal(false);
      expect(openElsewhere(scratch, { kind: 'file', path })).to.deep.equal({ code: '', remembered: false });
    });

    it('refuses a PIN of this process’s environment once as well', async () => {
      const request = JSON.stringify({
        module: scratch.modulePath,
        settings: scratch.settings,
        label: scratch.label,
        userPin: { kind: 'environment', name: 'KEYFERRY_TEST_PIN' },
        attempts: 2,
      });
      const child = spawnSync(process.execPath, [loginProgram, request], {
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, KEYFERRY_TEST_PIN: 'this is not the right one' },
      });
      expect(child.stdout, child.stderr).to.equal('{"code":"ERR_TOKEN_PIN_REFUSED","remembered":true}');
    });

    it('is refused where the token has no user PIN yet', async () => {
      const directory = mkdtempSync(join(tmpdir(), `keyferry-${kind}-fresh-`));
      try {
        const library = join(directory, 'library.so');
        copyFileSync(findModule(kind), library);
        const module = TokenModule.load(library);
        module.initialise(prepareTokenDirectory(kind, join(directory, 'token'), 'fresh'));
        const fresh = module.slots().find((slot) => !slot.token().isInitialised);
        if (fresh === undefined) throw new Error('no fresh slot');
        const pin = { kind: 'file', path: join(directory, 'pin') } as const;
        generatePinFile(pin.path);
        if (kind === 'softhsm2') {
          const made = await module.native.initToken(fresh.slotId, pin, 'fresh');
          expect(made.rv).to.equal(0);
        }
        const opened = OpenToken.open(module, { token: { slotId: fresh.slotId }, userPin: pin });
        expect((await rejection(TokenError, opened)).code).to.equal('ERR_TOKEN_PIN_NOT_SET');
        module.close();
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });

    it('is refused where there is no such token', async () => {
      const opened = OpenToken.open(scratch.module, { token: { label: 'none' }, userPin: scratch.userPin });
      expect((await rejection(TokenError, opened)).code).to.equal('ERR_TOKEN_NOT_PRESENT');
    });

    it('works from a directory where no marker can be written, with the process’s own memory', async () => {
      // A marker's path that is a directory cannot be written, whoever runs this.
      const path = join(scratch.directory, 'unmarkable.pin');
      generatePinFile(path);
      const { mkdirSync } = await import('node:fs');
      mkdirSync(refusalMarker(path));
      writeFileSync(join(refusalMarker(path), 'occupied'), '');
      const wrong: PinSource = { kind: 'file', path };
      expect((await rejection(TokenError, open(wrong))).details['marker']).to.equal(undefined);
      expect((await rejection(TokenError, open(wrong))).details['remembered']).to.equal(true);
    });
  });
}
