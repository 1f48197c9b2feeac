import { copyFileSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findModule } from '../../src/token/module_path.js';
import { initialiseScratchToken, type ScratchToken, type SoftwareTokenKind } from './token_directory.js';

const shim = fileURLToPath(new URL('../../../build/libkeyferry_shim.so', import.meta.url));

/** A scratch token behind a library that counts its calls and makes faults. */
export interface FaultyToken extends ScratchToken {
  /** The token's own library, which the shim calls. */
  readonly libraryPath: string;
  /** Sets the faults from now on, none without rules: `C_Sign 1 return 0x30`. Rules count calls from now. */
  setFaults(...rules: readonly string[]): void;
  /** How often a function was called since the token was made. */
  callCount(name: string): number;
  /** What another process needs in its environment to have the same faults. */
  readonly shimEnvironment: Readonly<Record<string, string>>;
}

/**
 * Makes a scratch token whose module is the shim. One at a time in a process: the shim reads the environment.
 *
 * @source native/test/shim/rules.h
 */
export async function makeFaultyToken(
  kind: SoftwareTokenKind,
  label = `keyferry faulty ${kind}`,
): Promise<FaultyToken> {
  const directory = mkdtempSync(join(tmpdir(), `keyferry-faulty-${kind}-`));
  const library = findModule(kind);
  const libraryPath = join(directory, basename(library));
  copyFileSync(library, libraryPath);
  const modulePath = join(directory, 'shim.so');
  copyFileSync(shim, modulePath);
  const rulesPath = join(directory, 'rules');
  const countPath = join(directory, 'calls');
  writeFileSync(rulesPath, '', { mode: 0o600 });
  const shimEnvironment = {
    KEYFERRY_SHIM_MODULE: libraryPath,
    KEYFERRY_SHIM_RULES: rulesPath,
    KEYFERRY_SHIM_COUNT: countPath,
  };
  Object.assign(process.env, shimEnvironment);
  const token = await initialiseScratchToken({ kind, label, directory, modulePath });
  return {
    ...token,
    libraryPath,
    shimEnvironment,
    setFaults: (...rules) => {
      // A new file each time: the shim knows a change by inode, time and size.
      writeFileSync(`${rulesPath}.new`, `${rules.join('\n')}\n`, { mode: 0o600 });
      renameSync(`${rulesPath}.new`, rulesPath);
    },
    callCount: (name) =>
      readFileSync(countPath, 'utf8')
        .split('\n')
        .filter((line) => line.split(' ')[0] === name).length,
    dispose: () => {
      token.dispose();
      for (const variable of Object.keys(shimEnvironment)) delete process.env[variable];
    },
  };
}
