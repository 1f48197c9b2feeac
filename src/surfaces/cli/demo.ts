import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { labAccessKey } from '../../lab/aws_files.js';
import type { DemoFact } from '../../lab/demo_script.js';
import type { StoryTeller } from '../../lab/demo_story.js';
import { demonstrate } from '../../lab/demonstration.js';
import { LabError } from '../../lab/errors.js';
import { MANAGED_MODULES, parseLabFile } from '../../lab/lab_file.js';
import { runLab } from '../../lab/running_lab.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, command, type CommandContext, type CommonOptions } from './command_context.js';
import type { Output } from './output.js';

interface DemoOptions extends CommonOptions {
  /** Modules of the two regions' tokens. */
  readonly tokens: readonly [string, string];
  readonly keep?: boolean;
}

/** A part of the story as `--json` prints it. */
interface ToldPart {
  readonly title: string;
  readonly facts: DemoFact[];
}

const SOURCE = 'us-east-1';
const DESTINATION = 'eu-west-1';
/** Columns for what a fact is about: the longest is a message between the two regions. */
const ABOUT_COLUMNS = 24;

/** `keyferry demo`: a whole replication, told while it happens, in a lab of its own. */
export function demoCommand(_context: CommandContext): Command {
  const target = command(
    'demo',
    'replicate a multi-Region key between two regions in a lab of its own, tell each step as it happens, and use the key in both',
    'keyferry demo\nkeyferry demo --tokens softhsm2,nss',
  )
    .option('--tokens <modules>', 'the two regions’ tokens: softhsm2 or nss', twoModules, ['softhsm2', 'softhsm2'])
    .option('--keep', 'leave the lab’s directory for a look at it');
  return act<DemoOptions>(target, async ({ output, options }) => {
    const startedMs = performance.now();
    const directory = new StateDirectory(mkdtempSync(join(tmpdir(), 'keyferry-demo-')));
    const interruption = onInterruption();
    try {
      const parts = await demonstrateIn(directory, { output, options, signal: interruption.signal });
      const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
      output.result({ ok: true, seconds, steps: parts }, (colours) =>
        [
          '',
          colours.green(`All ${parts.length} parts of the demonstration held (${seconds} s).`),
          'The key left one token and entered another only wrapped; the proxy carried it and could not read it.',
          ...(options.keep === true ? [`The lab’s files are in ${directory.root}`] : []),
        ].join('\n'),
      );
    } finally {
      interruption.ignore();
      if (options.keep !== true) rmSync(directory.root, { recursive: true, force: true });
    }
  });
}

async function demonstrateIn(
  directory: StateDirectory,
  run: { readonly output: Output; readonly options: DemoOptions; readonly signal: AbortSignal },
): Promise<readonly ToldPart[]> {
  const { output, options, signal } = run;
  const lab = parseLabFile(labText(options), 'the demonstration’s lab file');
  const running = await runLab(directory, lab, { showStep: output.step, signal });
  try {
    output.line(describeLab(running.summary.regions, { options, colours: output.colours }));
    const parts: ToldPart[] = [];
    await demonstrate({
      directory,
      endpoint: running.summary.endpoint,
      key: labAccessKey(directory, lab),
      source: SOURCE,
      destination: DESTINATION,
      teller: tellerOf(output, parts),
      signal,
    });
    return parts;
  } catch (error) {
    throw asFailureOfDemo(error);
  } finally {
    await running.stop();
  }
}

/** A failure in the middle: its lab is gone when people read of it, so what they can do is to keep the next one. */
function asFailureOfDemo(error: unknown): unknown {
  if (!(error instanceof LabError) || error.code === 'ERR_LAB_INTERRUPTED') return error;
  return new LabError('ERR_LAB_STEP', `The demonstration failed: ${error.message}`, {
    details: error.details,
    cause: error,
    remedy: 'keyferry demo --keep leaves the directory of its lab, with the log of every program',
  });
}

/** Prints what is told at once, and keeps it for `--json`. */
function tellerOf(output: Output, parts: ToldPart[]): StoryTeller {
  const { colours } = output;
  return {
    title: (title) => {
      parts.push({ title, facts: [] });
      output.line(`\n${colours.bold(title)}`);
    },
    fact: (fact) => {
      parts.at(-1)?.facts.push(fact);
      output.line(`  ${colours.dim(fact.about.padEnd(ABOUT_COLUMNS))}  ${fact.text}`);
    },
  };
}

/** Free ports, so that it runs beside any other lab. Written as YAML so that it goes through the same checks. */
function labText({ tokens }: DemoOptions): string {
  const listen = '127.0.0.1:0';
  const region = (module: string): object => ({ listen, token: { module } });
  return JSON.stringify({
    endpoint: listen,
    proxy: { listen },
    regions: { [SOURCE]: region(tokens[0]), [DESTINATION]: region(tokens[1]) },
  });
}

function twoModules(text: string): readonly [string, string] {
  const [first, second, ...more] = text.split(',').map((module) => module.trim());
  const isKnown = (module: string | undefined): module is string =>
    (MANAGED_MODULES as readonly (string | undefined)[]).includes(module);
  if (!isKnown(first) || !isKnown(second) || more.length > 0) {
    throw new InvalidArgumentError(`Two of ${MANAGED_MODULES.join(' and ')}, with a comma between them.`);
  }
  return [first, second];
}

/** Ctrl-C in the middle of it ends it as an error does: the lab stops and its directory is removed. A second one ends it at once. */
function onInterruption(): { readonly signal: AbortSignal; ignore(): void } {
  const controller = new AbortController();
  const handler = (): void =>
    controller.abort(new LabError('ERR_LAB_INTERRUPTED', 'The demonstration was told to stop'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, handler);
  return {
    signal: controller.signal,
    ignore: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, handler);
    },
  };
}

function describeLab(
  regions: Readonly<Record<string, string>>,
  { options, colours }: { readonly options: DemoOptions; readonly colours: Output['colours'] },
): string {
  const rows = Object.entries(regions).map(
    ([name, url], index) => `  ${colours.bold(name)} at ${url}, token ${options.tokens[index] ?? ''}`,
  );
  return [
    'Two regions, each with a token of its own, and a proxy between them that neither of them trusts:',
    ...rows,
  ].join('\n');
}
