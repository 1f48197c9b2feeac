import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { pageTitle } from '../router.js';

/** A section of a page, in a box. */
export function Panel(props: {
  readonly title: string;
  /** Buttons beside the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { title, actions, children } = props;
  return (
    <section class="panel" aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** Names and values; those that are undefined are left out. */
export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [name: string, value: ComponentChildren])[];
}): JSX.Element {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value === '' || value === null ? '–' : value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** Title of a page, what it is about, and what can be done. */
export function PageHead(props: {
  readonly title: string;
  readonly subtitle?: ComponentChildren;
  readonly trail?: ComponentChildren;
  readonly actions?: ComponentChildren;
}): JSX.Element {
  const { title, subtitle, trail, actions } = props;
  useEffect(() => {
    pageTitle.value = title;
  }, [title]);
  return (
    <header class="page-head">
      <div>
        {trail !== undefined && (
          <nav aria-label="You are here" class="trail">
            {trail}
          </nav>
        )}
        <h1 tabIndex={-1}>{title}</h1>
        {subtitle !== undefined && <p class="quiet">{subtitle}</p>}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
    </header>
  );
}
