import { effect, signal, type Signal } from '@preact/signals';

/** Kept in the browser, under names of the console's own; nothing secret is ever a setting. */
const PREFIX = 'keyferry.';

/** A setting that outlives the page. */
export function setting<Value>(
  name: string,
  initial: Value,
  isValid: (value: unknown) => value is Value,
): Signal<Value> {
  const kept = signal(read(name, initial, isValid));
  effect(() => {
    try {
      localStorage.setItem(PREFIX + name, JSON.stringify(kept.value));
    } catch {
      // A browser that keeps nothing shows the page all the same.
    }
  });
  return kept;
}

function read<Value>(name: string, initial: Value, isValid: (value: unknown) => value is Value): Value {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + name) ?? 'null');
    return isValid(value) ? value : initial;
  } catch {
    return initial;
  }
}

/** Whether a value is a list of texts. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export type Theme = 'system' | 'light' | 'dark';

/** Light or dark, or as the system has it. */
export const theme = setting<Theme>('theme', 'system', (value): value is Theme =>
  ['system', 'light', 'dark'].includes(value as string),
);
effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});
