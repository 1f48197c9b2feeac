import { InvalidArgumentError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { LabError } from '../../lab/errors.js';
import { clockOffsetMs, RecordReader, type LabRecord, type RecordKind } from '../../lab/record_reader.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { labCommand, wholeNumberOption, type CommonOptions } from './command_context.js';
import { LinePrinter } from './line_printer.js';
import type { Output } from './output.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LAST_DEFAULT = 100;
const LAST_MAX = 100_000;

/** A time, or how long ago it was by the clock of each region. */
export type TimeBound = { readonly ms: number } | { readonly agoMs: number };

/** Options of every command that shows what regions have recorded. */
export interface RecordOptions extends CommonOptions {
  readonly dir: string;
  readonly region?: string;
  readonly key?: string;
  readonly since?: TimeBound;
  readonly until?: TimeBound;
  readonly last: number;
  readonly all?: boolean;
  readonly follow?: boolean;
}

/** A command with those options. */
export function recordCommand(name: string, description: string, example: string): Command {
  return labCommand(name, description, example)
    .option('--region <name>', 'what one region has recorded only')
    .option('--key <id>', 'one key only: its id, its ARN or an alias as it is written there')
    .option('--since <time>', 'from this time on: 2026-01-31T12:00:00Z, or 15m, 2h, 7d ago', timeBound)
    .option('--until <time>', 'up to this time', timeBound)
    .option('--last <n>', 'so many of the newest', lastOption, LAST_DEFAULT)
    .option('--all', 'everything that is kept')
    .option('--follow', 'go on with what happens from now on, until Ctrl-C');
}

/** How the records of a command are found and shown. */
export interface RecordView {
  readonly kind: RecordKind;
  /** Texts that are in the JSON of every record that is wanted. */
  readonly texts: readonly string[];
  matches(record: LabRecord): boolean;
  /** One line for people. */
  describe(record: LabRecord, colours: Output['colours']): string;
}

/**
 * Shows the records of a lab, all regions in the order of time.
 *
 * @throws {@link LabError} `ERR_LAB_NOT_RUNNING` where there never was a lab; `ERR_LAB_REQUEST` for a region that it has not
 */
export async function showRecords(view: RecordView, options: RecordOptions, output: Output): Promise<void> {
  const directory = new StateDirectory(options.dir);
  const regions = regionsOf(directory, options.region);
  const { since, until, key } = options;
  const startMs = new Map(regions.map((name) => [name, msOf(since, directory, name) ?? -Infinity]));
  const endMs = new Map(regions.map((name) => [name, msOf(until, directory, name) ?? Infinity]));
  const reader = new RecordReader(directory, {
    regions,
    kind: view.kind,
    filter: {
      texts: key === undefined ? view.texts : [...view.texts, JSON.stringify(key).slice(1, -1)],
      matches: (record) => {
        const { atMs, region } = record;
        if (atMs < (startMs.get(region) ?? 0) || atMs > (endMs.get(region) ?? 0)) return false;
        return view.matches(record);
      },
    },
  });
  const printer = new LinePrinter();
  const show = (records: readonly LabRecord[]): Promise<void> =>
    printer.print(
      records.map((record) =>
        output.isJson
          ? JSON.stringify({ ...record.value, region: record.region })
          : view.describe(record, output.colours),
      ),
    );
  try {
    if (options.all === true) {
      for await (const records of reader.all()) {
        await show(records);
        if (printer.signal.aborted) return;
      }
    } else {
      const { records, isCut } = await reader.last(options.last);
      if (isCut) output.note(output.colours.dim(`the last ${options.last} of more; --all shows everything`));
      await show(records);
    }
    if (options.follow !== true) return;
    for await (const records of reader.follow(printer.signal)) await show(records);
  } finally {
    printer.close();
  }
}

function regionsOf(directory: StateDirectory, only: string | undefined): readonly string[] {
  const state = directory.readState();
  if (state === undefined || !existsSync(directory.root)) {
    throw new LabError('ERR_LAB_NOT_RUNNING', `There is no lab in ${directory.root}`, {
      remedy: 'start one with: keyferry up',
    });
  }
  if (only === undefined) return state.regions;
  if (state.regions.includes(only)) return [only];
  throw new LabError('ERR_LAB_REQUEST', `The lab has no region ${only}`, {
    remedy: `choose one of ${state.regions.join(', ')}`,
  });
}

function msOf(bound: TimeBound | undefined, directory: StateDirectory, region: string): number | undefined {
  if (bound === undefined) return undefined;
  return 'ms' in bound ? bound.ms : Date.now() + clockOffsetMs(directory, region) - bound.agoMs;
}

/** Parser of an option that is a time, or how long ago one was. */
export function timeBound(text: string): TimeBound {
  const [, count, unit] = /^(\d{1,9})([smhd])$/u.exec(text) ?? [];
  if (unit !== undefined) return { agoMs: Number(count) * (UNIT_MS[unit] ?? 0) };
  const ms = /^\d{4}-/u.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('A time is written 2026-01-31T12:00:00Z, or 15m, 2h, 7d ago.');
  return { ms };
}

function lastOption(text: string): number {
  const last = wholeNumberOption(text);
  if (last < 1 || last > LAST_MAX) throw new InvalidArgumentError(`From 1 to ${LAST_MAX}; --all shows everything.`);
  return last;
}
