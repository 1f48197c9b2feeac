// Runs the simulation of the replication protocol for as many seeds as wanted. Needs a build: `npx tsc -p .`
//   node scripts/simulate.mjs [--seed FIRST] [--count N]
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, count: { type: 'string', default: '100000' } },
});
const first = Number(values.seed);
const count = Number(values.count);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || first < 0 || count < 1) {
  console.error('--seed and --count are integers, the count at least 1');
  process.exit(2);
}

const { createSetting, Simulation } = await import('../dist/test/support/simulation.js').catch(() => {
  console.error('nothing is built: run `npx tsc -p .` first');
  process.exit(2);
});

const simulation = new Simulation(await createSetting());
const started = performance.now();
const seconds = () => (performance.now() - started) / 1000;
const boundaries = new Set();
let crashes = 0;
let sessions = 0;
for (let index = 0; index < count; index += 1) {
  const result = await simulation.run(first + index);
  crashes += result.crashes;
  sessions += result.sessions;
  for (const boundary of result.boundaries) boundaries.add(boundary);
  if (result.violation !== null) {
    console.error(`\nseed ${result.seed}: ${result.violation}`);
    for (const event of result.events) console.error(`  ${event}`);
    console.error(`repeat with: node scripts/simulate.mjs --seed ${result.seed} --count 1`);
    process.exit(1);
  }
  const done = index + 1;
  if (done % 500 === 0 && process.stderr.isTTY) {
    const left = ((count - done) * seconds()) / done;
    process.stderr.write(
      `\r${done} of ${count} schedules, ${crashes} crashes, about ${Math.ceil(left / 60)} min left   `,
    );
  } else if (done % 10_000 === 0) console.error(`${done} of ${count} schedules after ${seconds().toFixed(0)} s`);
}
console.log(
  `\n${count} schedules from seed ${first} in ${seconds().toFixed(0)} s: every invariant held; ${sessions} sessions, ${crashes} crashes at ${boundaries.size} boundaries`,
);
