import type { JSX } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon.js';

/** A line of a menu. */
export interface MenuItem {
  readonly id: string;
  readonly label: string;
  /** Why it cannot be chosen now; absent where it can. */
  readonly refusal?: string | undefined;
  readonly isDanger?: boolean;
}

/**
 * A button that opens a list of actions: arrows, Home and End move in it, Escape closes it.
 *
 * @source WAI-ARIA Authoring Practices, menu button
 */
export function Menu(props: {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly onChoose: (id: string) => void;
  readonly isDisabled?: boolean;
}): JSX.Element {
  const { label, items, onChoose, isDisabled = false } = props;
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  useLayoutEffect(() => {
    if (!isOpen) return undefined;
    list.current?.querySelector<HTMLElement>('[role="menuitem"]')?.focus();
    const leave = ({ target }: Event): void => {
      if (target instanceof Node && root.current?.contains(target) !== true) setOpen(false);
    };
    addEventListener('pointerdown', leave);
    addEventListener('focusin', leave);
    return () => {
      removeEventListener('pointerdown', leave);
      removeEventListener('focusin', leave);
    };
  }, [isOpen]);
  const move = (event: KeyboardEvent): void => {
    const lines = [...(list.current?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
    const at = lines.findIndex((line) => line === document.activeElement);
    const moves: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const next = moves[event.key];
    if (next !== undefined) lines.at(next % lines.length)?.focus();
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const choose = ({ id: chosen, refusal }: MenuItem): void => {
    if (refusal !== undefined) return;
    // The focus is on the button again before a dialog opens, so that the dialog gives it back to the button.
    close();
    onChoose(chosen);
  };
  return (
    <div class="menu-root" ref={root}>
      <button
        type="button"
        class="button normal"
        ref={button}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        disabled={isDisabled}
        onClick={() => setOpen(!isOpen)}
      >
        {label}
        <Icon name="down" />
      </button>
      {isOpen && (
        <ul class="menu-list" role="menu" id={id} aria-label={label} ref={list} onKeyDown={move}>
          {items.map((item) => (
            <li role="none" key={item.id}>
              <button
                type="button"
                role="menuitem"
                tabIndex={-1}
                class={item.isDanger === true ? 'danger' : ''}
                aria-disabled={item.refusal !== undefined}
                onClick={() => choose(item)}
              >
                {item.label}
                {item.refusal !== undefined && <span class="hint">{item.refusal}</span>}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
