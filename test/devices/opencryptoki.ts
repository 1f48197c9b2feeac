import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingFile, type Device } from './device.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/devices/opencryptoki.sh', import.meta.url));
const NAMESPACE = ['unshare', '--mount', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];

function modulePath(): string {
  const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return `/usr/lib/${multiarch}/opencryptoki/libopencryptoki.so.0`;
}

/** The software token of openCryptoki. */
export const openCryptoki: Device = {
  id: 'opencryptoki',
  title: 'openCryptoki, software token',
  packages: ['opencryptoki', 'libopencryptoki0'],
  howItIsRun:
    '`pkcsslotd` and the suite in mount, IPC and process namespaces of their own (`scripts/devices/opencryptoki.sh`, as root), with a ' +
    'folder in the place of `/etc/opencryptoki` and `/var/lib/opencryptoki`; slot 3, initialised by `pkcsconf`.',
  reasonToSkip: () => {
    const missing = missingFile({
      '/usr/sbin/pkcsslotd': 'opencryptoki',
      '/etc/opencryptoki': 'opencryptoki',
      [modulePath()]: 'libopencryptoki0',
    });
    if (missing !== null) return missing;
    const { status } = spawnSync(NAMESPACE[0] ?? '', [...NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
    return status === 0 ? null : 'openCryptoki needs root: its paths are compiled in, and a mount namespace hides them';
  },
  start: (directory) =>
    Promise.resolve({
      prefix: [...NAMESPACE, SCRIPT, directory],
      environment: {},
      options: ['--module', modulePath(), '--slot', '3', '--pin-file', join(directory, 'user.pin')],
      close: () => Promise.resolve(),
    }),
};
