import { spawnSync } from 'node:child_process';

/** Debian's Python, for which Debian's AWS CLI and boto3 are, and the first one in the path, which may have newer ones. */
const PYTHONS = ['/usr/bin/python3', 'python3'];

/** A Python with a package, and the package's version. */
export interface PythonPackage {
  readonly python: string;
  readonly version: string;
}

/** A package wherever a Python has it, each version once. */
export function pythonPackages(name: string): readonly PythonPackage[] {
  const found = new Map<string, string>();
  for (const python of PYTHONS) {
    const asked = spawnSync(python, ['-c', `import ${name}; print(${name}.__version__)`], { encoding: 'utf8' });
    const version = asked.status === 0 ? asked.stdout.trim() : undefined;
    if (version !== undefined && !found.has(version)) found.set(version, python);
  }
  return [...found].map(([version, python]) => ({ python, version }));
}

/** Skips what a hook is for, unless further versions of a client are wanted too: each takes some ten seconds. */
export function onlyWithFurtherClients(hook: Mocha.Context): void {
  if (process.env['KEYFERRY_FURTHER_CLIENTS'] === '1') return;
  Object.assign(hook.test?.parent ?? {}, { skipReason: 'further versions of clients are run by make test-clients' });
  hook.skip();
}
