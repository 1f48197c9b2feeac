import type { JSX } from 'preact';
import type { Service } from '../api.js';
import { lab } from '../lab.js';
import { Command } from './command.js';

/** A call of an AWS operation, and what its command line cannot say by itself. */
export interface CliCall {
  readonly region: string;
  /** `kms` where it is absent. */
  readonly service?: Service;
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Members whose octets come from a file: its name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What does the same with the AWS CLI; closed until somebody wants it. */
export function CliCommand({ calls }: { readonly calls: readonly CliCall[] }): JSX.Element {
  return <Command title="AWS CLI command" text={calls.map(cliText).join('\n\n')} what="AWS CLI command" />;
}

/** The command of the AWS CLI for a call. */
export function cliText({ region, service = 'kms', operation, input, files = {} }: CliCall): string {
  const options = [
    ...Object.entries(input)
      .filter(([name, value]) => value !== undefined && !(name in files))
      .map(([name, value]) => optionText(name, value)),
    ...Object.entries(files).map(([name, file]) => `--${kebab(name)} fileb://${file}`),
    `--region ${region}`,
    `--endpoint-url ${lab.value?.endpoint ?? ''}`,
  ];
  return [`aws ${service} ${kebab(operation)}`, ...options].join(' \\\n  ');
}

function optionText(name: string, value: unknown): string {
  const option = `--${kebab(name)}`;
  if (typeof value === 'boolean') return value ? option : `--no-${kebab(name)}`;
  return `${option} ${quoted(typeof value === 'object' ? JSON.stringify(value) : String(value))}`;
}

function kebab(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/gu, '$1-$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/gu, '$1-$2')
    .toLowerCase();
}

/** A word of the shell that means exactly this text. */
function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
