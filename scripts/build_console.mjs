// Builds the page of the console into dist/console/: one script, one style sheet, and what is copied as it is. Does nothing where nothing has changed.
import { build } from 'esbuild';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src/console/web');
const target = join(root, 'dist/console');
const copied = ['index.html', 'login.html', 'icon.svg'];
const made = [...copied, 'console.js', 'console.css', 'login.js'];

const modified = (file) => statSync(file).mtimeMs;
const inputs = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() || entry.isDirectory())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
const newest = Math.max(...[...inputs, fileURLToPath(import.meta.url), join(root, 'package-lock.json')].map(modified));
const isCurrent = made.every((name) => existsSync(join(target, name)) && modified(join(target, name)) > newest);

if (isCurrent && !process.argv.includes('--force')) {
  process.stdout.write('console: nothing to do\n');
} else {
  const startedMs = performance.now();
  mkdirSync(target, { recursive: true });
  const { metafile } = await build({
    entryPoints: [
      { in: join(source, 'main.tsx'), out: 'console' },
      { in: join(source, 'style/console.css'), out: 'console' },
      { in: join(source, 'login.ts'), out: 'login' },
    ],
    outdir: target,
    tsconfig: join(source, 'tsconfig.json'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2023'],
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  }).catch(() => process.exit(1));
  for (const name of copied) copyFileSync(join(source, name), join(target, name));
  const octets = Object.values(metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0);
  process.stdout.write(
    `console: built in ${Math.round(performance.now() - startedMs)} ms, ${Math.round(octets / 1024)} KiB in all\n`,
  );
}
