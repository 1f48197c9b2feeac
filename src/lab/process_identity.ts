import { readFileSync } from 'node:fs';

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the kernel's clock ticks since boot, and the boot; empty where the system does not say. */
  readonly started: string;
}

/** Who a running process is; undefined where there is none of that number. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const started = startTime(pid);
  // A zombie has ended; only its parent has not asked for its exit status yet.
  return started === 'ended' ? undefined : { pid, started };
}

/** Whether this very process still runs: a stale file may name a number that another program has now. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now !== undefined && now.started === identity.started;
}

/** @source proc(5), /proc/PID/stat field 22 (starttime); the command in field 2 may hold spaces and parentheses */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19] ?? ''}`;
  } catch {
    // No /proc on this system: the number alone has to do.
    return '';
  }
}
