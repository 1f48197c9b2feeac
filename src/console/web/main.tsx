import { render, type JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { PageHead } from './components/facts.js';
import { Empty, Failure, Loading } from './components/states.js';
import { Toasts } from './components/toasts.js';
import { lab, labFailure, refreshLab } from './lab.js';
import { connect } from './live.js';
import { PAGES } from './pages.js';
import { go, Link, matchPath, pageTitle, path } from './router.js';
import { currentRegion, Shell } from './shell.js';

function App(): JSX.Element {
  if (lab.value === undefined) {
    return (
      <main class="alone">
        {labFailure.value === undefined ? (
          <Loading what="the lab" />
        ) : (
          <Failure what="The lab cannot be shown" failure={labFailure.value} onRetry={() => void refreshLab()} />
        )}
      </main>
    );
  }
  const region = currentRegion();
  return (
    <>
      <Shell region={region}>
        <CurrentPage region={region} />
      </Shell>
      <Toasts />
    </>
  );
}

function CurrentPage({ region }: { readonly region: string }): JSX.Element {
  const target = path.value;
  const pattern = PAGES.find(({ path: candidate }) => matchPath(candidate, target) !== undefined)?.path ?? '';
  const before = useRef(pattern);
  useEffect(() => {
    // What had the focus is of another page, or gone: whoever uses the keyboard goes on at the title of this one.
    if (before.current !== '' && before.current !== pattern) document.querySelector('h1')?.focus();
    before.current = pattern;
  }, [pattern]);
  useEffect(() => {
    if (target === '/') go(`/${encodeURIComponent(region)}/keys`, { replace: true });
  }, [target, region]);
  const title = pageTitle.value;
  useEffect(() => {
    // Readers of screens are told where they are.
    document.title = [...(title === '' ? [] : [title, region]), 'Keyferry'].join(' · ');
  }, [title, region]);
  for (const { path: pattern, component: Component } of PAGES) {
    const params = matchPath(pattern, target);
    if (params === undefined) continue;
    const named = params['region'];
    if (named !== undefined && lab.value?.regions.includes(named) !== true) continue;
    return <Component params={params} />;
  }
  return (
    <>
      <PageHead title="There is no such page" />
      <Empty title={target}>
        <p>
          It may be of another lab. <Link to="/">Go to the keys</Link>
        </p>
      </Empty>
    </>
  );
}

const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
await refreshLab();
connect();
