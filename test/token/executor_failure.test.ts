import { expect } from 'chai';
import { CKA_DECRYPT, CKA_DERIVE, CKA_ENCRYPT, CKM_AES_KEY_GEN, CKM_ECDSA } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Executor } from '../../src/token/executor.js';
import { Job } from '../../src/token/job.js';
import { OpenToken } from '../../src/token/open_token.js';
import { CKR } from '../../src/token/return_value.js';
import {
  aesTemplate,
  countObjects,
  deriveMessageKey,
  gcm,
  makeAesKey,
  messageJob,
  p384Pair,
  plain,
} from '../support/executor_jobs.js';
import { rejection, thrown } from '../support/failure.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

const iv = Buffer.alloc(12, 3);
const damaged = Buffer.alloc(48, 0xff);

for (const kind of tokenKinds()) {
  describe(`a failing job on ${kind}`, function () {
    this.timeout(20_000);
    let scratch: ScratchToken;
    let token: OpenToken;

    before(async () => {
      scratch = await makeScratchToken(kind);
      token = await OpenToken.open(scratch.module, { token: { label: scratch.label }, userPin: scratch.userPin });
    });
    after(async () => {
      await token.close();
      scratch.dispose();
    });

    it('names the call, return value, mechanism, job and strategy, and leaves nothing behind', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      const before = await countObjects(token.executor);
      const job = new Job('decrypt message', 'CBCDATA');
      const key = deriveMessageKey(job, base);
      job.keep(key);
      job.decrypt(gcm(iv), key, damaged);
      const failure = await rejection(TokenError, token.executor.run(job));
      expect(failure.code).to.equal('ERR_TOKEN_CALL');
      expect(failure.call).to.equal('C_Decrypt');
      expect(failure.mechanism).to.equal('CKM_AES_GCM');
      expect(failure.strategy).to.equal('CBCDATA');
      expect(failure.details).to.include({ job: 'decrypt message', step: 2 });
      expect(await countObjects(token.executor)).to.equal(before);
    });

    it('does not run the steps behind the one that failed', async () => {
      const key = await makeAesKey(token.executor, CKA_DECRYPT);
      const job = new Job('stops', 'test');
      job.decrypt(gcm(iv), key, damaged);
      job.destroyObject(key);
      await rejection(TokenError, token.executor.run(job));
      const again = new Job('destroy', 'test');
      again.destroyObject(key);
      await token.executor.run(again);
    });

    it('may be run again', async () => {
      const key = await makeAesKey(token.executor, CKA_DECRYPT);
      const job = new Job('again', 'test');
      job.decrypt(gcm(iv), key, damaged);
      const first = await rejection(TokenError, token.executor.run(job));
      const second = await rejection(TokenError, token.executor.run(job));
      expect(second.rv).to.equal(first.rv);
    });

    it('goes on behind a step that was only attempted, and tells its return value', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT, CKA_DECRYPT);
      const job = new Job('attempt', 'test');
      const refused = job.attempt();
      const nothing = job.decrypt(gcm(iv), key, damaged);
      const fine = job.attempt();
      const sealed = job.encrypt(gcm(iv), key, Buffer.from('text'));
      const result = await token.executor.run(job);
      expect(result.rv(refused)).to.not.equal(CKR.CKR_OK);
      expect(result.rv(fine)).to.equal(CKR.CKR_OK);
      expect(result.bytes(sealed)).to.have.length(20);
      expect(thrown(TokenError, () => result.bytes(nothing)).code).to.equal('ERR_TOKEN_REFERENCE');
    });

    it('says that a step refers to what a failed step would have made', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      const job = new Job('reference', 'test');
      job.attempt();
      // The key may not derive, or its length is none: either way there is no key.
      const missing = job.generateKey(plain(CKM_ECDSA), aesTemplate(CKA_ENCRYPT));
      job.encrypt(gcm(iv), key, Buffer.from('reached'));
      job.encrypt(gcm(iv), missing, Buffer.from('text'));
      const failure = await rejection(TokenError, token.executor.run(job));
      expect(failure.code).to.equal('ERR_TOKEN_REFERENCE');
      expect(failure.details).to.include({ step: 2 });
    });

    it('says so too for an object that the job has destroyed', async () => {
      const job = new Job('destroyed', 'test');
      const key = job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(CKA_ENCRYPT));
      job.destroyObject(key);
      job.encrypt(gcm(iv), key, Buffer.from('text'));
      expect((await rejection(TokenError, token.executor.run(job))).code).to.equal('ERR_TOKEN_REFERENCE');
    });

    it('does not disturb the jobs behind it, whatever operation it left active', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT, CKA_DECRYPT);
      for (let i = 0; i < 40; i += 1) {
        const bad = new Job('bad', 'test');
        bad.sign(plain(CKM_ECDSA), key, Buffer.alloc(48));
        const wrong = new Job('wrong length', 'test');
        const { privateKey } = p384Pair(wrong);
        wrong.sign(plain(CKM_ECDSA), privateKey, Buffer.alloc(0));
        const good = new Job('good', 'test');
        const sealed = good.encrypt(gcm(iv), key, Buffer.from('text'));
        await Promise.all([
          rejection(TokenError, token.executor.run(bad)),
          token.executor.run(wrong).catch(() => undefined),
          token.executor.run(good).then((result) => expect(result.bytes(sealed)).to.have.length(20)),
        ]);
      }
    });

    it('does not take a truncated handle for the object with the same low 32 bits', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      const job = new Job('wide handle', 'test');
      job.encrypt(gcm(iv), { ...key, value: key.value + (1n << 32n) }, Buffer.from('text'));
      const failure = await rejection(TokenError, token.executor.run(job));
      expect(failure.call).to.equal('C_EncryptInit');
      expect(['CKR_KEY_HANDLE_INVALID', 'CKR_OBJECT_HANDLE_INVALID']).to.include(failure.rvName);
    });

    it('refuses a handle of another executor before it reaches the token', async () => {
      const key = await makeAesKey(token.executor, CKA_DERIVE);
      const other = await Executor.open({ module: scratch.module.native, slotId: scratch.slotId, threads: 1 });
      try {
        expect((await rejection(TokenError, other.run(messageJob(key, Buffer.alloc(1)).job))).code).to.equal(
          'ERR_TOKEN_STALE_HANDLE',
        );
        expect(other.stats().calls).to.equal(0);
      } finally {
        await other.close();
      }
    });

    it('is refused while too many others wait, and taken later', async () => {
      const executor = await Executor.open({
        module: scratch.module.native,
        slotId: scratch.slotId,
        threads: 1,
        jobsMax: 4,
      });
      try {
        const jobs = Array.from({ length: 5 }, () => {
          const job = new Job('random', 'test');
          job.random(8);
          return executor.run(job);
        });
        const last = await rejection(TokenError, jobs[4] as Promise<unknown>);
        expect(last.code).to.equal('ERR_TOKEN_BUSY');
        expect(last.retryable).to.equal(true);
        await Promise.all(jobs.slice(0, 4));
        const later = new Job('random', 'test');
        later.random(8);
        await executor.run(later);
      } finally {
        await executor.close();
      }
    });

    it('is refused by an executor that was closed, which lets earlier jobs finish', async () => {
      const executor = await Executor.open({ module: scratch.module.native, slotId: scratch.slotId, threads: 1 });
      const job = new Job('random', 'test');
      const output = job.random(16);
      const running = executor.run(job);
      const closing = executor.close();
      expect((await running).bytes(output)).to.have.length(16);
      await closing;
      const late = new Job('late', 'test');
      late.random(1);
      expect((await rejection(TokenError, executor.run(late))).code).to.equal('ERR_TOKEN_CLOSED');
    });

    it('is a mistake of the program where it cannot be a job at all', async () => {
      const job = new Job('mistakes', 'test');
      expect(() => job.random(70_000)).to.throw(RangeError, 'octets of randomness');
      expect(() => job.encrypt(plain(1), { kind: 'object-ref', index: 3 }, iv)).to.throw(RangeError, 'another job');
      const attempted = new Job('attempt nothing', 'test');
      attempted.attempt();
      await rejection(RangeError, token.executor.run(attempted));
      const done = new Job('done', 'test');
      done.random(1);
      await token.executor.run(done);
      await rejection(RangeError, token.executor.run(done));
    });

    it('counts in the statistics under its name', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      const before = token.executor.stats();
      await token.executor.run(messageJob(base, Buffer.alloc(3)).job);
      const after = token.executor.stats();
      const [then, now] = [before.byName.get('encrypt message'), after.byName.get('encrypt message')];
      expect((now?.jobs ?? 0) - (then?.jobs ?? 0)).to.equal(1);
      // C_DeriveKey, C_EncryptInit, C_Encrypt, C_DestroyObject
      expect((now?.calls ?? 0) - (then?.calls ?? 0)).to.equal(4);
      expect(after.tokenMicroseconds).to.be.greaterThan(before.tokenMicroseconds);
    });
  });
}
