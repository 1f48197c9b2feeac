import { expect } from 'chai';
import {
  CKA_CLASS,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_MODULUS_BITS,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_WRAP,
  CKM_AES_KEY_GEN,
  CKM_ECDH1_DERIVE,
} from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Executor } from '../../src/token/executor.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { OpenToken } from '../../src/token/open_token.js';
import { CKR } from '../../src/token/return_value.js';
import { aesTemplate, countObjects, gcm, makeAesKey, messageJob, p384Pair, plain } from '../support/executor_jobs.js';
import { rejection } from '../support/failure.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { tokenKinds } from '../support/token_directory.js';

const text = Buffer.from('text');
const iv = Buffer.alloc(12, 3);

function randomJob(): Job {
  const job = new Job('random', 'test');
  job.random(8);
  return job;
}

for (const kind of tokenKinds()) {
  describe(`the executor on a faulty ${kind}`, function () {
    this.timeout(30_000);
    let scratch: FaultyToken;
    let token: OpenToken;

    beforeEach(async () => {
      scratch = await makeFaultyToken(kind);
      token = await OpenToken.open(scratch.module, {
        token: { label: scratch.label },
        userPin: scratch.userPin,
        executor: { recoverBackoffMs: 5, recoverAttemptsMax: 3 },
      });
    });
    afterEach(async () => {
      scratch.setFaults();
      await token.close();
      scratch.dispose();
    });

    const run = (job: Job): Promise<unknown> => token.executor.run(job);

    it('finds out that an object is still there although the token said that it was destroyed', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      scratch.setFaults('C_DestroyObject * silent');
      const job = new Job('destroy', 'test');
      job.destroyObject(key);
      const failure = await rejection(TokenError, run(job));
      expect(failure.code).to.equal('ERR_TOKEN_NOT_DESTROYED');
      expect(failure.retryable).to.equal(false);
    });

    it('reads all attributes of a key with five calls, the secret one among them', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      const calls = scratch.callCount('C_GetAttributeValue');
      const job = new Job('read', 'test');
      const types = [CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_WRAP];
      const read = job.getAttributes(key, [...types, CKA_LABEL, CKA_ID, CKA_VALUE]);
      const attributes = (await token.executor.run(job)).attributes(read);
      expect([...attributes.values()].map(({ state }) => state)).to.deep.equal([
        ...Array.from({ length: 9 }, () => 'value'),
        'sensitive',
      ]);
      expect(scratch.callCount('C_GetAttributeValue') - calls).to.equal(5);
    });

    it('takes nothing for a value that a module left as it was behind an attribute which it refuses', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      scratch.setFaults('C_GetAttributeValue * stop-early');
      const job = new Job('read', 'test');
      // A secret key has no modulus.
      const simple = job.getAttributes(key, [CKA_CLASS, CKA_MODULUS_BITS, CKA_SENSITIVE, CKA_ENCRYPT]);
      const octets = job.getAttributes(key, [CKA_LABEL, CKA_MODULUS, CKA_ID]);
      const result = await token.executor.run(job);
      const found = [simple, octets].map((output) =>
        Array.from(result.attributes(output), ([type, { state, octets: value }]) => [type, state, [...value]]),
      );
      expect(found[0]?.slice(1)).to.deep.equal([
        [CKA_MODULUS_BITS, 'unavailable', []],
        [CKA_SENSITIVE, 'value', [1]],
        [CKA_ENCRYPT, 'value', [1]],
      ]);
      expect(found[1]?.map(([, state]) => state)).to.deep.equal(['value', 'unavailable', 'value']);
    });

    it('fails a job whose keys cannot be destroyed, and says how many are left', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      scratch.setFaults('C_DestroyObject * return 30');
      const job = messageJob(base, text).job;
      job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(CKA_ENCRYPT));
      const failure = await rejection(TokenError, run(job));
      expect(failure.call).to.equal('C_DestroyObject');
      expect(failure.code).to.equal('ERR_TOKEN_CALL');
      expect(failure.details['cleanup']).to.be.greaterThan(0);
    });

    it('tells what failed first, and the failed clean-up beside it', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      scratch.setFaults('C_Encrypt * return 5', 'C_DestroyObject * return 6');
      const failure = await rejection(TokenError, run(messageJob(base, text).job));
      expect([failure.call, failure.rv, failure.details['cleanup']]).to.deep.equal(['C_Encrypt', 5, 1]);
    });

    it('replaces a session on which an operation stays active, and keeps what was made in it', async () => {
      const key = await makeAesKey(token.executor, CKA_ENCRYPT);
      scratch.setFaults('C_Encrypt 1 return 7');
      const encrypt = (): Promise<unknown> => {
        const job = new Job('encrypt', 'test');
        job.encrypt(gcm(iv), key, text);
        return run(job);
      };
      // The module never saw C_Encrypt, so its operation is still active: the next C_EncryptInit would be refused.
      await rejection(TokenError, encrypt());
      await encrypt();
      await encrypt();
      expect(token.executor.stats().byName.get('encrypt')?.failures).to.equal(1);
    });

    for (const action of ['room', 'room-end']) {
      it(`gives a token more room when it asks for more (${action})`, async () => {
        const { executor } = token;
        const key = await makeAesKey(executor, CKA_ENCRYPT);
        scratch.setFaults(`C_Encrypt * ${action} 9000`, `C_WrapKey * ${action} 9000`);
        const job = new Job('more room', 'test');
        const sealed = job.encrypt(gcm(iv), key, text);
        const kek = job.generateKey(plain(CKM_AES_KEY_GEN), aesTemplate(CKA_WRAP));
        const target = job.generateKey(
          plain(CKM_AES_KEY_GEN),
          template([CKA_TOKEN, false], [CKA_VALUE_LEN, 32], [CKA_EXTRACTABLE, true]),
        );
        const wrapped = job.wrapKey(plain(0x2109), kek, target);
        const result = await executor.run(job);
        expect([result.bytes(sealed).length, result.bytes(wrapped).length]).to.deep.equal([20, 40]);
      });
    }

    it('does not try again when a token asks for no more room than it had', async () => {
      const { executor } = token;
      const key = await makeAesKey(executor, CKA_ENCRYPT);
      scratch.setFaults('C_Encrypt 1 call-return 150');
      const encrypt = (): Promise<unknown> => {
        const job = new Job('encrypt', 'test');
        job.encrypt(gcm(iv), key, text);
        return run(job);
      };
      expect((await rejection(TokenError, encrypt())).rvName).to.equal('CKR_BUFFER_TOO_SMALL');
      await encrypt();
    });

    for (const [rv, code] of [
      ['b3', 'ERR_TOKEN_SESSION_LOST'],
      ['b0', 'ERR_TOKEN_SESSION_LOST'],
      ['32', 'ERR_TOKEN_MODULE_LOST'],
      ['190', 'ERR_TOKEN_MODULE_LOST'],
      ['e0', 'ERR_TOKEN_NOT_PRESENT'],
    ] as const) {
      it(`opens its sessions anew after 0x${rv}, and rejects only the job that met it`, async () => {
        const { executor } = token;
        const epochs: number[] = [];
        executor.onEpoch((epoch) => epochs.push(epoch));
        const before = executor.epoch;
        scratch.setFaults(`C_GenerateRandom 1 return ${rv}`);
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => executor.run(randomJob())));
        const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
        expect(failures).to.have.length(1);
        expect(failures[0]).to.be.instanceOf(TokenError).and.include({ code, retryable: true });
        expect(executor.epoch).to.be.greaterThan(before);
        expect(epochs).to.deep.equal([executor.epoch]);
      });
    }

    it('fails waiting jobs with handles of before without asking the token', async () => {
      const { executor } = token;
      const key = await makeAesKey(executor, CKA_DERIVE);
      const before = scratch.callCount('C_DeriveKey');
      scratch.setFaults('C_GenerateRandom 1 return b3');
      const first = rejection(TokenError, executor.run(randomJob()));
      const stale = Array.from({ length: 5 }, () => rejection(TokenError, executor.run(messageJob(key, text).job)));
      await first;
      const codes = (await Promise.all(stale)).map(({ code, retryable }) => [code, retryable]);
      expect(codes).to.deep.equal(Array.from({ length: 5 }, () => ['ERR_TOKEN_STALE_HANDLE', true]));
      expect(scratch.callCount('C_DeriveKey')).to.equal(before);
    });

    it('takes a logout for a lost session, but not a refusal by the token’s policy', async () => {
      const { executor } = token;
      const before = executor.epoch;
      scratch.setFaults('C_GenerateRandom 1 return 101');
      expect((await rejection(TokenError, executor.run(randomJob()))).code).to.equal('ERR_TOKEN_CALL');
      expect(executor.epoch).to.equal(before);
    });

    it('gives waiting jobs up after a bounded number of attempts, and works again when the token is back', async () => {
      const { executor } = token;
      scratch.setFaults('C_GenerateRandom * return 32', 'C_OpenSession * return e0');
      const jobs = Array.from({ length: 6 }, () => rejection(TokenError, executor.run(randomJob())));
      const failures = await Promise.all(jobs);
      expect(new Set(failures.map(({ code }) => code))).to.deep.equal(new Set(['ERR_TOKEN_MODULE_LOST']));
      const refused = await rejection(TokenError, executor.run(randomJob()));
      expect([refused.code, refused.retryable]).to.deep.equal(['ERR_TOKEN_MODULE_LOST', true]);
      scratch.setFaults();
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await executor.run(randomJob());
    });

    it('lets short jobs pass while a slow one runs', async () => {
      const { executor } = token;
      scratch.setFaults('C_GenerateKeyPair * delay 400');
      const slow = new Job('slow', 'test');
      p384Pair(slow);
      let isSlowDone = false;
      const running = executor.run(slow).then(() => (isSlowDone = true));
      for (let i = 0; i < 20; i += 1) await executor.run(randomJob());
      expect(isSlowDone).to.equal(false);
      await running;
    });

    it('keeps a short job on one thread, whatever many wait', async () => {
      const { executor } = token;
      scratch.setFaults('C_GenerateRandom * delay 20');
      const start = performance.now();
      await Promise.all(Array.from({ length: 10 }, () => executor.run(randomJob())));
      expect(performance.now() - start).to.be.greaterThan(195);
      const other = await Executor.open({
        module: scratch.module.native,
        slotId: token.slot.slotId,
        shortThreadsMax: 2,
        threads: 2,
      });
      try {
        // Two batches of thirty-two, side by side.
        const again = performance.now();
        await Promise.all(Array.from({ length: 64 }, () => other.run(randomJob())));
        expect(performance.now() - again).to.be.lessThan(64 * 20 - 100);
      } finally {
        await other.close();
      }
    });

    it('has its answers changed where the rules say so', async () => {
      const { executor } = token;
      const key = await makeAesKey(executor, CKA_ENCRYPT);
      const sealedBy = async (): Promise<Buffer> => {
        const job = new Job('encrypt', 'test');
        const sealed = job.encrypt(gcm(iv), key, text);
        return Buffer.from((await executor.run(job)).bytes(sealed));
      };
      const honest = await sealedBy();
      scratch.setFaults('C_Encrypt 1 flip');
      const flipped = await sealedBy();
      expect(flipped.equals(honest)).to.equal(false);
      expect(flipped.subarray(0, -1).equals(honest.subarray(0, -1))).to.equal(true);
      scratch.setFaults('* * no-mechanism 1050');
      expect(token.slot.mechanisms().some(({ type }) => type === CKM_ECDH1_DERIVE)).to.equal(false);
      const before = scratch.callCount('C_GenerateKeyPair');
      const job = new Job('pair', 'test');
      p384Pair(job);
      await executor.run(job);
      expect(scratch.callCount('C_GenerateKeyPair')).to.equal(before + 1);
    });

    it('loses its key when it is destroyed by somebody else, which is that call’s failure only', async () => {
      const { executor } = token;
      const before = executor.epoch;
      const key = await makeAesKey(executor, CKA_ENCRYPT);
      const destroy = new Job('destroy', 'test');
      destroy.destroyObject(key);
      await executor.run(destroy);
      const job = new Job('encrypt', 'test');
      job.encrypt(gcm(iv), key, text);
      const failure = await rejection(TokenError, executor.run(job));
      expect([CKR.CKR_KEY_HANDLE_INVALID, CKR.CKR_OBJECT_HANDLE_INVALID]).to.include(failure.rv);
      expect(executor.epoch).to.equal(before);
      expect(await countObjects(executor)).to.equal(0);
    });
  });
}
