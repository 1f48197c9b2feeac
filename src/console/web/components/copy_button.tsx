import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Icon } from './icon.js';
import { tell } from './toasts.js';

/** Copies a text; `what` names it: "key id", "ARN". */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }): JSX.Element {
  const [isDone, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
      tell({ kind: 'done', title: `Copied the ${what}`, isBrief: true });
    } catch {
      tell({ kind: 'failed', title: `The browser did not let the ${what} be copied`, detail: text });
    }
  };
  const label = isDone ? `Copied the ${what}` : `Copy the ${what}`;
  return (
    <button type="button" class="icon-button copy" aria-label={label} title={label} onClick={() => void copy()}>
      <Icon name={isDone ? 'done' : 'copy'} />
    </button>
  );
}

/** An identifier with a button that copies it. */
export function Copyable({ text, what }: { readonly text: string; readonly what: string }): JSX.Element {
  return (
    <span class="copyable">
      <code>{text}</code>
      <CopyButton text={text} what={what} />
    </span>
  );
}
