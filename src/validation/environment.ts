import { existsSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';

/** The machine and the programs of a run, for whoever reads its figures. */
export interface RunEnvironment {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly processors: number;
  /** Version of this program. */
  readonly keyferry: string;
  /** The operating system as it names itself. */
  readonly system: string;
}

/** What a run says of where it ran. */
export function runEnvironment(): RunEnvironment {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${release()} ${process.arch}`,
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    keyferry: versionBeside(dirname(fileURLToPath(import.meta.url))),
    system: systemName(),
  };
}

/** The version in the nearest `package.json`, upwards. */
function versionBeside(directory: string): string {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return dirname(directory) === directory ? 'unknown' : versionBeside(dirname(directory));
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version?: unknown };
  return typeof version === 'string' ? version : 'unknown';
}

/** @source os-release(5) */
function systemName(): string {
  try {
    return parseEnv(readFileSync('/etc/os-release', 'utf8'))['PRETTY_NAME'] ?? process.platform;
  } catch {
    return process.platform;
  }
}
