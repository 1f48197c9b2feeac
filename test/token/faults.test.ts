import { expect } from 'chai';
import { CKM_AES_ECB } from '../../src/token/cryptoki.js';
import { TokenError, type TokenErrorCode } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { OpenToken } from '../../src/token/open_token.js';
import { probeToken } from '../../src/token/probe/probe.js';
import { knownKey } from '../../src/token/probe/known_key.js';
import { plain, ProbeContext } from '../../src/token/probe/probe_context.js';
import type { TokenProfile } from '../../src/token/profile.js';
import { chooseStrategies } from '../../src/token/strategy_choice.js';
import { rejection, thrown } from '../support/failure.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { tokenKinds } from '../support/token_directory.js';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Makes a private key and uses it. */
function encrypt(token: OpenToken): Promise<unknown> {
  const job = new Job('encrypt', 'test');
  const key = new ProbeContext(token.executor).knownKey(job, knownKey, { keyType: 'aes', usage: ['encrypt'] });
  job.encrypt(plain(CKM_AES_ECB), key, new Uint8Array(16));
  return token.executor.run(job);
}

for (const kind of tokenKinds()) {
  describe(`a failing ${kind} token`, function () {
    this.timeout(30_000);
    let faulty: FaultyToken;
    let token: OpenToken | undefined;

    beforeEach(async () => {
      faulty = await makeFaultyToken(kind);
    });
    afterEach(async () => {
      faulty.setFaults();
      await token?.close();
      token = undefined;
      faulty.dispose();
    });

    const open = async (): Promise<OpenToken> => {
      token = await OpenToken.open(faulty.module, {
        token: { label: faulty.label },
        userPin: faulty.userPin,
        executor: { recoverBackoffMs: 5, recoverAttemptsMax: 3 },
      });
      return token;
    };
    it('is asked for a refused PIN once, however often it is opened', async () => {
      faulty.setFaults('C_Login * return 0xA0');
      const before = faulty.callCount('C_Login');
      for (let attempt = 0; attempt < 3; attempt++) {
        expect((await rejection(TokenError, open())).code).to.equal('ERR_TOKEN_PIN_REFUSED');
      }
      expect(faulty.callCount('C_Login') - before).to.equal(1);
    });

    const refusals: readonly (readonly [string, string, TokenErrorCode])[] = [
      ['its PIN is locked', 'C_Login * return 0xA4', 'ERR_TOKEN_PIN_LOCKED'],
      ['its PIN has expired', 'C_Login * return 0xA3', 'ERR_TOKEN_PIN_LOCKED'],
      ['its PIN has the wrong length', 'C_Login * return 0xA2', 'ERR_TOKEN_PIN_REFUSED'],
      ['its PIN was never set', 'C_Login * return 0x102', 'ERR_TOKEN_PIN_NOT_SET'],
      ['it was taken out before the session', 'C_OpenSession * return 0xE0', 'ERR_TOKEN_NOT_PRESENT'],
      ['it is not recognised', 'C_OpenSession * return 0xE1', 'ERR_TOKEN_NOT_PRESENT'],
      ['it has no further session', 'C_OpenSession * return 0xB1', 'ERR_TOKEN_SESSION_COUNT'],
      ['it has no further session for the executor', 'C_OpenSession 2 return 0xB1', 'ERR_TOKEN_SESSION_COUNT'],
    ];
    for (const [why, fault, code] of refusals) {
      it(`is not opened where ${why}, and leaves nothing open`, async () => {
        faulty.setFaults(fault);
        const error = await rejection(TokenError, open());
        expect(error.code).to.equal(code);
        expect(error.message).to.contain(error.rvName).and.to.contain(error.remedy);
        expect(faulty.module.isInUse).to.equal(false);
        // Nobody is logged in: the PIN is asked for again.
        faulty.setFaults();
        if (code === 'ERR_TOKEN_PIN_REFUSED') return;
        const before = faulty.callCount('C_Login');
        await open();
        expect(faulty.callCount('C_Login') - before).to.equal(1);
      });
    }

    it('is not found where its slot says that it is empty', () => {
      faulty.setFaults('C_GetTokenInfo * return 0xE0');
      const error = thrown(TokenError, () => faulty.module.findToken({ label: faulty.label }));
      expect(error.code).to.equal('ERR_TOKEN_NOT_PRESENT');
    });

    it('heals when its device was removed in the middle of a job and came back', async () => {
      const opened = await open();
      const { generation } = faulty.module;
      faulty.setFaults('C_Encrypt 1 return 0x32');
      const lost = await rejection(TokenError, encrypt(opened));
      expect(lost.code).to.equal('ERR_TOKEN_MODULE_LOST');
      expect(lost.retryable).to.equal(true);
      await encrypt(opened);
      expect(faulty.module.generation).to.equal(generation + 1);
    });

    it('heals when the device comes back only at the third try', async () => {
      const opened = await open();
      faulty.setFaults('C_Encrypt 1 return 0x32', 'C_Initialize 1 return 0x30', 'C_OpenSession 1 return 0xE0');
      await rejection(TokenError, encrypt(opened));
      await encrypt(opened);
    });

    it('that does not come back is given up after a bounded number of tries, and heals when it does', async () => {
      const opened = await open();
      faulty.setFaults('C_Encrypt * return 0x32', 'C_Initialize * return 0x30');
      const before = faulty.callCount('C_Initialize');
      await rejection(TokenError, encrypt(opened));
      const waiting = await rejection(TokenError, encrypt(opened));
      expect(waiting.code).to.equal('ERR_TOKEN_MODULE_LOST');
      expect(faulty.callCount('C_Initialize') - before).to.equal(3);
      faulty.setFaults();
      await eventually(() => encrypt(opened), 5000);
    });

    it('that refuses keys in clear is probed with keys that come in wrapped', async () => {
      const opened = await open();
      const whole = await probeToken(opened, clock);
      faulty.setFaults('C_CreateObject * return 0x54');
      const probed = await probeToken(opened, clock);
      expect(probed.facts.createSecretKey.answer).to.equal('C_CreateObject returned CKR_FUNCTION_NOT_SUPPORTED');
      // A public half is brought to the token in clear, too: what verifies or encrypts under one is missing then, and nothing else.
      const usesPublicHalf =
        /^(createSecretKey|rsaPkcs1Signature|rsaPssSignature|rsaOaepSha\d+|ecKey\w+|ecdhP\d+|edwards\w*|ed25519\w*)$/u;
      expect(differences(whole, probed)).to.include('createSecretKey');
      expect(differences(whole, probed).filter((name) => !usesPublicHalf.test(name))).to.deep.equal([]);
      expect(chooseStrategies(probed).suites).to.deep.equal(chooseStrategies(whole).suites);
      expect(chooseStrategies(probed).dataSuites).to.deep.equal(chooseStrategies(whole).dataSuites);
    });

    it('that wraps wrongly has no suite, whatever it calls its mechanisms', async () => {
      const opened = await open();
      faulty.setFaults('C_WrapKey * flip');
      const probed = await probeToken(opened, clock);
      expect(probed.facts.aesKeyWrap.answer).to.equal('another result than the known answer');
      expect(probed.facts.aesKeyWrapPad.works).to.equal(false);
      expect(chooseStrategies(probed).suites).to.deep.equal([]);
    });

    it('that derives wrongly has no suite, and no message keys', async () => {
      const opened = await open();
      faulty.setFaults('C_DeriveKey * flip');
      const probed = await probeToken(opened, clock);
      expect(chooseStrategies(probed).suites).to.deep.equal([]);
      expect(chooseStrategies(probed).dataSuites).to.deep.equal(['DIRECT-GCM']);
    });

    it('that signs wrongly can neither sign nor confirm keys', async () => {
      const opened = await open();
      faulty.setFaults('C_Sign * flip');
      const { chosen } = chooseStrategies(await probeToken(opened, clock));
      expect(chosen.sign).to.equal(undefined);
      expect(chosen.mac).to.equal(undefined);
    });

    it('that has neither number of RFC 5649 is told so by both', async () => {
      const opened = await open();
      faulty.setFaults('* * no-mechanism 0x210A', '* * no-mechanism 0x210B');
      const probed = await probeToken(opened, clock);
      expect(probed.facts.aesKeyWrapPad.answer)
        .to.contain('CKM_AES_KEY_WRAP_KWP: C_WrapKey returned CKR_MECHANISM_INVALID')
        .and.to.contain('CKM_AES_KEY_WRAP_PAD: C_WrapKey returned CKR_MECHANISM_INVALID');
      expect(probed.rules.aesKeyWrapPadMechanism).to.equal(null);
      expect(probed.mechanisms.map(({ type }) => type)).to.not.include.members([0x210a]);
    });
  });
}

/** Names of the facts in which two profiles differ. */
function differences(one: TokenProfile, other: TokenProfile): readonly string[] {
  return Object.entries(one.facts)
    .filter(([name, fact]) => fact.works !== other.facts[name as keyof TokenProfile['facts']].works)
    .map(([name]) => name);
}

/** Tries again until it works or the time is over. */
async function eventually(work: () => Promise<unknown>, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
