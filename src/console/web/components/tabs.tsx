import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

/** One tab; its content is rendered only while it is chosen. */
export interface Tab {
  readonly id: string;
  readonly title: string;
  readonly content: () => ComponentChildren;
}

/**
 * Tabs: arrows, Home and End move between them.
 *
 * @param props.chosen - id of the chosen one; the first where there is none of that id
 * @source WAI-ARIA Authoring Practices, tabs with automatic activation
 */
export function Tabs(props: {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly chosen: string;
  readonly onChoose: (id: string) => void;
}): JSX.Element {
  const { label, tabs, chosen, onChoose } = props;
  const prefix = useId();
  const list = useRef<HTMLDivElement>(null);
  const index = Math.max(
    0,
    tabs.findIndex(({ id }) => id === chosen),
  );
  const current = tabs[index];
  // On a small screen, the chosen one may be out of view.
  useEffect(() => {
    const tab = list.current?.children[index];
    if (list.current === null || !(tab instanceof HTMLElement)) return;
    list.current.scrollLeft = tab.offsetLeft - (list.current.clientWidth - tab.clientWidth) / 2;
  }, [index, tabs.length]);
  const choose = (next: number): void => {
    const tab = tabs.at(next % tabs.length);
    if (tab === undefined) return;
    onChoose(tab.id);
    list.current?.querySelector<HTMLElement>(`#${CSS.escape(`${prefix}-${tab.id}`)}`)?.focus();
  };
  const move = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, number>> = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 };
    const next = moves[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  };
  return (
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map(({ id, title }, at) => (
          <button
            type="button"
            role="tab"
            key={id}
            id={`${prefix}-${id}`}
            aria-selected={at === index}
            aria-controls={at === index ? `${prefix}-panel` : undefined}
            tabIndex={at === index ? 0 : -1}
            onClick={() => choose(at)}
          >
            {title}
          </button>
        ))}
      </div>
      {current !== undefined && (
        <div
          class="tab-panel"
          role="tabpanel"
          id={`${prefix}-panel`}
          aria-labelledby={`${prefix}-${current.id}`}
          key={current.id}
        >
          {current.content()}
        </div>
      )}
    </div>
  );
}
