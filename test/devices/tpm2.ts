import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingFile, type Device } from './device.js';

const SWTPM = '/usr/bin/swtpm';
const SETPRIV = '/usr/bin/setpriv';
const FLUSH_HOOK = new URL('./tpm_flush_hook.js', import.meta.url).href;
const READY_MS_MAX = 10_000;

/** Where Debian has the module, by architecture. */
function modulePath(): string {
  const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return `/usr/lib/${multiarch}/pkcs11/libtpm2_pkcs11.so`;
}

/** tpm2-pkcs11 over a TPM 2.0 in software. */
export const tpm2: Device = {
  id: 'tpm2-pkcs11',
  title: 'tpm2-pkcs11 with swtpm',
  packages: ['libtpm2-pkcs11-1', 'swtpm'],
  howItIsRun:
    '`swtpm socket --tpm2` with its state and its socket in a folder of its own, `TPM2_PKCS11_TCTI=swtpm:path=…`, `TPM2_PKCS11_STORE` in ' +
    'the same folder, and a token that `--init-token` makes. What an ended process has left in the TPM is flushed before the next begins, as the resource manager of a real machine would.',
  reasonToSkip: () => missingFile({ [SWTPM]: 'swtpm', [SETPRIV]: 'util-linux', [modulePath()]: 'libtpm2-pkcs11-1' }),
  start: async (directory) => {
    const tpm = await startTpm(directory);
    const store = join(directory, 'store');
    mkdirSync(store, { mode: 0o700 });
    const pinFile = (who: string): string => {
      const file = join(directory, `${who}.pin`);
      writeFileSync(file, String(randomInt(10_000_000, 99_999_999)), { mode: 0o600, flag: 'wx' });
      return file;
    };
    return {
      prefix: [],
      environment: {
        TPM2_PKCS11_TCTI: `swtpm:path=${tpm.socket}`,
        TPM2_PKCS11_STORE: store,
        TPM2_PKCS11_BACKEND: 'esysdb',
        // Without it tpm2-tss tells of each command that the TPM refuses.
        TSS2_LOG: 'all+NONE',
        KEYFERRY_TEST_TPM: tpm.socket,
        NODE_OPTIONS: `--import=${FLUSH_HOOK}`,
      },
      options: [
        ...['--module', modulePath(), '--init-token', 'validation'],
        ...['--pin-file', pinFile('user'), '--so-pin-file', pinFile('so')],
      ],
      close: tpm.stop,
    };
  },
};

async function startTpm(directory: string): Promise<{ readonly socket: string; stop(): Promise<void> }> {
  const socket = join(directory, 'tpm.socket');
  const log = join(directory, 'swtpm.log');
  const state = join(directory, 'tpm');
  mkdirSync(state, { mode: 0o700 });
  const output = openSync(log, 'w', 0o600);
  // It ends with this process, also where that is killed.
  const child = spawn(
    SETPRIV,
    [
      ...['--pdeathsig', 'TERM', SWTPM, 'socket', '--tpm2', '--tpmstate', `dir=${state}`],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
      ...['--flags', 'not-need-init,startup-clear'],
    ],
    { stdio: ['ignore', output, output] },
  );
  closeSync(output);
  const ended = once(child, 'exit').then(() => undefined);
  const stop = (): Promise<void> => stopChild(child, ended);
  for (const deadline = Date.now() + READY_MS_MAX; !existsSync(`${socket}.ctrl`);) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`swtpm is not ready: ${readFileSync(log, 'utf8').slice(-500)}`);
    }
    await sleep(20);
  }
  return { socket, stop };
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}
