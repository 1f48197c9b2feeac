import type { Command } from 'commander';
import { followTrace } from '../../lab/trace_follow.js';
import { TraceFilter, TraceReader, type TraceEntry } from '../../lab/trace_reader.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import type { Output } from './output.js';
import { requireRegion, runningLab } from './running_lab.js';
import { describeEntry } from './trace_text.js';

interface TraceOptions extends CommonOptions {
  readonly dir: string;
  readonly follow?: boolean;
  readonly sid?: string;
  readonly keyId?: string;
  readonly region?: string;
}

/** `keyferry trace`: the messages of replications, decoded and verified, with what the tokens did in between. */
export function traceCommand(_context: CommandContext): Command {
  const target = labCommand(
    'trace',
    'show the messages of replications as they crossed the proxy, decoded and verified, and what the regions’ tokens did',
    'keyferry trace --follow\nkeyferry trace --key-id mrk-1234… --json',
  )
    .option('--follow', 'go on with what happens from now on, until Ctrl-C')
    .option('--sid <sid>', 'one session only')
    .option('--key-id <id>', 'one key only')
    .option('--region <name>', 'what happened in one region only, and the messages that it sent or got');
  return act<TraceOptions>(target, async ({ output, options }) => {
    const { directory, state } = runningLab(options.dir);
    const { region } = options;
    if (region !== undefined) requireRegion(state, region);
    const reader = new TraceReader(directory, state.regions);
    const filter = new TraceFilter({ sid: options.sid, keyId: options.keyId });
    const show = (entries: readonly TraceEntry[]): void => {
      filter.learn(entries);
      for (const entry of entries) if (filter.matches(entry) && isOf(entry, region)) print(entry, output);
    };
    show(await reader.read());
    if (options.follow === true) {
      await followTrace(reader, { regions: state.regions, show, signal: stopSignal(), isPatient: true });
    }
  });
}

function isOf(entry: TraceEntry, region: string | undefined): boolean {
  if (region === undefined) return true;
  if (entry.where === 'region') return entry.region === region;
  return entry.message?.issuer === region || entry.message?.destination === region;
}

/** Aborted by Ctrl-C. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

/** One line: JSON, or a text for people. */
function print(entry: TraceEntry, output: Output): void {
  if (!output.isJson) return output.line(describeEntry(entry, output.colours));
  process.stdout.write(`${JSON.stringify(entry, plain)}\n`);
}

/** What JSON has no form for: epochs and generations as decimal text, octets as base64url. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : value;
}
