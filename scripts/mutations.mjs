// Changes import tokens, wrapped material and requests at random, and sends them to regions on every token.
// Needs a build: `npx tsc -p .`
//   node scripts/mutations.mjs [--seed N] [--count N] [--token softhsm2|nss]...
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    count: { type: 'string', default: '10000' },
    token: { type: 'string', multiple: true, default: ['softhsm2', 'nss'] },
  },
});
const seed = Number(values.seed);
const count = Number(values.count);
const areKnown = values.token.every((kind) => kind === 'softhsm2' || kind === 'nss');
if (!Number.isSafeInteger(seed) || seed < 0 || !Number.isSafeInteger(count) || count < 1 || !areKnown) {
  console.error('--seed and --count are integers, the count at least 1; --token is softhsm2 or nss');
  process.exit(2);
}

const load = (name) =>
  import(`../dist/test/support/${name}.js`).catch(() => {
    console.error('nothing is built: run `npx tsc -p .` first');
    process.exit(2);
  });
const { ImportMutations, MUTATION_KINDS } = await load('import_mutations');
const { importsOf, makeRegionFixture } = await load('region_fixture');
const { makeRegionToken } = await load('region_token');
const { countObjects } = await load('lab_token');
const { ACCOUNT, ROOT } = await load('software_region');

console.log(`${count} cases of each kind on each token, seed ${seed}`);
let failed = false;
for (const kind of values.token) {
  const token = await makeRegionToken(kind);
  const region = await makeRegionFixture({ hsm: token.hsm, imports: importsOf(token) });
  // What a disk keeps after a power cut is not in question here, and its waits are long.
  region.database.prepare('PRAGMA synchronous = OFF').all();
  const mutations = await ImportMutations.prepare(
    { region: region.region, caller: { principal: ROOT, account: ACCOUNT } },
    seed,
  );
  const objects = JSON.stringify(await countObjects(token));
  for (const what of MUTATION_KINDS) {
    const started = performance.now();
    const seconds = () => ((performance.now() - started) / 1000).toFixed(0);
    try {
      const tally = await mutations.run(what, count, (done) => {
        if (done % 100 === 0 && process.stderr.isTTY) process.stderr.write(`\r${kind}: ${done} ${what}   `);
        else if (done % 2500 === 0) console.error(`${kind}: ${done} ${what} after ${seconds()} s`);
      });
      const outcomes = Object.entries(tally).map(([name, cases]) => `${cases} ${name}`);
      console.log(`${kind}: ${count} ${what} in ${seconds()} s: ${outcomes.join(', ')}`);
    } catch (error) {
      failed = true;
      console.error(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const left = JSON.stringify(await countObjects(token));
  if (left !== objects) {
    failed = true;
    console.error(`${kind}: objects in the token ${objects} before, ${left} after`);
  }
  await region.close();
  await token.close();
}
if (failed) console.error(`repeat with: node scripts/mutations.mjs --seed ${seed} --count ${count}`);
process.exit(failed ? 1 : 0);
