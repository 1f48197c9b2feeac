import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A device that is ready to be validated. */
export interface RunningDevice {
  /** What `keyferry validate` is put behind, where the module must not see the machine as it is; else empty. */
  readonly prefix: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Options of `keyferry validate` that name module, token and PIN. */
  readonly options: readonly string[];
  /** Ends what was started; the folder is the caller's to remove. */
  close(): Promise<void>;
}

/** A PKCS#11 module that docs/DEVICES.md tells of. */
export interface Device {
  /** Name of its record in docs/devices. */
  readonly id: string;
  readonly title: string;
  /** Debian packages whose versions belong to the record. */
  readonly packages: readonly string[];
  /** In a few sentences how it is run here. */
  readonly howItIsRun: string;
  /** Why it cannot be run on this machine; null where it can. */
  reasonToSkip(): string | null;
  /** Starts what the module needs, with all of its state below an empty folder. */
  start(directory: string): Promise<RunningDevice>;
}

/** Why one of these files is not there, in words for a skipped test; null where all are. */
export function missingFile(files: Readonly<Record<string, string>>): string | null {
  const missing = Object.entries(files).filter(([file]) => !existsSync(file));
  return missing.length === 0 ? null : `not installed: ${[...new Set(missing.map(([, name]) => name))].join(', ')}`;
}

/** Package and version as Debian has them; without a version where dpkg does not know it. */
export function packageVersions(packages: readonly string[]): readonly string[] {
  return packages.map((name) => {
    const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' });
    return status === 0 ? `${name} ${stdout}` : name;
  });
}
