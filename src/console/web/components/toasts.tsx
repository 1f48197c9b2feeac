import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { Refusal } from '../api.js';
import { IconButton } from './button.js';
import { Icon } from './icon.js';

interface Toast {
  readonly kind: 'done' | 'failed' | 'told';
  readonly title: string;
  readonly detail?: string;
  /** Gone after two seconds: what people have seen happen. */
  readonly isBrief?: boolean;
}

const shown = signal<readonly (Toast & { readonly number: number })[]>([]);
let last = 0;

const SHOWN_MAX = 4;
const MS = { brief: 2_000, done: 6_000 } as const;

/** Says what happened, at the edge of the page; failures stay until they are closed. */
export function tell(toast: Toast): void {
  last += 1;
  const number = last;
  shown.value = [...shown.value, { ...toast, number }].slice(-SHOWN_MAX);
  if (toast.kind !== 'failed') setTimeout(() => close(number), toast.isBrief === true ? MS.brief : MS.done);
}

/** Says why something was refused, in the words of whoever refused it. */
export function tellFailure(what: string, failure: unknown): void {
  tell({ kind: 'failed', title: what, detail: failureText(failure) });
}

/** `AccessDeniedException: User: … is not authorized …`. */
export function failureText(failure: unknown): string {
  if (failure instanceof Refusal) return `${failure.code}: ${failure.message}`;
  return failure instanceof Error ? failure.message : String(failure);
}

function close(number: number): void {
  shown.value = shown.value.filter((toast) => toast.number !== number);
}

/** Where toasts are shown; told to readers of screens as they come. */
export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="region" aria-label="Notifications">
      <div role="status" aria-live="polite">
        {shown.value.map(({ kind, title, detail, number }) => (
          <div class={`toast ${kind}`} key={number}>
            <Icon name={kind === 'failed' ? 'failure' : kind === 'done' ? 'done' : 'information'} />
            <div class="toast-text">
              <strong>{title}</strong>
              {detail !== undefined && <p>{detail}</p>}
            </div>
            <IconButton icon="close" label={`Close: ${title}`} onClick={() => close(number)} />
          </div>
        ))}
      </div>
    </div>
  );
}
