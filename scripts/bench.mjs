/**
 * Measures: token calls in a C loop against Keyferry's jobs over the same module, and replications per second.
 *
 *     node scripts/bench.mjs [--quick] [--only JOB] [--token KIND] [--rounds N] [--seconds S] [--json FILE]
 *
 * Builds what is missing first: the C loop and the executor are of one build. Gates nothing.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function run(args, options = {}) {
  const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit', ...options });
  if (status !== 0) process.exit(signal === null ? (status ?? 1) : 1);
}

// What the builds say is progress, not result.
run([join(root, 'scripts/build_native.mjs')], { stdio: ['ignore', 2, 2] });
run([join(root, 'node_modules/typescript/bin/tsc'), '-p', root], { stdio: ['ignore', 2, 2] });
run([join(root, 'dist/bench/main.js'), ...process.argv.slice(2)]);
