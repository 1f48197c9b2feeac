/**
 * Runs the job engine without Node under a checker, on SoftHSM2 and NSS softoken, and fails on any finding.
 *
 *     node scripts/native_check.mjs --asan [--jobs N]       AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
 *     node scripts/native_check.mjs --valgrind [--jobs N]   memcheck with a full leak check
 *
 * N jobs of every kind, failing ones among them, 100,000 when it is not given; under valgrind SoftHSM2 gets a twentieth of
 * them, because it takes ten milliseconds for each there. Then mutated programs, which must never be read beyond their end. With --asan
 * last the addon in Node: the tests of imports (octets outside the token among them), of tokens that make
 * the IV, of a customer's material and of the job engine.
 * Needs `npm run build`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: { asan: { type: 'boolean' }, valgrind: { type: 'boolean' }, jobs: { type: 'string', default: '100000' } },
});
const jobs = Number(values.jobs);
if (values.asan === values.valgrind || !Number.isInteger(jobs) || jobs < 1) {
  process.stderr.write('usage: node scripts/native_check.mjs --asan|--valgrind [--jobs N]\n');
  process.exit(2);
}

const PROGRAMS = 200_000;
const VALGRIND_SOFTHSM_SHARE = 20;
/** Tests that run native code which the driver does not reach. */
const ADDON_TESTS = ['executor_steps', 'hsm_import', 'hsm_import_pkcs8', 'hsm_token_iv', 'customer_material'];
const token = (name) => import(join(root, 'dist/src/token', `${name}.js`));

/** Runs a command to its end; its exit status. */
async function run(command, args, environment = {}) {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  child.on('error', (error) => {
    process.stderr.write(`${command}: ${error.message}\n`);
  });
  const [status, signal] = await once(child, 'close');
  return signal === null ? status : 1;
}

/** A fresh token and what the driver has to be told about it. */
async function makeToken(kind, directory) {
  const { prepareTokenDirectory } = await token('token_directory');
  const { TokenModule } = await token('module');
  const { generatePinFile } = await token('native');
  const { initialiseToken } = await token('token_initialisation');
  const settings = prepareTokenDirectory(kind, join(directory, kind), 'native check');
  const userPinFile = join(directory, `${kind}.user.pin`);
  const soPinFile = join(directory, `${kind}.so.pin`);
  for (const path of [userPinFile, soPinFile]) generatePinFile(path);
  const module = TokenModule.load(kind);
  module.initialise(settings);
  const fresh = module.slots().find((slot) => !slot.token().isInitialised);
  const slot = await initialiseToken(module, {
    slotId: fresh.slotId,
    label: 'native check',
    soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: soPinFile },
    userPin: { kind: 'file', path: userPinFile },
  });
  module.close();
  return {
    environment: settings.environment ?? {},
    arguments: [module.path, settings.libraryParameters ?? '', String(slot.slotId), userPinFile],
  };
}

/** Path of a sanitizer's library, which must be there before Node is. */
function runtime(name) {
  const file = execFileSync(process.env.CXX ?? 'g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  return realpathSync(file);
}

/** Leaks that the addon's own code made. Node, and the modules of tokens, keep some memory until the process ends. */
function ownLeaks(report) {
  return report
    .split(/\n(?=(?:Direct|Indirect) leak of)/)
    .filter((leak) => /^(Direct|Indirect) leak of/.test(leak))
    .filter((leak) => /#[0-5] 0x[0-9a-f]+ .*(native\/src\/|asan\/keyferry\.node)/.test(leak));
}

/** Runs the addon's tests in Node under the sanitizer; the number of files with findings. */
async function checkAddon(directory) {
  let findings = 0;
  for (const name of ADDON_TESTS) {
    process.stdout.write(`asan addon ${name}: `);
    const log = join(directory, name);
    const mocha = join(root, 'node_modules/mocha/bin/mocha.js');
    const file = join(root, `dist/test/token/${name}.test.js`);
    // A test that waits for a token waits longer here.
    const status = await run(process.execPath, [mocha, '--reporter', 'dot', '--timeout', '600000', file], {
      KEYFERRY_NATIVE_VARIANT: 'asan',
      KEYFERRY_DEEPBIND: 'off',
      LD_PRELOAD: `${runtime('libasan.so')} ${runtime('libubsan.so')}`,
      ASAN_OPTIONS: `detect_leaks=1:halt_on_error=1:detect_odr_violation=0:log_path=${log}.report`,
      LSAN_OPTIONS: 'exitcode=0:print_suppressions=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    });
    const reports = readdirSync(directory).filter((entry) => entry.startsWith(`${name}.report`));
    const text = reports.map((entry) => readFileSync(join(directory, entry), 'utf8')).join('\n');
    const leaks = ownLeaks(text);
    const isQuiet = status === 0 && leaks.length === 0 && !/ERROR: AddressSanitizer|runtime error:/.test(text);
    if (isQuiet) continue;
    findings += 1;
    process.stdout.write(`exit status ${status}, ${leaks.length} leaks\n${leaks.join('\n') || text}\n`);
  }
  return findings;
}

const built = await run(process.execPath, [join(root, 'scripts/build_native.mjs'), ...(values.asan ? ['--asan'] : [])]);
if (built !== 0) process.exit(built);
const driver = join(root, 'build', ...(values.asan ? ['asan'] : []), 'job_driver');
const checker = values.valgrind
  ? ['valgrind', '--quiet', '--leak-check=full', '--errors-for-leak-kinds=definite,possible', '--error-exitcode=9']
  : [];
// Sanitizers refuse deep binding; without Node there is nothing to be bound to by mistake.
const checks = values.asan
  ? { KEYFERRY_DEEPBIND: 'off', ASAN_OPTIONS: 'detect_leaks=1:halt_on_error=1', UBSAN_OPTIONS: 'print_stacktrace=1' }
  : {};

const directory = mkdtempSync(join(tmpdir(), 'keyferry-native-check-'));
let failures = 0;
try {
  for (const kind of ['softhsm2', 'nss']) {
    const share = values.valgrind && kind === 'softhsm2' ? VALGRIND_SOFTHSM_SHARE : 1;
    const count = Math.max(1, Math.round(jobs / share));
    const { environment, arguments: place } = await makeToken(kind, directory);
    for (const [amount, what] of [
      [count, 'mixed'],
      ...(kind === 'softhsm2' ? [[values.valgrind ? PROGRAMS / 10 : PROGRAMS, 'fuzz']] : []),
    ]) {
      process.stdout.write(`${values.asan ? 'asan' : 'valgrind'} ${kind} ${what} ${amount}: `);
      const [command, ...args] = [...checker, driver, ...place, String(amount), what];
      const status = await run(command, args, { ...environment, ...checks });
      if (status !== 0) process.stdout.write(`exit status ${status}\n`);
      failures += status === 0 ? 0 : 1;
    }
  }
  if (values.asan) failures += await checkAddon(directory);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(failures === 0 ? 'no findings\n' : `${failures} runs with findings\n`);
process.exitCode = failures === 0 ? 0 : 1;
