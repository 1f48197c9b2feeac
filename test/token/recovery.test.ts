import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import pkcs11js from 'pkcs11js';
import { CKA_CLASS, CKA_TOKEN, CKM_AES_ECB, CKO_SECRET_KEY } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { generatePinFile } from '../../src/token/native.js';
import type { ObjectHandle } from '../../src/token/object.js';
import { OpenToken } from '../../src/token/open_token.js';
import { knownKey } from '../../src/token/probe/known_key.js';
import { plain, ProbeContext, secretKeyTemplate } from '../../src/token/probe/probe_context.js';
import { template } from '../../src/token/template.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';
import { rejection } from '../support/failure.js';

const block = new Uint8Array(16);

/** Runs jobs until one works, as a caller that repeats retryable failures does. */
async function untilItWorks(work: () => Promise<unknown>): Promise<readonly TokenError[]> {
  const failures: TokenError[] = [];
  for (;;) {
    try {
      await work();
      return failures;
    } catch (error) {
      if (!(error instanceof TokenError) || !error.retryable || failures.length >= 20) throw error;
      failures.push(error);
    }
  }
}

for (const kind of tokenKinds()) {
  describe(`an open ${kind} token`, function () {
    this.timeout(20_000);
    let scratch: ScratchToken;
    let token: OpenToken;
    /** The same library, through which somebody else in the process takes the sessions away. */
    let intruder: InstanceType<typeof pkcs11js.PKCS11>;

    beforeEach(async () => {
      scratch = await makeScratchToken(kind);
      token = await OpenToken.open(scratch.module, {
        token: { label: scratch.label },
        userPin: scratch.userPin,
        executor: { recoverBackoffMs: 5 },
      });
      intruder = new pkcs11js.PKCS11();
      intruder.load(scratch.modulePath);
    });
    afterEach(async () => {
      await token.close();
      scratch.dispose();
    });

    /** Makes a private session key: nobody can without being logged in. */
    const makeKey = async (): Promise<ObjectHandle> => {
      const job = new Job('make key', 'test');
      const key = new ProbeContext(token.executor).knownKey(job, knownKey, { keyType: 'aes', usage: ['encrypt'] });
      const kept = job.keep(key);
      return (await token.executor.run(job)).object(kept);
    };
    const encryptWith = (key: ObjectHandle): Promise<unknown> => {
      const job = new Job('encrypt', 'test');
      job.encrypt(plain(CKM_AES_ECB), key, block);
      return token.executor.run(job);
    };
    const closeAllSessions = (): void => intruder.C_CloseAllSessions(token.slot.handle);

    it('logs in again by itself when its sessions were closed', async () => {
      await makeKey();
      const { epoch } = token.executor;
      closeAllSessions();
      const failures = await untilItWorks(makeKey);
      expect(failures.map(({ code }) => code)).to.include('ERR_TOKEN_SESSION_LOST');
      expect(token.executor.epoch).to.not.equal(epoch);
    });

    it('never uses a handle of before', async () => {
      const key = await makeKey();
      await encryptWith(key);
      closeAllSessions();
      await untilItWorks(makeKey);
      expect((await rejection(TokenError, encryptWith(key))).code).to.equal('ERR_TOKEN_STALE_HANDLE');
    });

    it('initialises the module anew when it was finalised under its feet', async () => {
      await makeKey();
      const { generation } = token.module;
      intruder.C_Finalize();
      const failures = await untilItWorks(makeKey);
      // NSS softoken does not say that it is not initialised, but that the session is none.
      const expected = kind === 'nss' ? 'CKR_SESSION_HANDLE_INVALID' : 'CKR_CRYPTOKI_NOT_INITIALIZED';
      expect(failures.map(({ rvName }) => rvName)).to.include(expected);
      expect(token.module.generation).to.equal(generation + 1);
    });

    it('has the token’s keys again afterwards, and none of the sessions’', async () => {
      const make = new Job('make token key', 'test');
      const shape = secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 });
      make.keep(
        make.generateKey(
          plain(0x1080),
          shape.map((attribute) => (attribute.type === CKA_TOKEN ? { type: CKA_TOKEN, value: true } : attribute)),
        ),
      );
      await token.executor.run(make);
      await makeKey();
      intruder.C_Finalize();
      await untilItWorks(makeKey);
      const find = new Job('find', 'test');
      const found = find.findObjects(template([CKA_CLASS, CKO_SECRET_KEY]), 10);
      // The token's key, and the one that showed that the token works again.
      expect((await token.executor.run(find)).handles(found)).to.have.length(2);
    });

    it('gives up with a typed error when the PIN was changed meanwhile, without trying the new one twice', async () => {
      const path = join(scratch.directory, 'changing.pin');
      copyFileSync(scratch.userPinFile, path);
      await token.close();
      token = await OpenToken.open(scratch.module, {
        token: { label: scratch.label },
        userPin: { kind: 'file', path },
        executor: { recoverBackoffMs: 5 },
      });
      const wrong = join(scratch.directory, 'wrong.pin');
      generatePinFile(wrong);
      copyFileSync(wrong, path);
      closeAllSessions();
      // The first job sees the loss, the second waits for the recovery, the third is told why there is none.
      await rejection(TokenError, makeKey());
      await rejection(TokenError, makeKey());
      const lost = await rejection(TokenError, makeKey());
      expect(lost.code).to.equal('ERR_TOKEN_MODULE_LOST');
      expect(causes(lost).map(({ code }) => code)).to.include('ERR_TOKEN_PIN_REFUSED');
    });

    it('answers nothing after it was closed', async () => {
      await token.close();
      expect((await rejection(TokenError, makeKey())).code).to.equal('ERR_TOKEN_CLOSED');
      await token.close();
    });
  });
}

/** The token errors in a chain of causes. */
function causes(error: unknown): readonly TokenError[] {
  const found: TokenError[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof TokenError) found.push(each);
  }
  return found;
}
