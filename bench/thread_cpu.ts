import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of this process so far, microseconds. Unlike wall time it does not change when others take the processor. */
export interface ThreadCpu {
  /** The thread that runs JavaScript. */
  readonly main: number;
  /** The threads of executors. */
  readonly token: number;
}

/** Name that executors give their threads. */
const TOKEN_THREAD = 'keyferry-token';

/**
 * CPU time by thread; zeros where the system does not tell.
 *
 * @source Linux, Documentation/scheduler/sched-stats.rst: the first number of `schedstat` is nanoseconds on the processor
 */
export function threadCpu(): ThreadCpu {
  let main = 0;
  let token = 0;
  const tasks = '/proc/self/task';
  try {
    for (const task of readdirSync(tasks)) {
      const microseconds = Number(readFileSync(`${tasks}/${task}/schedstat`, 'ascii').split(' ')[0]) / 1000;
      if (task === String(process.pid)) main += microseconds;
      else if (readFileSync(`${tasks}/${task}/comm`, 'ascii').trim() === TOKEN_THREAD) token += microseconds;
    }
  } catch {
    return { main: 0, token: 0 };
  }
  return { main, token };
}
