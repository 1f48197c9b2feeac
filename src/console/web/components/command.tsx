import type { JSX } from 'preact';
import { CopyButton } from './copy_button.js';
import { Icon } from './icon.js';

/** A command that does what the page does; closed until somebody wants it. */
export function Command(props: {
  readonly title: string;
  readonly text: string;
  /** What the button says that it copies. */
  readonly what: string;
}): JSX.Element {
  const { title, text, what } = props;
  return (
    <details class="cli">
      <summary>
        <Icon name="next" />
        {title}
      </summary>
      <div class="cli-body">
        <pre tabIndex={0} aria-label={title}>
          <code>{text}</code>
        </pre>
        <CopyButton text={text} what={what} />
      </div>
    </details>
  );
}
