import { findModule } from '../../src/token/module_path.js';
import type { Device, RunningDevice } from './device.js';

/** A token that `keyferry validate` makes for itself. */
function scratchDevice(kind: 'softhsm2' | 'nss', about: Pick<Device, 'title' | 'packages' | 'howItIsRun'>): Device {
  return {
    id: kind,
    ...about,
    reasonToSkip: () => {
      try {
        findModule(kind);
        return null;
      } catch {
        return `not installed: ${about.packages.join(', ')}`;
      }
    },
    start: (): Promise<RunningDevice> =>
      Promise.resolve({
        prefix: [],
        environment: {},
        options: ['--module', kind, '--scratch'],
        close: () => Promise.resolve(),
      }),
  };
}

/** SoftHSM2, objects in files. */
export const softHsm2 = scratchDevice('softhsm2', {
  title: 'SoftHSM2',
  packages: ['softhsm2', 'libsofthsm2'],
  howItIsRun: 'A fresh token in a folder of its own: `keyferry validate --module softhsm2 --scratch`.',
});

/** The slot of NSS softoken that holds a database of keys. */
export const nssUserSlot = scratchDevice('nss', {
  title: 'NSS softoken, user slot',
  packages: ['libnss3'],
  howItIsRun:
    'A fresh database in a folder of its own, slot 2 ("NSS Certificate DB"): `keyferry validate --module nss --scratch`.',
});
