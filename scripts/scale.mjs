/**
 * Compares a region of 100,000 keys with one of 100: start, memory, and the time of calls.
 *
 *     node scripts/scale.mjs [--keys N] [--token KIND] [--rounds N] [--directory DIR] [--json]
 *
 * Makes the keys in the token, which takes minutes the first time; with --directory both regions are kept.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (args, options) => {
  const { status } = spawnSync(process.execPath, args, options);
  if (status !== 0) process.exit(status ?? 1);
};

run([join(root, 'scripts/build_native.mjs')], { stdio: ['ignore', 2, 2] });
run([join(root, 'node_modules/typescript/bin/tsc'), '-p', root], { stdio: ['ignore', 2, 2] });
run([join(root, 'dist/bench/scale.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
