// Runs the tests: each file in a process of its own (a PKCS#11 module has one state a process), two at a time,
// the quick ones together, and those with clients of others too, over one lab. Ends with "N passed, N failed".
//
//   node scripts/test.mjs [--only TEXT]... [--jobs N] [--json FILE]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    jobs: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});

const root = new URL('..', import.meta.url).pathname;
const compiled = join(root, 'dist/test');
const scratch = mkdtempSync(join(tmpdir(), 'keyferry-test-'));

/** Whether a compiled test still has its source: a stale file in dist/ is no test. */
function hasSource(file) {
  return existsSync(join(root, 'test', relative(compiled, file).replace(/\.js$/, '.ts')));
}

function testFiles(folder) {
  const path = join(compiled, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(path, name))
    .filter(hasSource)
    .sort();
}

// The longest first, so that two workers end at about the same time.
const order = ['protocol', 'adversarial', 'e2e', 'token'];
const units = testFiles('unit');
const isChosen = (text) => options.only.length === 0 || options.only.some((part) => text.includes(part));
const clients = testFiles('clients').filter((file) => isChosen(file));
// They share a lab and a browser.
const isConsole = (file) => relative(compiled, file).startsWith('e2e/console');
const consoles = testFiles('e2e').filter((file) => isConsole(file) && isChosen(file));
const groups = [
  ...(consoles.length > 0 ? [{ name: 'console', files: consoles }] : []),
  ...(clients.length > 0 ? [{ name: 'clients', files: clients }] : []),
  ...order.flatMap((folder) =>
    testFiles(folder)
      .filter((file) => !isConsole(file))
      .map((file) => ({ name: relative(compiled, file), files: [file] })),
  ),
  ...(units.length > 0 ? [{ name: 'unit', files: units }] : []),
].filter(({ name, files }) => isChosen(name) || files.some(isChosen));

const started = Date.now();
const results = [];

function run(group, index) {
  return new Promise((resolve) => {
    const report = join(scratch, `${index}.json`);
    const begin = Date.now();
    const child = spawn(
      process.execPath,
      [
        '--enable-source-maps',
        join(root, 'node_modules/mocha/bin/mocha.js'),
        '--reporter',
        join(root, 'scripts/test_reporter.cjs'),
        '--reporter-option',
        `output=${report}`,
        '--timeout',
        '120000',
        '--exit',
        ...group.files,
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('close', (status, signal) => {
      const seconds = (Date.now() - begin) / 1000;
      let outcome;
      try {
        outcome = JSON.parse(readFileSync(report, 'utf8'));
      } catch {
        outcome = { passed: [], failed: [], skipped: [], died: true };
      }
      if (outcome.died === true || (status !== 0 && outcome.failed.length === 0)) {
        outcome.failed.push({
          title: `${group.name} ended with ${signal ?? `status ${status}`}`,
          error: text.slice(-4000),
        });
      }
      results.push({ name: group.name, seconds, ...outcome });
      const counts = `${outcome.passed.length} passed, ${outcome.failed.length} failed${outcome.skipped.length > 0 ? `, ${outcome.skipped.length} skipped` : ''}`;
      process.stdout.write(
        `${outcome.failed.length > 0 ? 'FAIL' : ' ok '} ${group.name}: ${counts} (${seconds.toFixed(1)} s)\n`,
      );
      for (const line of outcome.notes ?? []) process.stdout.write(`       ${line}\n`);
      for (const failure of outcome.failed)
        process.stdout.write(`\n     ${failure.title}\n${failure.error.replace(/^/gm, '       ')}\n\n`);
      resolve();
    });
  });
}

const queue = groups.map((group, index) => () => run(group, index));
await Promise.all(
  Array.from({ length: Math.max(1, Number(options.jobs)) }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
  }),
);
rmSync(scratch, { recursive: true, force: true });

const total = (kind) => results.reduce((sum, result) => sum + result[kind].length, 0);
const skipped = new Map();
for (const { skipped: list } of results) {
  for (const { title, reason } of list) skipped.set(reason, [...(skipped.get(reason) ?? []), title]);
}
if (skipped.size > 0) process.stdout.write('\nSkipped:\n');
for (const [reason, titles] of skipped)
  process.stdout.write(`  ${reason}: ${titles.length}\n${titles.map((t) => `    ${t}\n`).join('')}`);
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));

const [passed, failed, skips] = [total('passed'), total('failed'), total('skipped')];
process.stdout.write(`\n${((Date.now() - started) / 1000).toFixed(0)} s in all\n`);
if (passed + failed === 0) process.stdout.write('no test ran\n');
process.stdout.write(`${passed} passed, ${failed} failed${skips > 0 ? `, ${skips} skipped` : ''}\n`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
