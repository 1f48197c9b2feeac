import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../src/errors.js';
import { CKA_ENCRYPT, CKA_VALUE, CKM_AES_KEY_GEN, CKM_SHA256_HMAC } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { generatePinFile, loadModule, programRefusal, type PinSource } from '../../src/token/native.js';
import { CKR } from '../../src/token/return_value.js';
import { aesTemplate, deriveMessageKey, gcm, macKeyTemplate, p384Pair, plain } from '../support/executor_jobs.js';
import { rejection, thrown } from '../support/failure.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

const CKU_SO = 0;
const CKU_USER = 1;
const CKS_RO_PUBLIC_SESSION = 0;
const CKS_RW_PUBLIC_SESSION = 2;
const CKS_RW_USER_FUNCTIONS = 3;

describe('the addon', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-native-'));
  });
  after(() => {
    rmSync(directory, { recursive: true });
  });

  it('says why a module cannot be loaded', () => {
    const missing = thrown(TokenError, () => loadModule(join(directory, 'no-such-library.so')));
    expect(missing.code).to.equal('ERR_TOKEN_MODULE_NOT_LOADED');
    expect(missing.details['reason']).to.contain('no-such-library.so');
    const other = thrown(TokenError, () => loadModule('libm.so.6'));
    expect(other.details['reason']).to.contain('C_GetFunctionList');
  });

  it('generates PIN files that only their owner reads, each another, and overwrites none', () => {
    const paths = ['first.pin', 'second.pin'].map((name) => join(directory, name));
    for (const path of paths) generatePinFile(path);
    const pins = paths.map((path) => readFileSync(path, 'latin1'));
    for (const pin of pins) expect(pin).to.match(/^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{32}\n$/u);
    expect(pins[0]).to.not.equal(pins[1]);
    expect(statSync(paths[0] as string).mode & 0o777).to.equal(0o600);
    const refused = thrown(ConfigError, () => generatePinFile(paths[0] as string));
    expect(refused.code).to.equal('ERR_CONFIG_PIN');
    expect(readFileSync(paths[0] as string, 'latin1')).to.equal(pins[0]);
    symlinkSync(join(directory, 'elsewhere'), join(directory, 'link.pin'));
    expect(() => generatePinFile(join(directory, 'link.pin'))).to.throw(ConfigError);
  });
});

describe('a program for the native threads', () => {
  const handle = { kind: 'object-handle', epoch: 1, value: 77n } as const;

  /** One program with most kinds of step. */
  const program = (): Uint8Array => {
    const job = new Job('seed', 'test');
    const key = deriveMessageKey(job, handle);
    job.attempt();
    job.encrypt(gcm(Buffer.alloc(12)), key, Buffer.alloc(9));
    const secret = job.randomSecret(48);
    job.reveal(secret);
    const mac = job.createObject(macKeyTemplate, { type: CKA_VALUE, secret });
    job.sign(plain(CKM_SHA256_HMAC), mac, secret);
    job.getAttributes(mac, [CKA_VALUE, CKA_ENCRYPT]);
    p384Pair(job);
    job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(CKA_ENCRYPT)));
    job.findObjects(aesTemplate(), 10);
    job.destroyObject(handle);
    return Uint8Array.from(job.encoder.program().octets());
  };

  it('is taken as the encoder writes it', () => {
    expect(programRefusal(program())).to.equal(null);
  });

  it('is refused where it is cut off or has octets left over', () => {
    const whole = program();
    for (let length = 0; length < whole.length; length += 4) {
      expect(programRefusal(whole.subarray(0, length)), `${length} octets`).to.be.a('string');
    }
    expect(programRefusal(Buffer.concat([whole, Buffer.alloc(4)]))).to.be.a('string');
  });

  it('is refused where it uses what no earlier step makes', () => {
    const words = new Uint32Array(program().slice().buffer);
    const replaced = (at: number, value: number): Uint8Array => {
      const copy = words.slice();
      copy[at] = value;
      return new Uint8Array(copy.buffer);
    };
    // Epoch 0 says that there are no handles; the counts of registers and outputs are promises.
    for (const at of [0, 1, 3, 4, 5, 6, 7]) {
      expect(programRefusal(replaced(at, 0)), `word ${at}`).to.be.a('string');
    }
  });

  it('never makes the addon crash, whatever its octets are', () => {
    const seed = program();
    let state = 0x2545f491;
    const random = (below: number): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
    let refused = 0;
    for (let round = 0; round < 5000; round += 1) {
      const octets =
        round % 5 === 0
          ? Uint8Array.from({ length: random(400) }, () => random(256))
          : seed.slice(0, round % 7 === 0 ? random(seed.length) : seed.length);
      for (let i = random(5); i > 0 && octets.length > 0; i -= 1) octets[random(octets.length)] = random(256);
      if (programRefusal(octets) !== null) refused += 1;
    }
    expect(refused).to.be.within(2000, 5000);
  });
});

for (const kind of tokenKinds()) {
  describe(`the addon’s own calls on ${kind}`, function () {
    this.timeout(20_000);
    let scratch: ScratchToken;

    before(async () => {
      scratch = await makeScratchToken(kind);
    });
    after(() => scratch.dispose());

    const withSession = async (run: (session: bigint) => Promise<void>): Promise<void> => {
      const { native } = scratch.module;
      const opened = native.openSession(scratch.slotId, { readWrite: true });
      expect(opened).to.include({ call: 'C_OpenSession', rv: CKR.CKR_OK });
      try {
        await run(opened.session);
      } finally {
        native.closeSession(opened.session);
      }
    };

    it('opens, describes and closes sessions', () => {
      const { native } = scratch.module;
      const { session } = native.openSession(scratch.slotId, { readWrite: false });
      expect(native.sessionInfo(session)).to.include({ rv: CKR.CKR_OK, state: CKS_RO_PUBLIC_SESSION });
      expect(Number(native.sessionInfo(session).slotId)).to.equal(scratch.slotId);
      expect(native.closeSession(session)).to.deep.equal({ call: 'C_CloseSession', rv: CKR.CKR_OK });
      expect(native.closeSession(session).rv).to.equal(CKR.CKR_SESSION_HANDLE_INVALID);
      expect(native.sessionInfo(session + (1n << 40n)).rv).to.equal(CKR.CKR_SESSION_HANDLE_INVALID);
    });

    it('logs in with a PIN from a file, from the environment, and with a line end behind it', async () => {
      const { native } = scratch.module;
      const pin = readFileSync(scratch.userPinFile, 'latin1').trimEnd();
      const crlf = join(scratch.directory, 'crlf.pin');
      writeFileSync(crlf, `${pin}\r\n`, { mode: 0o400 });
      process.env['KEYFERRY_TEST_PIN'] = pin;
      const sources: readonly PinSource[] = [
        scratch.userPin,
        { kind: 'file', path: crlf },
        { kind: 'environment', name: 'KEYFERRY_TEST_PIN' },
      ];
      for (const source of sources) {
        await withSession(async (session) => {
          expect(native.sessionInfo(session).state).to.equal(CKS_RW_PUBLIC_SESSION);
          expect(await native.login(session, CKU_USER, source), source.kind).to.include({ call: 'C_Login', rv: 0 });
          expect(native.sessionInfo(session).state).to.equal(CKS_RW_USER_FUNCTIONS);
        });
      }
      delete process.env['KEYFERRY_TEST_PIN'];
    });

    it('tells the token’s answer to a wrong PIN', () =>
      withSession(async (session) => {
        const wrong = join(scratch.directory, 'wrong.pin');
        generatePinFile(wrong);
        const answer = await scratch.module.native.login(session, CKU_USER, { kind: 'file', path: wrong });
        expect(answer).to.deep.equal({ call: 'C_Login', rv: CKR.CKR_PIN_INCORRECT });
      }));

    it('does not call the token where a source gives no PIN', () =>
      withSession(async (session) => {
        const { native } = scratch.module;
        const open = join(scratch.directory, 'open.pin');
        writeFileSync(open, 'a PIN that others read\n', { mode: 0o600 });
        chmodSync(open, 0o640);
        const empty = join(scratch.directory, 'empty.pin');
        writeFileSync(empty, '\n', { mode: 0o600 });
        const sources: readonly (readonly [PinSource, string])[] = [
          [{ kind: 'file', path: open }, 'mode must be 0600'],
          [{ kind: 'file', path: empty }, 'empty'],
          [{ kind: 'file', path: scratch.directory }, 'not a regular file'],
          [{ kind: 'file', path: join(scratch.directory, 'missing.pin') }, 'No such file'],
          [{ kind: 'environment', name: 'KEYFERRY_NO_SUCH_PIN' }, 'not set'],
        ];
        for (const [source, reason] of sources) {
          const failure = await rejection(ConfigError, native.login(session, CKU_USER, source));
          expect(failure.code).to.equal('ERR_CONFIG_PIN');
          expect(failure.message).to.contain(reason);
          expect(failure.message).to.not.contain('a PIN that others read');
        }
        expect(native.sessionInfo(session).state).to.equal(CKS_RW_PUBLIC_SESSION);
      }));

    it('sets a new user PIN as security officer', () =>
      withSession(async (session) => {
        const { native } = scratch.module;
        expect((await native.login(session, CKU_SO, scratch.soPin)).rv).to.be.oneOf([
          CKR.CKR_OK,
          // NSS softoken has no security officer once there is a user PIN.
          ...(kind === 'nss' ? [CKR.CKR_PIN_INCORRECT, CKR.CKR_USER_TYPE_INVALID] : []),
        ]);
        if (kind === 'nss') return;
        const fresh = join(scratch.directory, 'fresh.pin');
        generatePinFile(fresh);
        expect(await native.initPin(session, { kind: 'file', path: fresh })).to.deep.equal({
          call: 'C_InitPIN',
          rv: 0,
        });
        native.closeSession(session);
        const again = native.openSession(scratch.slotId, { readWrite: true }).session;
        const old = await native.login(again, CKU_USER, scratch.userPin);
        expect(old.rv).to.equal(CKR.CKR_PIN_INCORRECT);
        expect((await native.login(again, CKU_USER, { kind: 'file', path: fresh })).rv).to.equal(CKR.CKR_OK);
        native.closeSession(again);
      }));
  });
}
