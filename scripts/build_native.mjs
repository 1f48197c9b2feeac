/**
 * Compiles the native addon with the system's compiler; only what changed.
 *
 *     node scripts/build_native.mjs                 build/keyferry.node and the test and bench programs beside it
 *     node scripts/build_native.mjs --asan          build/asan/keyferry.node and build/asan/job_driver, under AddressSanitizer
 *
 * Nothing is downloaded: the headers come from packages that are installed.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const asan = process.argv.includes('--asan');
const outDirectory = join(root, 'build', ...(asan ? ['asan'] : []));
const objectDirectory = join(outDirectory, 'objects');
const compiler = process.env.CXX ?? 'g++';

const flags = [
  '-std=c++20',
  ...(asan ? ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'] : ['-O2', '-g1']),
  '-fno-omit-frame-pointer',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fstack-protector-strong',
  '-D_GNU_SOURCE',
  ...(asan ? [] : ['-D_FORTIFY_SOURCE=2']),
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNAPI_VERSION=8',
  '-Wall',
  '-Wextra',
  '-Werror',
  ...[
    'node_modules/node-addon-api',
    'node_modules/node-api-headers/include',
    'node_modules/pkcs11js/includes/pkcs11',
  ].flatMap((directory) => ['-isystem', join(root, directory)]),
  '-I',
  join(root, 'native/src'),
];
const linkFlags = [...(asan ? ['-fsanitize=address,undefined'] : []), '-pthread', '-ldl', '-Wl,-z,relro,-z,now'];

const nodeOnly = new Set(['addon.cc', 'addon_material.cc', 'addon_session.cc', 'executor_host.cc']);
const sources = readdirSync(join(root, 'native/src')).filter((name) => name.endsWith('.cc'));
const engine = sources.filter((name) => !nodeOnly.has(name)).map((name) => join('native/src', name));
/** What the driver of the validation has in common with the addon. */
const driverEngine = ['module_table.cc', 'pin_source.cc', 'secret_bytes.cc'].map((name) => join('native/src', name));
const addon = sources.map((name) => join('native/src', name));

/** What is built: shared libraries and programs, each from its sources. */
const targets = [
  { file: 'keyferry.node', sources: addon, shared: true },
  ...(asan ? [] : [{ file: 'libkeyferry_shim.so', sources: directorySources('native/test/shim'), shared: true }]),
  ...(asan ? [] : [{ file: 'c_loop', sources: directorySources('native/bench'), shared: false }]),
  ...(asan
    ? []
    : [
        {
          file: 'validation_driver',
          sources: [...driverEngine, ...directorySources('native/validate')],
          shared: false,
        },
      ]),
  { file: 'job_driver', sources: [...engine, ...directorySources('native/test')], shared: false },
].filter(
  (target) => target.sources.length > 0 && (target.shared || target.sources.some((file) => !engine.includes(file))),
);

function directorySources(directory) {
  return existsSync(join(root, directory))
    ? readdirSync(join(root, directory))
        .filter((name) => name.endsWith('.cc'))
        .map((name) => join(directory, name))
    : [];
}

function modified(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

/** When a header that a source may include was last changed: those of the addon, and those beside it. */
function newestHeader(source) {
  const headers = ['native/src', dirname(source)].flatMap((directory) =>
    readdirSync(join(root, directory))
      .filter((name) => name.endsWith('.h'))
      .map((name) => join(root, directory, name)),
  );
  return Math.max(0, ...headers.map(modified));
}

async function compile(command) {
  try {
    await run(compiler, command, { cwd: root, maxBuffer: 16 << 20 });
  } catch (error) {
    process.stderr.write(`${error.stderr ?? error.message}\n`);
    if (error.code === 'ENOENT')
      process.stderr.write(`there is no C++ compiler "${compiler}": install g++ 12 or newer\n`);
    process.exit(1);
  }
}

/** Writes to a name of its own and renames: a process that has the old file loaded keeps it. */
async function produce(file, command) {
  const temporary = `${file}.${process.pid}`;
  await compile([...command, '-o', temporary]);
  renameSync(temporary, file);
}

mkdirSync(objectDirectory, { recursive: true });
const flagsFile = join(outDirectory, 'flags.txt');
const flagsText = [compiler, ...flags, ...linkFlags].join('\n');
const flagsChanged = !existsSync(flagsFile) || readFileSync(flagsFile, 'utf8') !== flagsText;
const objectOf = (source) => join(objectDirectory, `${basename(dirname(source))}_${basename(source, '.cc')}.o`);

const stale = [...new Set(targets.flatMap((target) => target.sources))].filter(
  (source) => flagsChanged || modified(objectOf(source)) < Math.max(modified(join(root, source)), newestHeader(source)),
);
const waiting = [...stale];
await Promise.all(
  [1, 2].map(async () => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
      await produce(objectOf(source), [...flags, '-c', source]);
    }
  }),
);

let built = 0;
for (const target of targets) {
  const file = join(outDirectory, target.file);
  const objects = target.sources.map(objectOf);
  if (!flagsChanged && modified(file) >= Math.max(...objects.map(modified))) continue;
  await produce(file, [...objects, ...(target.shared ? ['-shared'] : []), ...linkFlags]);
  built += 1;
}
writeFileSync(flagsFile, flagsText);
process.stdout.write(
  built === 0 ? 'native: nothing to do\n' : `native: ${built} of ${targets.length} built in ${outDirectory}\n`,
);
