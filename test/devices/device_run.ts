import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEYFERRY_BIN } from '../../src/lab/child_program.js';
import { parseReport, type ValidationReport } from '../../src/validation/result.js';
import type { Device } from './device.js';

/** How a device is validated. */
export interface DeviceRun {
  readonly isQuick: boolean;
  /** Where the reports go; a folder of the run's own, removed at its end, where it is not given. */
  readonly reports?: string;
  /** Lines of progress. */
  readonly onLine?: (line: string) => void;
  /** Ends the run: the device is stopped, and its folder removed. */
  readonly signal?: AbortSignal;
  /** Further options of `keyferry validate`. */
  readonly options?: readonly string[];
}

/** Random inputs are the same in every run, so that records can be compared. */
const SEED = 'devices';

/**
 * Starts a device, runs `keyferry validate` on it as a user would, and ends the device.
 *
 * @throws Error with what the command said where it could not run
 */
export async function validateDevice(device: Device, run: DeviceRun): Promise<ValidationReport> {
  const directory = mkdtempSync(join(tmpdir(), `keyferry-device-${device.id}-`));
  try {
    const running = await device.start(directory);
    try {
      const reports = run.reports ?? join(directory, 'report');
      const command = [
        ...running.prefix,
        ...[process.execPath, KEYFERRY_BIN, 'validate', ...running.options],
        ...['--seed', SEED, '--report', reports, ...(run.isQuick ? ['--quick'] : []), ...(run.options ?? [])],
      ];
      await runToEnd(command, { ...process.env, ...running.environment }, run);
      return parseReport(readFileSync(join(reports, 'findings.json'), 'utf8'), 'findings.json');
    } finally {
      await running.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runToEnd(
  [file = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  { onLine, signal }: DeviceRun,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    let said = '';
    let begun = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    });
    // The command ends its checks, and a namespace everything in it.
    const onAbort = (): void => void child.kill('SIGTERM');
    signal?.addEventListener('abort', onAbort);
    child.once('error', reject);
    child.once('close', (status, endedBy) => {
      signal?.removeEventListener('abort', onAbort);
      if (status === 0) resolve();
      else reject(new Error(`keyferry validate ended with ${endedBy ?? `status ${status}`}:\n${said}`));
    });
  });
}
