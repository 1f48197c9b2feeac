// Sends requests that nobody would write to an AWS endpoint over a token double: no 500, no crash, no growth. Needs a build.
//   node scripts/fuzz_aws.mjs [--seed N] [--count N]
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, count: { type: 'string', default: '100000' } },
});
const seed = Number(values.seed);
const count = Number(values.count);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(count) || seed < 0 || count < 1) {
  console.error('--seed and --count are integers, the count at least 1');
  process.exit(2);
}
const { EndpointFuzz } = await import('../dist/test/support/endpoint_fuzz.js').catch((error) => {
  console.error(`nothing is built: run \`npx tsc -p .\` first (${error.message})`);
  process.exit(2);
});

/** Octets that a run may leave behind: code that was compiled, and keys that were made. */
const HEAP_GROWTH_MAX = 32 * 1024 * 1024;
const fuzz = await EndpointFuzz.open(seed);
// What is compiled and cached once is no growth.
const warm = await fuzz.run(Math.min(5000, count));
const started = performance.now();
const { findings, statuses, exceptions, heapGrowthBytes } = await fuzz.run(count, (done) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${count}`);
});
await fuzz.close();
if (process.stderr.isTTY) process.stderr.write('\r');
const shown = (counts) =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ');
const seconds = (performance.now() - started) / 1000;
console.log(`${count} requests in ${seconds.toFixed(0)} s, seed ${seed}`);
console.log(`statuses (0: closed without an answer): ${shown(statuses)}`);
console.log(`exceptions: ${shown(exceptions)}`);
console.log(`heap in use: ${(heapGrowthBytes / 1024 / 1024).toFixed(1)} MiB more than before`);
for (const finding of [...warm.findings, ...findings]) console.error(`\n${finding}`);
if (warm.findings.length + findings.length > 0 || heapGrowthBytes > HEAP_GROWTH_MAX) process.exit(1);
