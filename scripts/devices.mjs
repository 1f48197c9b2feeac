/**
 * Runs the validation suite on the modules that it is proven on, keeps what it found in docs/devices and makes docs/DEVICES.md of it.
 *
 *     node scripts/devices.mjs [--only softhsm2|nss|nss-fips|tpm2-pkcs11|opencryptoki]... [--quick] [--reports DIRECTORY] [--page]
 *
 * Whole reports go to build/devices. --quick looks and records nothing; --page only makes the page anew. A module that cannot be run
 * here is skipped with the reason, and its record stays.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'dist/test/devices/main.js');
const { status } = spawnSync(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
