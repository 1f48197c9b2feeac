import { computed, signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';

/** Path of the page that is shown. */
export const path = signal(location.pathname);
/** Query of the page that is shown: filters, so that a link leads to the same view. */
export const query = signal(new URLSearchParams(location.search));

/** Title of the page that is shown, as its head has it. */
export const pageTitle = signal('');

addEventListener('popstate', show);

function show(): void {
  path.value = location.pathname;
  query.value = new URLSearchParams(location.search);
}

/** Goes to a page; `replace` leaves none behind to go back to. */
export function go(target: string, options: { readonly replace?: boolean } = {}): void {
  if (options.replace === true) history.replaceState(null, '', target);
  else history.pushState(null, '', target);
  const isOtherPage = path.value !== location.pathname;
  show();
  if (isOtherPage && options.replace !== true) scrollTo(0, 0);
}

/** A link within the console. */
export function Link({
  to,
  children,
  ...rest
}: {
  readonly to: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly 'aria-current'?: 'page' | undefined;
}): JSX.Element {
  const follow = (event: MouseEvent): void => {
    // With a key held or another button, the browser opens a window of its own.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a {...rest} href={to} onClick={follow}>
      {children}
    </a>
  );
}

/**
 * Values of a pattern's parts in a path, for example of `/:region/keys/:keyId/:tab?`; undefined where it does not match.
 *
 * @param pattern - parts with `:` match anything, with `?` behind them also nothing
 */
export function matchPath(pattern: string, target: string): Readonly<Record<string, string>> | undefined {
  const [parts, found] = [pattern.split('/').slice(1), target.split('/').slice(1)];
  if (found.length > parts.length) return undefined;
  const values: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = found[index];
    if (!part.startsWith(':')) {
      if (value !== part) return undefined;
    } else if (value !== undefined && value !== '') {
      const text = decoded(value);
      if (text === undefined) return undefined;
      values[part.slice(1).replace('?', '')] = text;
    } else if (!part.endsWith('?')) return undefined;
  }
  return values;
}

/** Undefined where somebody has cut an address, or made one up. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** A path from texts, each encoded. */
export function pathOf(...parts: readonly string[]): string {
  return `/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

/** First part of the path: the region on pages of one. */
export const firstPart = computed(() => decoded(path.value.split('/')[1] ?? '') ?? '');
