/**
 * Works in a real lab with many clients while regions are killed, the proxy is cut and tokens lose their sessions; then reads
 * everything that was acknowledged. Exits with status 1 where anything of it is not there, or any answer was wrong.
 *
 *     node scripts/soak.mjs [--minutes N] [--clients N] [--regions 2|3] [--pause MS] [--seed N] [--keep]
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
run([join(root, 'dist/test/soak/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
