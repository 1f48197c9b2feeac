import { render, type JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { PageHead } from './components/facts.js';
import { Empty, Failure, Loading } from './components/states.js';
import { Toasts } from './components/toasts.js';
import { lab, labFailure, refreshLab } from './lab.js';
import { connect } from './live.js';
import { PAGES } from './pages.js';
import { go, Link, matchPath, path } from './router.js';
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
  useEffect(() => {
    if (target === '/') go(`/${encodeURIComponent(region)}/keys`, { replace: true });
    // Readers of screens are told where they are; nothing is read twice at the first page.
    document.title = `${document.querySelector('h1')?.textContent ?? 'Keyferry'} · ${region} · Keyferry`;
  }, [target, region]);
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
