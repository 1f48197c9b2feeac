import type { Command } from 'commander';
import { askAdmin } from '../../lab/admin_client.js';
import { isRunning } from '../../lab/process_identity.js';
import { StateDirectory, type LabState, type ProgramState } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { table, type Output } from './output.js';

/** `keyferry status`: which programs run, and what each region says of itself. */
export function statusCommand(_context: CommandContext): Command {
  const target = labCommand(
    'status',
    'show the programs of the lab, its regions, their tokens and what waits at the proxy',
    'keyferry status --json',
  );
  return act<CommonOptions & { readonly dir: string }>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const state = directory.readState();
    const isUp = directory.lockHolder() !== undefined && state !== undefined;
    if (state === undefined || !isUp) {
      output.result({ running: false, directory: directory.root }, () => `No lab is running in ${directory.root}.`);
      return;
    }
    const programs = Object.fromEntries(
      Object.entries(state.programs).map(([name, program]) => [name, presentState(program)]),
    );
    const [proxy, ...regions] = await Promise.all([
      statusOf(directory.adminSocket()),
      ...state.regions.map((name) => statusOf(directory.adminSocket(name))),
    ]);
    const report = {
      running: true,
      directory: directory.root,
      endpoint: state.endpoint,
      partition: state.partition,
      account: state.account,
      profile: state.profile,
      programs,
      proxy,
      regions: Object.fromEntries(state.regions.map((name, index) => [name, regions[index]])),
    };
    output.result(report, (colours) => describe(state, { programs, regions: report.regions, proxy }, colours));
  });
}

/** What a program says of itself, or why it does not. */
async function statusOf(socket: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await askAdmin(socket, { method: 'GET', path: '/status', signal: AbortSignal.timeout(5_000) })) as Record<
      string,
      unknown
    >;
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

/** A state that was written before its process died is not the state any more. */
function presentState(program: ProgramState): ProgramState {
  if (program.process === null || isRunning(program.process)) return program;
  return { ...program, state: 'ended', process: null };
}

interface Found {
  readonly programs: Readonly<Record<string, ProgramState>>;
  readonly regions: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  readonly proxy: Readonly<Record<string, unknown>> | undefined;
}

function describe(state: LabState, found: Found, colours: Output['colours']): string {
  const paint = (text: string): string => (text === 'running' ? colours.green(text) : colours.red(text));
  const programs = table([
    ['PROGRAM', 'STATE', 'PROCESS', 'RESTARTS', 'URL'],
    ...Object.entries(found.programs).map(([name, program]) => [
      name,
      paint(program.state),
      String(program.process?.pid ?? '-'),
      String(program.restarts),
      program.url,
    ]),
  ]);
  const lines = [
    `endpoint ${colours.bold(state.endpoint)}, partition ${state.partition}, account ${state.account}`,
    '',
  ];
  if (state.profile === 'seed') {
    lines.push(
      colours.red('profile seed: the five steps alone, without the protections; never use it for keys that matter'),
      '',
    );
  }
  lines.push(programs);
  for (const [name, status] of [['proxy', found.proxy] as const, ...Object.entries(found.regions)]) {
    lines.push('', colours.bold(name), ...facts(status ?? {}).map(([key, value]) => `  ${colours.dim(key)} ${value}`));
  }
  return lines.join('\n');
}

/** Members and what they say, nesting written with dots; what a token lacks is for `keyferry token profile` to explain. */
function facts(value: Readonly<Record<string, unknown>>, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, member]): [string, string][] => {
    const name = `${prefix}${key}`;
    if (Array.isArray(member)) return [[name, member.length === 0 ? '-' : member.map(itemText).join(', ')]];
    if (typeof member === 'object' && member !== null) return facts(member as Record<string, unknown>, `${name}.`);
    return [[name, itemText(member)]];
  });
}

function itemText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '-';
  const { strategy } = value as { strategy?: unknown };
  return typeof strategy === 'string'
    ? strategy
    : facts(value as Record<string, unknown>)
        .map(([name, text]) => `${name} ${text}`)
        .join(' ');
}
