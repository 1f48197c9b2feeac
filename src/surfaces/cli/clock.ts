import { InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';
import { askAdmin } from '../../lab/admin_client.js';
import { act, command, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { table } from './output.js';
import { runningLab } from './running_lab.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const reading = z.object({ now: z.string(), offsetMs: z.int().nonnegative() });

type AdminRequest = Parameters<typeof askAdmin>[1];

/** What each region's clock shows, by region. */
type Readings = Readonly<Record<string, z.infer<typeof reading>>>;

/** `keyferry clock …`: the lab's time, which can be moved forward so that what takes days happens at once. */
export function clockCommand(_context: CommandContext): Command {
  const target = command('clock', 'the time of the lab, which can be moved forward', 'keyferry clock advance 30d');
  const show = labCommand('show', 'the time of every region, and how far it was moved', 'keyferry clock show');
  const advance = labCommand(
    'advance',
    'move the time of every region forward: expiry, deletion and rotation happen as if it had passed',
    'keyferry clock advance 30d',
  ).argument('<duration>', 'how far: a number and s, m, h or d', durationMs);
  const reset = labCommand(
    'reset',
    'go back to the machine’s time; what has expired or was deleted meanwhile stays so',
    'keyferry clock reset',
  );
  const asks: readonly (readonly [Command, () => AdminRequest])[] = [
    [show, () => ({ method: 'GET', path: '/clock' })],
    [advance, () => ({ method: 'POST', path: '/clock', body: { milliseconds: advance.processedArgs[0] as number } })],
    [reset, () => ({ method: 'DELETE', path: '/clock' })],
  ];
  for (const [member, request] of asks) {
    act<CommonOptions & { readonly dir: string }>(member, async ({ output, options }) => {
      const readings = await askRegions(options.dir, request());
      const offsetMs = Object.fromEntries(Object.entries(readings).map(([region, { offsetMs: ms }]) => [region, ms]));
      const now = Object.fromEntries(Object.entries(readings).map(([region, { now: text }]) => [region, text]));
      output.result({ offsetMs, now }, () => describe(readings));
    });
    target.addCommand(member);
  }
  return target;
}

/** Asks one region after the other: they share nothing, and a lab has a few. */
async function askRegions(dir: string, request: AdminRequest): Promise<Readings> {
  const { directory, state } = runningLab(dir);
  const readings: Record<string, z.infer<typeof reading>> = {};
  for (const region of state.regions) {
    readings[region] = reading.parse(await askAdmin(directory.adminSocket(region), request));
  }
  return readings;
}

function describe(readings: Readings): string {
  return table([
    ['REGION', 'TIME', 'OFFSET'],
    ...Object.entries(readings).map(([region, { now, offsetMs }]) => [region, now, `+${durationText(offsetMs)}`]),
  ]);
}

/** `2d 3h 0m 10s`, the largest unit first; `0s` for nothing. */
function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, unitMs] of Object.entries(UNIT_MS).toReversed()) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

/** Milliseconds of `90s`, `15m`, `24h` or `30d`. */
function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  const milliseconds = Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  if (!(milliseconds > 0)) throw new InvalidArgumentError('A duration is a number and s, m, h or d.');
  return milliseconds;
}
