import type { Command } from 'commander';
import { describeKeyEvent, namesKey } from './audit_text.js';
import { act, type CommandContext } from './command_context.js';
import { recordCommand, showRecords, type RecordOptions } from './record_options.js';

/** `keyferry events`: what happened to keys by itself, as Amazon EventBridge would tell it. */
export function eventsCommand(_context: CommandContext): Command {
  const target = recordCommand(
    'events',
    'show the events of keys in every region: rotations, expired material, deletions',
    'keyferry events --follow\nkeyferry events --follow --json | jq .detail',
  );
  return act<RecordOptions>(target, async ({ output, options }) => {
    const { key } = options;
    await showRecords(
      {
        kind: 'events',
        texts: [],
        matches: ({ value }) => key === undefined || namesKey(value, key),
        describe: describeKeyEvent,
      },
      options,
      output,
    );
  });
}
