import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ConfigError } from '../../errors.js';
import { KEYFERRY_BIN } from '../../lab/child_program.js';
import { LabError } from '../../lab/errors.js';
import { suiteGaps } from '../../lab/authority.js';
import { consoleLink } from '../../lab/console_link.js';
import { claimAddresses } from '../../lab/addresses.js';
import { defaultLab, parseLabFile, type Lab } from '../../lab/lab_file.js';
import { asProgramMessage } from '../../lab/program_message.js';
import { runLab, summaryOf, type LabSummary } from '../../lab/running_lab.js';
import { settleRestore } from '../../lab/restore_settlement.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { tell } from './long_running.js';
import { errorDocument, table, type Output } from './output.js';

interface UpOptions extends CommonOptions {
  readonly file?: string;
  readonly dir: string;
  readonly detach?: boolean;
}

/** The lab file that is used where it is there and none is named. */
const DEFAULT_FILE = 'lab.yaml';
/** Set for the process behind `--detach`: it reports to its parent and outlives it. */
const DETACHED = 'KEYFERRY_DETACHED';

/** `keyferry up`: runs a lab on this machine. */
export function upCommand(_context: CommandContext): Command {
  const target = labCommand(
    'up',
    'run a lab: regions, proxy and front door; makes tokens, keys and credentials at the first start',
    'keyferry up\nkeyferry up --file lab.yaml --dir ./lab --detach',
  )
    .option('-f, --file <file>', `lab file (default: ${DEFAULT_FILE} if it is there, else two regions on SoftHSM2)`)
    .option('-d, --detach', 'return as soon as the lab is ready, and leave it running');
  return act<UpOptions>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const lab = readLab(options.file);
    if (options.detach === true) {
      // What can be refused at once is refused here, where people see it.
      settleRestore(directory.root);
      directory.make(Object.keys(lab.regions));
      directory.lock()();
      await claimAddresses(lab);
      const summary = await output.step('starting the lab', () => detach(options, directory));
      const link = await loginLink(directory, summary);
      output.result(summary, (colours) => describe(summary, { directory, colours, lab, link }));
      return;
    }
    await runInForeground(directory, lab, output);
  });
}

function readLab(file: string | undefined): Lab {
  const name = file ?? DEFAULT_FILE;
  if (file === undefined && !existsSync(name)) return defaultLab();
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      'ERR_CONFIG_FILE',
      isAbsent ? `There is no file ${name}` : `${name} cannot be read: ${reason}`,
      {
        details: { file: name },
        cause: error,
      },
    );
  }
  return parseLabFile(text, name);
}

async function runInForeground(directory: StateDirectory, lab: Lab, output: Output): Promise<void> {
  const isDetached = process.env[DETACHED] !== undefined;
  // The regions, the proxy and the front door must not believe that they are detached too.
  delete process.env[DETACHED];
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  try {
    const starting = runLab(directory, lab, { showStep: output.step });
    const first = await Promise.race([starting, stopped]);
    // Told to stop in the middle of the start: it has to come to its end first, so that nothing is left half started.
    const running = first ?? (await starting);
    if (first !== undefined) {
      const { summary } = running;
      await tell({ kind: 'ready', url: summary.endpoint });
      if (!isDetached) {
        const link = await loginLink(directory, summary);
        output.result(summary, (colours) => describe(summary, { directory, colours, lab, link }));
        output.line(`\n${output.colours.dim('Ctrl-C stops the lab.')}`);
      }
      await stopped;
    }
    await output.step('stopping', () => running.stop());
  } catch (error) {
    const { message, remedy, details } = errorDocument(error);
    // The code of the program that failed says more than that one did.
    const code =
      typeof details['code'] === 'string' && details['code'] !== '' ? details['code'] : errorDocument(error).code;
    if (isDetached) await tell({ kind: 'failed', code, message, remedy });
    if (process.connected) process.disconnect();
    throw error;
  }
  if (process.connected) process.disconnect();
}

/** Starts the same command in a process that stays, and waits until the lab is ready. */
async function detach(options: UpOptions, directory: StateDirectory): Promise<LabSummary> {
  const log = directory.openLog('up');
  const args = [
    KEYFERRY_BIN,
    'up',
    '--dir',
    directory.root,
    ...(options.file === undefined ? [] : ['--file', options.file]),
  ];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, [DETACHED]: '1' },
  });
  closeSync(log);
  const outcome = await new Promise<ReturnType<typeof asProgramMessage>>((resolve) => {
    child.on('message', (value) => resolve(asProgramMessage(value)));
    child.once('exit', () => resolve(undefined));
  });
  if (outcome?.kind !== 'ready') {
    const reason = outcome?.message ?? `it ended early; read ${directory.log('up')}`;
    throw new LabError('ERR_LAB_PROGRAM', `The lab did not start: ${reason}`, {
      details: { code: outcome?.code ?? '', log: directory.log('up') },
      remedy: outcome?.remedy ?? null,
    });
  }
  child.disconnect();
  child.unref();
  const state = directory.readState();
  if (state === undefined) throw new LabError('ERR_LAB_NOT_RUNNING', `${directory.stateFile} is not there`);
  return summaryOf(directory, state);
}

/** A link to log in to the console; null where there is none. The lab runs without it, and `keyferry status` says what is wrong. */
async function loginLink(directory: StateDirectory, summary: LabSummary): Promise<string | null> {
  if (summary.console === null) return null;
  return consoleLink(directory, null).then(
    ({ url }) => url,
    () => null,
  );
}

function describe(
  summary: LabSummary,
  lab: {
    readonly directory: StateDirectory;
    readonly colours: Output['colours'];
    readonly lab: Lab;
    readonly link: string | null;
  },
): string {
  const { colours, directory } = lab;
  const rows = Object.entries(summary.regions).map(([name, url]) => [
    name,
    url,
    lab.lab.regions[name]?.token.module ?? '',
  ]);
  const inDirectory = directory.root === new StateDirectory('.keyferry').root ? '' : ` --dir ${directory.root}`;
  return [
    table([
      ['REGION', 'URL', 'TOKEN'].map((head) => colours.dim(head)),
      ...rows,
      ['all', colours.bold(summary.endpoint), ''],
    ]),
    ...seedLines(summary.seed, colours),
    ...suiteGaps(directory.authority).map((reason) => colours.yellow(`No replication: ${reason}`)),
    '',
    ...(lab.link === null ? [] : [`In a browser (the link works once, for ten minutes):  ${lab.link}`]),
    `To use it:  eval "$(npx keyferry env${inDirectory})" && aws --endpoint-url ${summary.endpoint} kms list-keys`,
  ].join('\n');
}

/** What became of the seed: how many keys, and whatever a person should know of one. */
function seedLines(seed: LabSummary['seed'], colours: Output['colours']): readonly string[] {
  if (seed.length === 0) return [];
  const made = seed.filter((key) => key.made).length;
  return [
    '',
    `Seed: ${made} keys made, ${seed.length - made} there already`,
    ...seed.flatMap(({ name, added, unchanged }) => [
      ...(added.length === 0 ? [] : [`  ${name}: added ${added.join(', ')}`]),
      ...unchanged.map((what) => colours.yellow(`  ${name}: not changed: ${what}`)),
    ]),
  ];
}
