import type { JSX } from 'preact';
import { CopyButton } from './copy_button.js';
import { Icon } from './icon.js';

/** What does the same on the lab’s own command line; closed until somebody wants it. */
export function ShellCommand({ text }: { readonly text: string }): JSX.Element {
  return (
    <details class="cli">
      <summary>
        <Icon name="next" />
        Command
      </summary>
      <div class="cli-body">
        <pre tabIndex={0} aria-label="Command">
          <code>{text}</code>
        </pre>
        <CopyButton text={text} what="command" />
      </div>
    </details>
  );
}
