import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findModule } from '../../src/token/module_path.js';
import type { Device } from './device.js';
import { nssUserSlot } from './software_token.js';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('../../../native/test/nss_fips/module.cc', import.meta.url));
const INITIALISER = fileURLToPath(new URL('./initialise_nss_fips.js', import.meta.url));
const LABEL = 'validation';

/** The slot of NSS softoken in FIPS mode. */
export const nssFipsSlot: Device = {
  id: 'nss-fips',
  title: 'NSS softoken, FIPS slot',
  packages: ['libnss3'],
  howItIsRun:
    'A fresh database in a folder of its own, slot 3, which the library shows under `FC_GetFunctionList` only: a library of ten lines ' +
    '(`native/test/nss_fips`) hands that on as `C_GetFunctionList`. `--library-parameters` names the database.',
  reasonToSkip: () => nssUserSlot.reasonToSkip(),
  start: async (directory) => {
    const module = join(directory, 'libkeyferry_nss_fips.so');
    const softoken = findModule('nss');
    const link = [softoken, `-Wl,-rpath,${dirname(softoken)}`];
    await run(process.env['CXX'] ?? 'g++', ['-shared', '-fPIC', '-O2', '-o', module, SOURCE, ...link]);
    const parameters = `configdir='sql:${directory}' certPrefix='' keyPrefix='' secmod='secmod.db' FIPSTokenDescription='${LABEL}'`;
    const pinFile = join(directory, 'user.pin');
    await run(process.execPath, [INITIALISER, module, parameters, pinFile]);
    return {
      prefix: [],
      environment: {},
      options: [
        ...['--module', module, '--token', LABEL],
        ...['--pin-file', pinFile, '--library-parameters', parameters],
      ],
      close: () => Promise.resolve(),
    };
  },
};
