import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { labAccessKey } from '../../lab/aws_files.js';
import { demonstrate, type DemoStep } from '../../lab/demonstration.js';
import { parseLabFile } from '../../lab/lab_file.js';
import { runLab } from '../../lab/running_lab.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, command, type CommandContext, type CommonOptions } from './command_context.js';
import type { Output } from './output.js';

interface DemoOptions extends CommonOptions {
  readonly source: string;
  readonly destination: string;
  readonly keep?: boolean;
}

const SOURCE = 'us-east-1';
const DESTINATION = 'eu-west-1';

/** `keyferry demo`: a whole replication, step by step, in a lab of its own. */
export function demoCommand(_context: CommandContext): Command {
  const target = command(
    'demo',
    'replicate a multi-Region key between two regions in a lab of its own, show each step, and use the key in both',
    'keyferry demo\nkeyferry demo --destination nss',
  )
    .option('--source <module>', 'module of the first region’s token: softhsm2 or nss', 'softhsm2')
    .option('--destination <module>', 'module of the second region’s token', 'softhsm2')
    .option('--keep', 'leave the lab’s directory for a look at it');
  return act<DemoOptions>(target, async ({ output, options }) => {
    const startedMs = performance.now();
    const directory = new StateDirectory(mkdtempSync(join(tmpdir(), 'keyferry-demo-')));
    try {
      const lab = parseLabFile(labText(options), 'the demonstration’s lab file');
      const running = await runLab(directory, lab, { showStep: output.step });
      const stop = onSignal(() => running.stop());
      try {
        output.line(describeLab(running.summary.regions, { options, colours: output.colours }));
        const steps = await demonstrate({
          directory,
          endpoint: running.summary.endpoint,
          key: labAccessKey(directory, lab),
          source: SOURCE,
          destination: DESTINATION,
          show: (step) => output.line(describeStep(step, output.colours)),
        });
        const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
        output.result({ ok: true, seconds, steps }, (colours) =>
          [
            '',
            colours.green(`All ${steps.length} parts of the demonstration held (${seconds} s).`),
            'The key left one token and entered another only wrapped; the proxy carried it and could not read it.',
            ...(options.keep === true ? [`The lab’s files are in ${directory.root}`] : []),
          ].join('\n'),
        );
      } finally {
        stop.ignore();
        await running.stop();
      }
    } finally {
      if (options.keep !== true) rmSync(directory.root, { recursive: true, force: true });
    }
  });
}

/** Free ports, so that it runs beside any other lab. Written as YAML so that it goes through the same checks. */
function labText({ source, destination }: DemoOptions): string {
  const listen = '127.0.0.1:0';
  const region = (module: string): object => ({ listen, token: { module } });
  return JSON.stringify({
    endpoint: listen,
    proxy: { listen },
    regions: { [SOURCE]: region(source), [DESTINATION]: region(destination) },
  });
}

/** Ctrl-C in the middle of it stops the lab too. */
function onSignal(stop: () => Promise<void>): { ignore(): void } {
  const handler = (): void => {
    void stop().then(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, handler);
  return {
    ignore: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, handler);
    },
  };
}

function describeLab(
  regions: Readonly<Record<string, string>>,
  { options, colours }: { readonly options: DemoOptions; readonly colours: Output['colours'] },
): string {
  const modules: Readonly<Record<string, string>> = { [SOURCE]: options.source, [DESTINATION]: options.destination };
  const rows = Object.entries(regions).map(
    ([name, url]) => `  ${colours.bold(name)} at ${url}, token ${modules[name] ?? ''}`,
  );
  return [
    'Two regions, each with a token of its own, and a proxy between them that neither of them trusts:',
    ...rows,
  ].join('\n');
}

function describeStep({ title, facts }: DemoStep, colours: Output['colours']): string {
  const width = Math.max(...facts.map(([what]) => what.length));
  return [
    '',
    colours.bold(title),
    ...facts.map(([what, value]) => `  ${colours.dim(what.padEnd(width))}  ${value}`),
  ].join('\n');
}
