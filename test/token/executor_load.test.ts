import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { CKA_DERIVE } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import type { ObjectHandle } from '../../src/token/object.js';
import { OpenToken } from '../../src/token/open_token.js';
import { countObjects, makeAesKey, messageJob, p384Pair } from '../support/executor_jobs.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

for (const kind of tokenKinds()) {
  describe(`the executor under load on ${kind}`, function () {
    this.timeout(60_000);
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

    const runMany = async (base: ObjectHandle, jobs: number): Promise<void> => {
      let left = jobs;
      const runner = async (): Promise<void> => {
        while (left > 0) {
          left -= 1;
          const { job, ciphertext } = messageJob(base, Buffer.alloc(32));
          expect((await token.executor.run(job)).bytes(ciphertext)).to.have.length(48);
        }
      };
      await Promise.all(Array.from({ length: 64 }, runner));
    };

    it('runs ten thousand jobs without leaving objects behind or growing', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      await runMany(base, 5000);
      const objects = await countObjects(token.executor);
      const before = process.memoryUsage().rss;
      await runMany(base, 10_000);
      const grown = process.memoryUsage().rss - before;
      expect(await countObjects(token.executor)).to.equal(objects);
      // A kilobyte leaked by each job would be ten megabytes; the heap of the tests themselves moves by less than twenty.
      expect(grown).to.be.lessThan(30 * 1024 * 1024);
    });

    it('runs short and long jobs side by side, each with its own result', async () => {
      const base = await makeAesKey(token.executor, CKA_DERIVE);
      const objects = await countObjects(token.executor);
      const pairs = Array.from({ length: 20 }, async () => {
        const job = new Job('pair', 'test');
        const kept = job.keep(p384Pair(job).privateKey);
        return (await token.executor.run(job)).object(kept);
      });
      await Promise.all([runMany(base, 300), ...pairs]);
      const handles = new Set((await Promise.all(pairs)).map(({ value }) => value));
      expect(handles.size).to.equal(20);
      expect(await countObjects(token.executor)).to.equal(objects + 20);
    });

    it('leaves the event loop free while a job runs', async () => {
      const job = new Job('pairs', 'test');
      for (let i = 0; i < 30; i += 1) p384Pair(job);
      let turns = 0;
      const timer = setInterval(() => (turns += 1), 1);
      await token.executor.run(job);
      clearInterval(timer);
      expect(turns).to.be.greaterThan(5);
    });

    it('works in a worker thread, beside the executor of the main thread', async () => {
      const worker = new Worker(new URL('../support/executor_in_worker.js', import.meta.url), {
        workerData: { modulePath: scratch.modulePath, slotId: scratch.slotId, jobs: 50, abandon: false },
      });
      const [[message]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      expect(message).to.include({ jobs: 50 });
      expect((message as { epoch: number }).epoch).to.not.equal(token.executor.epoch);
      await runMany(await makeAesKey(token.executor, CKA_DERIVE), 10);
    });

    it('ends its threads with a worker that forgets to close it', async () => {
      for (let i = 0; i < 3; i += 1) {
        const worker = new Worker(new URL('../support/executor_in_worker.js', import.meta.url), {
          workerData: { modulePath: scratch.modulePath, slotId: scratch.slotId, jobs: 20, abandon: true },
        });
        const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
        expect(message).to.include({ jobs: 20 });
        expect(code).to.equal(0);
      }
      await runMany(await makeAesKey(token.executor, CKA_DERIVE), 10);
    });

    it('survives a worker that is terminated in the middle of its jobs', async () => {
      for (let i = 0; i < 3; i += 1) {
        const worker = new Worker(new URL('../support/executor_in_worker.js', import.meta.url), {
          workerData: { modulePath: scratch.modulePath, slotId: scratch.slotId, jobs: 100_000, abandon: true },
        });
        await once(worker, 'online');
        await new Promise((resolve) => setTimeout(resolve, 150));
        await worker.terminate();
      }
      await runMany(await makeAesKey(token.executor, CKA_DERIVE), 10);
    });
  });
}
