import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_LABEL,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job, type JobResult } from '../../src/token/job.js';
import type { ObjectHandle } from '../../src/token/object.js';
import { OpenToken } from '../../src/token/open_token.js';
import { template } from '../../src/token/template.js';
import { makeAesKey, makeTokenKey, plain } from '../support/executor_jobs.js';
import { rejection } from '../support/failure.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { tokenKinds } from '../support/token_directory.js';

/** Longer than everything else in a test takes together. */
const PAIR_MS = 1000;
const SESSION_HANDLE_INVALID = 'b3';
const LABEL = Buffer.from('a key that stays');

function pairJob(): { readonly job: Job; readonly privateKey: (result: JobResult) => ObjectHandle } {
  const job = new Job('make a pair', 'test');
  const pair = job.generateKeyPair(
    plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
    template(
      [CKA_TOKEN, false],
      [CKA_MODULUS_BITS, 1024],
      [CKA_PUBLIC_EXPONENT, Uint8Array.of(1, 0, 1)],
      [CKA_ENCRYPT, true],
    ),
    template(
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_SENSITIVE, true],
      [CKA_EXTRACTABLE, false],
      [CKA_DECRYPT, true],
    ),
  );
  const kept = job.keep(pair.privateKey);
  return { job, privateKey: (result) => result.object(kept) };
}

function randomJob(): Job {
  const job = new Job('random', 'test');
  job.random(8);
  return job;
}

function searchJob(): { readonly job: Job; readonly count: (result: JobResult) => number } {
  const job = new Job('search', 'test');
  const found = job.findObjects(template([CKA_CLASS, CKO_SECRET_KEY], [CKA_LABEL, LABEL], [CKA_TOKEN, true]), 10);
  return { job, count: (result) => result.handles(found).length };
}

const leavingProgram = fileURLToPath(new URL('../support/leave_while_generating.js', import.meta.url));

for (const kind of tokenKinds()) {
  describe(`a process that ends while a ${kind} makes a pair`, function () {
    this.timeout(30_000);

    it('is not kept by it, and ends with its own status', () => {
      const { status, signal, stdout } = spawnSync(process.execPath, [leavingProgram, kind], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      expect({ status, signal, stdout }).to.deep.equal({ status: 7, signal: null, stdout: 'left' });
    });
  });

  describe(`the executor of a ${kind} that loses a session while a pair is made`, function () {
    this.timeout(30_000);
    let scratch: FaultyToken;
    let token: OpenToken;

    before(async () => {
      scratch = await makeFaultyToken(kind);
      token = await OpenToken.open(scratch.module, {
        token: { label: scratch.label },
        userPin: scratch.userPin,
        executor: { recoverBackoffMs: 5 },
      });
      await makeTokenKey(token.executor, { type: CKA_LABEL, value: LABEL });
    });
    afterEach(() => scratch.setFaults());
    after(async () => {
      await token.close();
      scratch.dispose();
    });

    /** Begins a pair whose call takes long, and resolves when its thread is inside the module. */
    const beginPair = async (...rules: readonly string[]) => {
      scratch.setFaults(`C_GenerateKeyPair 1 delay ${PAIR_MS}`, ...rules);
      const before = scratch.callCount('C_GenerateKeyPair');
      const { job, privateKey } = pairJob();
      const run: { ended: boolean; result: Promise<JobResult> } = { ended: false, result: token.executor.run(job) };
      void run.result.then(
        () => (run.ended = true),
        () => (run.ended = true),
      );
      while (scratch.callCount('C_GenerateKeyPair') === before) await new Promise((resolve) => setTimeout(resolve, 5));
      return { run, privateKey };
    };

    const lose = async (job: Job): Promise<void> => {
      const failure = await rejection(TokenError, token.executor.run(job));
      expect(failure.code).to.equal('ERR_TOKEN_SESSION_LOST');
    };

    it('goes on with other jobs in a new epoch, and takes the pair that the old one has made', async () => {
      const { executor } = token;
      const epoch = executor.epoch;
      const { run, privateKey } = await beginPair(`C_GenerateRandom 1 return ${SESSION_HANDLE_INVALID}`);
      await lose(randomJob());
      await executor.run(randomJob());
      const { job, count } = searchJob();
      expect(count(await executor.run(job))).to.equal(1);
      const key = await makeAesKey(executor, CKA_ENCRYPT);
      expect(run.ended).to.equal(false);
      expect(executor.epoch).to.not.equal(epoch);
      expect(key.epoch).to.equal(executor.epoch);
      // It was made in a session of the old epoch, which its thread then gives up: so is its handle.
      const handle = privateKey(await run.result);
      expect(handle.epoch).to.equal(epoch);
      const destroy = new Job('destroy', 'test');
      destroy.destroyObject(handle);
      expect((await rejection(TokenError, executor.run(destroy))).code).to.equal('ERR_TOKEN_STALE_HANDLE');
      // Both threads have a session of the new epoch: slow and other jobs are done side by side again.
      const { run: again } = await beginPair();
      await executor.run(randomJob());
      expect(again.ended).to.equal(false);
      await again.result;
    });

    it('fails the pair where its session went too, and lets the new sessions be', async () => {
      const { executor } = token;
      const { run } = await beginPair('C_FindObjectsInit 1 close-sessions');
      const failed = rejection(TokenError, run.result);
      await lose(searchJob().job);
      await executor.run(randomJob());
      const key = await makeAesKey(executor, CKA_ENCRYPT);
      expect(run.ended).to.equal(false);
      expect(await failed).to.include({ code: 'ERR_TOKEN_SESSION_LOST', retryable: true });
      // The key lives in a session of the new epoch, which the thread of the pair has not touched.
      const epoch = executor.epoch;
      const { run: again } = await beginPair();
      const destroy = new Job('destroy', 'test');
      destroy.destroyObject(key);
      await executor.run(destroy);
      expect([again.ended, executor.epoch]).to.deep.equal([false, epoch]);
      await again.result;
    });

    it('waits for the pair before it initialises a module anew', async () => {
      const { executor } = token;
      const { run } = await beginPair('C_GenerateRandom 1 return 190');
      const failure = await rejection(TokenError, executor.run(randomJob()));
      expect(failure.code).to.equal('ERR_TOKEN_MODULE_LOST');
      await executor.run(randomJob());
      expect(run.ended).to.equal(true);
      await run.result;
    });
  });
}
