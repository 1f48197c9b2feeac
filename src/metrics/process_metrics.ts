import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { single, type MetricFamily } from './exposition.js';

/** Where the system lists the open files of a process; not on every system. */
const OPEN_FILES = '/proc/self/fd';

/**
 * Metrics of this process under the names that Prometheus clients use.
 *
 * @source Prometheus documentation, writing client libraries, process metrics
 */
export function processMetrics(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { active } = performance.eventLoopUtilization();
  const openFiles = countOpenFiles();
  return [
    single('process_cpu_seconds_total', 'counter', 'CPU time of the process.', (user + system) / 1e6),
    single('process_resident_memory_bytes', 'gauge', 'Resident memory.', rss),
    single('process_start_time_seconds', 'gauge', 'Start, since the Unix epoch.', performance.timeOrigin / 1000),
    ...(openFiles === undefined ? [] : [single('process_open_fds', 'gauge', 'Open file descriptors.', openFiles)]),
    single('nodejs_heap_size_used_bytes', 'gauge', 'JavaScript heap in use.', heapUsed),
    single('nodejs_external_memory_bytes', 'gauge', 'Memory outside the JavaScript heap.', external),
    single('nodejs_eventloop_active_seconds_total', 'counter', 'Time that the event loop was busy.', active / 1000),
  ];
}

function countOpenFiles(): number | undefined {
  try {
    return readdirSync(OPEN_FILES).length;
  } catch {
    return undefined;
  }
}
