import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ConfigError } from '../../src/errors.js';
import { TokenError } from '../../src/token/errors.js';
import { TokenModule } from '../../src/token/module.js';
import { findModule } from '../../src/token/module_path.js';
import type { Slot } from '../../src/token/slot.js';
import { initialiseToken } from '../../src/token/token_initialisation.js';
import { prepareTokenDirectory } from '../../src/token/token_directory.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';
import { rejection, thrown } from '../support/failure.js';

describe('a PKCS#11 module that is not there', () => {
  it('is refused with the places that were searched', () => {
    const error = thrown(TokenError, () => TokenModule.load('/nowhere/libnothing.so'));
    expect(error.code).to.equal('ERR_TOKEN_MODULE_NOT_LOADED');
    expect(error.details['searched']).to.deep.equal(['/nowhere/libnothing.so']);
  });

  it('is refused where the file is no library, or no PKCS#11 library', () => {
    const here = fileURLToPath(import.meta.url);
    expect(thrown(TokenError, () => TokenModule.load(here)).code).to.equal('ERR_TOKEN_MODULE_NOT_LOADED');
    const report = process.report.getReport() as { readonly sharedObjects: readonly string[] };
    const libm = report.sharedObjects.find((path) => path.includes('libm.so')) ?? 'libm.so.6';
    expect(thrown(TokenError, () => TokenModule.load(libm)).code).to.equal('ERR_TOKEN_MODULE_NOT_LOADED');
  });
});

for (const kind of tokenKinds()) {
  describe(`a ${kind} module`, () => {
    let scratch: ScratchToken;
    before(async () => {
      scratch = await makeScratchToken(kind);
    });
    after(() => scratch.dispose());

    it('is one object however its library is named', () => {
      const link = join(scratch.directory, 'link.so');
      symlinkSync(scratch.modulePath, link);
      expect(TokenModule.load(link)).to.equal(scratch.module);
      expect(TokenModule.load(scratch.modulePath)).to.equal(scratch.module);
    });

    it('may be initialised again without harm', () => {
      const before = scratch.module.slots().map(({ slotId }) => slotId);
      scratch.module.initialise(scratch.settings);
      expect(scratch.module.slots().map(({ slotId }) => slotId)).to.deep.equal(before);
    });

    it('says what it is', () => {
      const info = scratch.module.info();
      expect(info.path).to.equal(scratch.modulePath);
      expect(info.libraryVersion).to.match(/^\d+\.\d+$/u);
      expect(info.manufacturer).to.not.match(/\s$/u);
    });

    it('finds its token by label, by slot and by serial number, in the slot that it was made in', () => {
      const { module, slotId, label } = scratch;
      expect(module.findToken({ label }).slotId).to.equal(slotId);
      expect(module.findToken({ slotId }).token().label).to.equal(label);
      const { serial } = module.findToken({ label }).token();
      expect(module.findToken({ serial, label }).slotId).to.equal(slotId);
    });

    it('refuses a label that no token has, and tells the labels that there are', () => {
      const error = thrown(TokenError, () => scratch.module.findToken({ label: 'another' }));
      expect(error.code).to.equal('ERR_TOKEN_NOT_PRESENT');
      expect(String(error.details['present'])).to.contain(scratch.label);
    });

    it('lists mechanisms with names and key sizes, once each', () => {
      const mechanisms = scratch.module.findToken({ label: scratch.label }).mechanisms();
      expect(mechanisms.find(({ name }) => name === 'CKM_ECDH1_DERIVE')?.type).to.equal(0x1050);
      expect(new Set(mechanisms.map(({ type }) => type)).size).to.equal(mechanisms.length);
      // SoftHSM2 tells AES key sizes in octets, as the standard says; both include 256 bits.
      const gcm = mechanisms.find(({ name }) => name === 'CKM_AES_GCM');
      expect(gcm?.keySizeMax).to.be.oneOf([32, 256]);
    });

    it('keeps its token’s objects where nobody else can read them', () => {
      const readable = readdirSync(scratch.directory, { recursive: true, encoding: 'utf8' })
        .map((name) => join(scratch.directory, name))
        .filter((path) => !path.endsWith('.so') && (statSync(path).mode & 0o077) !== 0);
      expect(readable).to.deep.equal([]);
    });

    it('does not initialise a token that may hold keys', async () => {
      const { module, slotId, label, userPin, soPinFile } = scratch;
      const soPin = { kind: 'file', path: soPinFile ?? scratch.userPinFile } as const;
      const error = await rejection(TokenError, initialiseToken(module, { slotId, label, soPin, userPin }));
      expect(error.call).to.equal('C_InitToken');
      expect(error.rvName).to.equal('CKR_ACTION_PROHIBITED');
    });

    it('comes back with the same token after it was initialised anew', () => {
      const { generation } = scratch.module;
      scratch.module.reinitialise();
      expect(scratch.module.findToken({ label: scratch.label }).slotId).to.equal(scratch.slotId);
      expect(scratch.module.generation).to.equal(generation + 1);
    });

    it('is not taken away while a token of it is open', () => {
      const user = {};
      scratch.module.addUser(user);
      try {
        expect(thrown(TokenError, () => scratch.module.close()).rvName).to.equal('CKR_SESSION_EXISTS');
      } finally {
        scratch.module.removeUser(user);
      }
    });
  });

  describe(`a closed ${kind} module`, () => {
    it('answers nothing any more', async () => {
      const scratch = await makeScratchToken(kind);
      scratch.dispose();
      expect(thrown(TokenError, () => scratch.module.slots()).code).to.equal('ERR_TOKEN_CLOSED');
    });
  });
}

describe('a SoftHSM2 module with a free slot', function () {
  let scratch: ScratchToken;
  let freeSlotId: number;
  before(async function () {
    if (!tokenKinds().includes('softhsm2')) return this.skip();
    scratch = await makeScratchToken('softhsm2');
    const free = scratch.module.slots().find((slot) => !slot.token().isInitialised);
    if (free === undefined) throw new Error('SoftHSM2 offers no free slot');
    freeSlotId = free.slotId;
  });
  after(() => scratch?.dispose());

  const initialise = (label: string): Promise<Slot> => {
    const { userPin, soPin } = scratch;
    return initialiseToken(scratch.module, { slotId: freeSlotId, label, userPin, soPin });
  };

  it('refuses a label of more than 32 octets', async () => {
    expect((await rejection(TokenError, initialise('ä'.repeat(17)))).rvName).to.equal('CKR_ARGUMENTS_BAD');
  });

  it('initialises no token while another one is open, which would lose its sessions', async () => {
    const user = {};
    scratch.module.addUser(user);
    try {
      expect((await rejection(TokenError, initialise('second'))).rvName).to.equal('CKR_SESSION_EXISTS');
    } finally {
      scratch.module.removeUser(user);
    }
  });

  it('takes a second token, and the first one stays as it is', async () => {
    const second = await initialise('second');
    expect(second.token()).to.include({ label: 'second', isUserPinSet: true });
    const first = scratch.module.findToken({ label: scratch.label });
    expect(first.slotId).to.equal(scratch.slotId).and.to.not.equal(second.slotId);
    expect(first.token().isUserPinSet).to.equal(true);
  });

  it('refuses a label that another token has, and a selection that two tokens match', async () => {
    freeSlotId = scratch.module.slots().find((slot) => !slot.token().isInitialised)?.slotId ?? -1;
    expect((await rejection(TokenError, initialise('second'))).rvName).to.equal('CKR_ACTION_PROHIBITED');
    const ambiguous = thrown(TokenError, () => scratch.module.findToken({}));
    expect(ambiguous.code).to.equal('ERR_TOKEN_NOT_PRESENT');
    expect(ambiguous.details['matching']).to.equal(3);
  });
});

describe('a token directory', () => {
  it('is refused where its path could change the meaning of the module’s configuration', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-quotes-'));
    try {
      for (const name of ["it's", 'a"b', 'line\nend']) {
        const error = thrown(ConfigError, () => prepareTokenDirectory('nss', join(directory, name), 'label'));
        expect(error.code).to.equal('ERR_CONFIG_STATE');
      }
      expect(readdirSync(directory)).to.deep.equal([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('SoftHSM2 in this process', function () {
  it('runs on its own libcrypto and not on that of the Node binary', function () {
    if (!tokenKinds().includes('softhsm2')) this.skip();
    this.timeout(30_000);
    const program = fileURLToPath(new URL('../support/load_and_generate.js', import.meta.url));
    const child = spawnSync(process.execPath, [program, findModule('softhsm2')], {
      env: { ...process.env, LD_DEBUG: 'bindings' },
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    });
    expect(child.status, child.stderr.slice(-2000)).to.equal(0);
    const bindings = [
      ...child.stderr.matchAll(/binding file (\S*libsofthsm2\.so) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(\w+)'/gu),
    ]
      .map(([, , target = '', symbol = '']) => ({ target, symbol }))
      .filter(({ symbol }) => /^(?:EVP|RAND|EC|ECDSA|ECDH|RSA|BN|OPENSSL|AES|HMAC)_/u.test(symbol));
    const targets = new Set(bindings.map(({ target }) => target.replace(/^.*\//u, '').replace(/\.so.*$/u, '.so')));
    expect(bindings.length).to.be.greaterThan(50);
    expect([...targets]).to.deep.equal(['libcrypto.so']);
  });
});
