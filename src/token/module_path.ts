import { existsSync, realpathSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { TokenError } from './errors.js';
import { CKR } from './return_value.js';

/** Debian's name for the directory of libraries of this architecture. */
const multiarch: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  ppc64: 'powerpc64le-linux-gnu',
  s390x: 's390x-linux-gnu',
};

const librariesOf = multiarch[process.arch] ?? 'x86_64-linux-gnu';

/** Where the modules with a short name are looked for, in this order. */
const knownModules: Readonly<Record<string, readonly string[]>> = {
  softhsm2: [
    '/usr/lib/softhsm/libsofthsm2.so',
    `/usr/lib/${librariesOf}/softhsm/libsofthsm2.so`,
    '/usr/lib64/softhsm/libsofthsm2.so',
    '/usr/lib64/libsofthsm2.so',
    '/usr/local/lib/softhsm/libsofthsm2.so',
  ],
  nss: [
    `/usr/lib/${librariesOf}/libsoftokn3.so`,
    `/usr/lib/${librariesOf}/nss/libsoftokn3.so`,
    '/usr/lib64/libsoftokn3.so',
    '/usr/lib/libsoftokn3.so',
    '/usr/local/lib/libsoftokn3.so',
  ],
};

/** The names that {@link findModule} knows, besides paths. */
export const knownModuleNames: readonly string[] = Object.keys(knownModules);

/**
 * Finds the PKCS#11 library that a path or a short name (`softhsm2`, `nss`) means.
 *
 * @returns its real path: two names of one library are one module
 * @throws {@link TokenError} `ERR_TOKEN_MODULE_NOT_LOADED`, with the places that were searched
 */
export function findModule(pathOrName: string): string {
  const candidates = knownModules[pathOrName] ?? [isAbsolute(pathOrName) ? pathOrName : resolve(pathOrName)];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return realpathSync(found);
  throw new TokenError('ERR_TOKEN_MODULE_NOT_LOADED', {
    call: 'dlopen',
    rv: CKR.CKR_LIBRARY_LOAD_FAILED,
    details: { module: pathOrName, searched: candidates },
  });
}
