import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { IconButton } from './components/button.js';
import { Icon } from './components/icon.js';
import { RegionClock } from './components/time.js';
import { lab, logOut } from './lab.js';
import { isConnected } from './live.js';
import { PAGES, type Page } from './pages.js';
import { firstPart, go, Link, matchPath, path } from './router.js';
import { theme, type Theme } from './settings.js';

const THEMES: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

/** Everything around the page: header, navigation, and where the page goes. */
export function Shell({
  region,
  children,
}: {
  readonly region: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  // On a small screen, the page covers the navigation again.
  useEffect(() => setOpen(false), [path.value]);
  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="top">
        <span class="menu">
          <IconButton
            icon="menu"
            label={isOpen ? 'Close the navigation' : 'Open the navigation'}
            onClick={() => setOpen(!isOpen)}
          />
        </span>
        <Link to="/" class="brand">
          <img src="/assets/icon.svg" alt="" width="24" height="24" />
          Keyferry
        </Link>
        <div class="top-end">
          {!isConnected.value && (
            <span class="lost" role="status">
              <Icon name="warning" /> Not connected
            </span>
          )}
          <RegionClock region={region} />
          <IconButton
            icon="theme"
            label={`Colours: ${theme.value}`}
            onClick={() => (theme.value = THEMES[theme.value])}
          />
          <PrincipalMenu />
          <RegionChooser region={region} />
        </div>
      </header>
      <nav class={isOpen ? 'side open' : 'side'} aria-label="Console">
        <Navigation region={region} />
      </nav>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function PrincipalMenu(): JSX.Element {
  const { arn = '', isOperator = false } = lab.value?.principal ?? {};
  const name = arn.split(':').slice(5).join(':');
  return (
    <details class="principal">
      <summary title={arn}>{name}</summary>
      <div class="popover">
        <p class="quiet">Logged in as</p>
        <p>
          <code>{arn}</code>
        </p>
        <p class="quiet">{isOperator ? 'Administrator of the lab' : 'Limited by its policy'}</p>
        <button type="button" class="button normal" onClick={() => void logOut()}>
          Log out
        </button>
      </div>
    </details>
  );
}

function RegionChooser({ region }: { readonly region: string }): JSX.Element {
  const choose = (next: string): void => {
    const page = PAGES.find(({ path: pattern }) => matchPath(pattern, path.value) !== undefined);
    // A page of one thing that is here leads to the list that is there.
    const [, , list = 'keys'] = page?.path.startsWith('/:region') === true ? path.value.split('/') : [];
    go(`/${encodeURIComponent(next)}/${list}`);
  };
  return (
    <div class="region">
      <select aria-label="Region" value={region} onChange={(event) => choose(event.currentTarget.value)}>
        {lab.value?.regions.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

function Navigation({ region }: { readonly region: string }): JSX.Element {
  const isOperator = lab.value?.principal.isOperator === true;
  const isLab = lab.value?.isLab === true;
  const lines = PAGES.filter(
    (page) => page.nav !== undefined && (page.isOperator !== true || isOperator) && (page.isLabOnly !== true || isLab),
  );
  const groups = Map.groupBy(lines, ({ group = '' }) => group);
  return (
    <>
      {[...groups]
        .toSorted(([one], [other]) => Number(one === 'Laboratory') - Number(other === 'Laboratory'))
        .map(([group, pages]) => (
          <section key={group} aria-label={group}>
            <h2>{group}</h2>
            <ul>
              {pages.map((page) => (
                <li key={page.path}>
                  <Link to={targetOf(page, region)} aria-current={isCurrent(page, region) ? 'page' : undefined}>
                    {page.nav}
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        ))}
    </>
  );
}

function targetOf({ path: pattern }: Page, region: string): string {
  return pattern
    .split('/')
    .filter((part) => !part.endsWith('?'))
    .join('/')
    .replace(':region', encodeURIComponent(region));
}

/** Also for the pages below it. */
function isCurrent(page: Page, region: string): boolean {
  const target = targetOf(page, region);
  return path.value === target || path.value.startsWith(`${target}/`);
}

/** The region of the page, or the one that was chosen last. */
export function currentRegion(): string {
  const regions = lab.value?.regions ?? [];
  if (regions.includes(firstPart.value)) last = firstPart.value;
  return regions.includes(last) ? last : (regions[0] ?? '');
}

let last = '';
