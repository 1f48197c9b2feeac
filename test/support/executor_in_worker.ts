import { parentPort, workerData } from 'node:worker_threads';
import { CKA_DERIVE } from '../../src/token/cryptoki.js';
import { Executor } from '../../src/token/executor.js';
import { loadModule } from '../../src/token/native.js';
import { makeAesKey, messageJob } from './executor_jobs.js';

/** What the test hands to this thread: a module that its own thread has initialised and logged in to. */
interface WorkerData {
  readonly modulePath: string;
  readonly slotId: number;
  readonly jobs: number;
  /** Ends without closing the executor, as a thread that is terminated does. */
  readonly abandon: boolean;
}

const { modulePath, slotId, jobs, abandon } = workerData as WorkerData;
const executor = await Executor.open({ module: loadModule(modulePath), slotId });
const base = await makeAesKey(executor, CKA_DERIVE);
const lengths = await Promise.all(
  Array.from({ length: jobs }, async () => {
    const { job, ciphertext } = messageJob(base, Buffer.alloc(32));
    return (await executor.run(job)).bytes(ciphertext).length;
  }),
);
if (!abandon) await executor.close();
// A port of a thread has no origin to name.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage({ epoch: executor.epoch, jobs: lengths.filter((length) => length === 48).length });
