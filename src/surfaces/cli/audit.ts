import type { Command } from 'commander';
import { describeSecurity, describeTrail, isError, namesKey } from './audit_text.js';
import { act, type CommandContext } from './command_context.js';
import { recordCommand, showRecords, type RecordOptions } from './record_options.js';

interface AuditOptions extends RecordOptions {
  readonly event?: string;
  readonly errors?: boolean;
  readonly security?: boolean;
}

/** `keyferry audit`: the audit trails of all regions, as CloudTrail would show them, or what replication has refused. */
export function auditCommand(_context: CommandContext): Command {
  const target = recordCommand(
    'audit',
    'show what was called in every region, by whom, and what the regions did by themselves',
    'keyferry audit --errors --since 1h\nkeyferry audit --key mrk-1234… --follow\nkeyferry audit --event Decrypt --all --json | jq .userIdentity.arn\nkeyferry audit --security',
  )
    .option('--event <name>', 'one operation or service event only, for example Decrypt; with --security, one code')
    .option('--errors', 'what was refused or failed only')
    .option('--security', 'the security audit instead: what replication refused, and why');
  return act<AuditOptions>(target, async ({ output, options }) => {
    const { event, errors, key, security } = options;
    const name = security === true ? 'code' : 'eventName';
    await showRecords(
      {
        kind: security === true ? 'security' : 'trail',
        texts: event === undefined ? [] : [`"${name}":${JSON.stringify(event)}`],
        matches: ({ value }) =>
          (event === undefined || value[name] === event) &&
          (errors !== true || isError(value)) &&
          (key === undefined || namesKey(value, key)),
        describe: security === true ? describeSecurity : describeTrail,
      },
      options,
      output,
    );
  });
}
