import type { JobRunner } from '../../src/hsm/job_runner.js';
import type { AttributeValue, Job, JobResult } from '../../src/token/job.js';

/** What a faulty token does to the results of jobs; each hook may change what it is given. */
export interface RunnerFaults {
  /** Called before each job; may throw, or wait. */
  before?: (job: Job) => void | Promise<void>;
  bytes?: (job: Job, octets: Uint8Array) => Uint8Array;
  attributes?: (job: Job, attributes: ReadonlyMap<number, AttributeValue>) => ReadonlyMap<number, AttributeValue>;
}

/** A runner over a real token that can be made to lie; changes to `faults` take effect at once. */
export function faultyRunner(runner: JobRunner, faults: RunnerFaults): JobRunner {
  return {
    get epoch() {
      return runner.epoch;
    },
    run: async (job) => {
      await faults.before?.(job);
      const result = await runner.run(job);
      return {
        bytes: (output) => faults.bytes?.(job, result.bytes(output)) ?? result.bytes(output),
        attributes: (output) => faults.attributes?.(job, result.attributes(output)) ?? result.attributes(output),
        object: (output) => result.object(output),
        handles: (output) => result.handles(output),
        rv: (output) => result.rv(output),
      } satisfies JobResult;
    },
  };
}

/** The octets with one bit changed. */
export function withFlippedBit(octets: Uint8Array, at = 0): Uint8Array {
  const changed = Uint8Array.from(octets);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
