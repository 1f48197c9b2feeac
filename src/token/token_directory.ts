import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../errors.js';
import type { ModuleSettings } from './module.js';
import { keepTokenObjects } from './token_object_backup.js';

/** Software tokens whose objects live in a directory of ours. */
export type SoftwareTokenKind = 'softhsm2' | 'nss';

const configurationTemplate = fileURLToPath(new URL('../../../softhsm.conf', import.meta.url));
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Makes the directory in which a software token keeps its objects, readable by nobody else, and says how the module is told about it.
 *
 * An existing directory is used as it is: its token and keys stay.
 *
 * @param directory - the token's own; made where it is missing
 * @param label - the token's label; NSS softoken is told it at each start, SoftHSM2 keeps it from `C_InitToken` on
 * @throws {@link ConfigError} `ERR_CONFIG_STATE` if the path cannot be written into a module's configuration
 * @source SoftHSM2 2.6.1 softhsm2.conf(5); NSS softoken module specification
 */
export function prepareTokenDirectory(kind: SoftwareTokenKind, directory: string, label: string): ModuleSettings {
  const absolute = resolve(directory);
  // Both configurations are texts without a way to escape these.
  if (/['"\\\n\r]/u.test(absolute + label)) {
    throw new ConfigError(
      'ERR_CONFIG_STATE',
      `no quotes, backslashes or line ends in a token's directory or label: ${absolute}`,
    );
  }
  mkdirSync(absolute, { recursive: true, mode: PRIVATE_DIRECTORY });
  return kind === 'softhsm2' ? prepareSoftHsm(absolute) : prepareNss(absolute, label);
}

/** Where SoftHSM2 keeps its objects in a directory of {@link prepareTokenDirectory}. */
export function softHsmObjects(directory: string): string {
  return join(resolve(directory), 'tokens');
}

function prepareSoftHsm(directory: string): ModuleSettings {
  const tokens = softHsmObjects(directory);
  mkdirSync(tokens, { recursive: true, mode: PRIVATE_DIRECTORY });
  keepTokenObjects(tokens);
  const configuration = join(directory, 'softhsm2.conf');
  const text = readFileSync(configurationTemplate, 'utf8').replaceAll('@TOKEN_DIRECTORY@', () => tokens);
  writeFileSync(configuration, text, { mode: PRIVATE_FILE });
  return { environment: { SOFTHSM2_CONF: configuration } };
}

/** Where NSS softoken has its database in a directory of {@link prepareTokenDirectory}. */
export function nssDatabase(directory: string): string {
  return join(resolve(directory), 'database');
}

function prepareNss(directory: string, label: string): ModuleSettings {
  const database = nssDatabase(directory);
  mkdirSync(database, { recursive: true, mode: PRIVATE_DIRECTORY });
  return {
    libraryParameters: `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db' dbTokenDescription='${label}'`,
  };
}
