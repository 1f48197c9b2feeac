import type { JSX } from 'preact';
import { Command } from './command.js';

/** What does the same on the lab’s own command line. */
export function ShellCommand({ text }: { readonly text: string }): JSX.Element {
  return <Command title="Command" text={text} what="command" />;
}
