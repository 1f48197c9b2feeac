import { InvalidArgumentError, type Command } from 'commander';
import { askAdmin } from '../../lab/admin_client.js';
import { LabError } from '../../lab/errors.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, command, labCommand, type CommandContext, type CommonOptions } from './command_context.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `keyferry clock …`: the lab's time, which can be moved forward so that what takes days happens at once. */
export function clockCommand(_context: CommandContext): Command {
  const target = command('clock', 'the time of the lab, which can be moved forward', 'keyferry clock advance 30d');
  const advance = labCommand(
    'advance',
    'move the time of every region forward: expiry, deletion and rotation happen as if it had passed',
    'keyferry clock advance 30d',
  ).argument('<duration>', 'how far: a number and s, m, h or d', durationMs);
  act<CommonOptions & { readonly dir: string }>(advance, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir);
    const state = directory.readState();
    if (state === undefined || directory.lockHolder() === undefined) {
      throw new LabError('ERR_LAB_NOT_RUNNING', `No lab is running in ${directory.root}`, {
        remedy: 'start one with: keyferry up',
      });
    }
    const milliseconds = advance.processedArgs[0] as number;
    const offsets: Record<string, number> = {};
    for (const region of state.regions) {
      const body = { milliseconds };
      const answer = await askAdmin(directory.adminSocket(region), { method: 'POST', path: '/clock', body });
      offsets[region] = (answer as { offsetMs: number }).offsetMs;
    }
    output.result({ offsetMs: offsets }, () =>
      Object.entries(offsets)
        .map(([region, offsetMs]) => `${region}: ${new Date(Date.now() + offsetMs).toISOString()}`)
        .join('\n'),
    );
  });
  target.addCommand(advance);
  return target;
}

/** Milliseconds of `90s`, `15m`, `24h` or `30d`. */
function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  const milliseconds = Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  if (!(milliseconds > 0)) throw new InvalidArgumentError('A duration is a number and s, m, h or d.');
  return milliseconds;
}
