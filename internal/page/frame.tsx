import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ask } from './api/api.ts';
import type { Me, Overview } from './api/types.ts';
import { CALM_MS, useQuery } from './api/use-query.ts';
import { ClusterContext } from './lib/cluster.ts';
import { many } from './lib/format.ts';
import { linkTo, type Route } from './lib/route.ts';
import { chooseTheme, chosenTheme, nextTheme } from './lib/theme.ts';
import { useNotices } from './parts/notices.tsx';
import { Shortcuts } from './shortcuts.tsx';
import { placesOf, viewOf } from './views/all.ts';

interface FrameProps {
  route: Route;
  me: Me;
  onLogin(): void;
  onLogout(): void;
  children: ComponentChildren;
}

/** What stands around every view: the way to the others, how the broker is, who is logged in. */
export function Frame({ route, me, onLogin, onLogout, children }: FrameProps) {
  const [isOpen, setIsOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { data: overview } = useQuery<Overview>('overview', {}, CALM_MS);
  const isCluster = overview && overview.store.kind === 'cluster';
  const places = useMemo(() => placesOf(isCluster), [isCluster]);
  const { place } = viewOf(route);
  const where = route.path.join('/');
  useTitle(place.name, where, main);
  useEffect(() => setIsOpen(false), [where]);
  return (
    <div class="frame">
      <header class={`side ${isOpen ? 'side-open' : ''}`}>
        <a class="skip" href={location.hash} onClick={(event) => skipTo(event, main.current)}>
          Skip to the content
        </a>
        <div class="side-head">
          <a class="brand" href={linkTo(['overview'])}>
            <Mark />
            tinymq
          </a>
          <button
            type="button"
            class="menu-button"
            aria-expanded={isOpen}
            aria-controls="places"
            onClick={() => setIsOpen(!isOpen)}
          >
            Menu
          </button>
        </div>
        <div id="places" class="side-body">
          <nav aria-label="Views">
            {places.map(({ id, name }) => (
              <a key={id} href={linkTo([id])} aria-current={id === place.id ? 'page' : undefined}>
                {name}
              </a>
            ))}
          </nav>
          <SideFoot me={me} overview={overview} onLogin={onLogin} onLogout={onLogout} />
        </div>
      </header>
      <main ref={main} key={where} tabIndex={-1}>
        <ClusterContext.Provider value={isCluster}>{children}</ClusterContext.Provider>
      </main>
      <Shortcuts places={places} />
    </div>
  );
}

/** The name of the view in the title, and the focus on its heading when somebody goes there. */
function useTitle(name: string, where: string, main: { current: HTMLElement | null }): void {
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${name} · tinymq`;
    if (!isFirst.current) main.current?.querySelector<HTMLElement>('h1')?.focus();
    isFirst.current = false;
  }, [name, where]);
}

function skipTo(event: Event, main: HTMLElement | null): void {
  event.preventDefault();
  main?.focus();
}

interface SideFootProps extends Pick<FrameProps, 'me' | 'onLogin' | 'onLogout'> {
  overview: Overview | undefined;
}

function SideFoot({ me, overview, onLogin, onLogout }: SideFootProps) {
  const [theme, setTheme] = useState(chosenTheme);
  const notices = useNotices();
  function turn() {
    const next = nextTheme(theme);
    chooseTheme(next);
    setTheme(next);
  }
  async function logout() {
    try {
      await ask('logout', { method: 'POST' });
      onLogout();
    } catch (error) {
      notices.failed(error);
    }
  }
  return (
    <div class="side-foot">
      {overview && (
        <p class="side-health">
          <span class={`dot dot-${overview.health}`} aria-hidden="true" />
          {overview.health === 'pass' ? 'All is well' : problemsIn(overview)}
          <span class="side-version">{overview.version}</span>
        </p>
      )}
      <button type="button" onClick={turn}>
        <span aria-hidden="true">{{ auto: '◐', light: '☀', dark: '☾' }[theme]}</span>{' '}
        <span class="unseen">Colours: </span>
        {THEME_NAMES[theme]}
      </button>
      {me.user === undefined && !me.may.admin && (
        <button type="button" onClick={onLogin}>
          Log in
        </button>
      )}
      {me.user !== undefined && (
        <p class="side-user">
          <span class="clip">{me.user}</span>
          <button type="button" onClick={logout}>
            Log out
          </button>
        </p>
      )}
      <p class="side-hint">
        <kbd>?</kbd> shows the keys
      </p>
    </div>
  );
}

const THEME_NAMES = { auto: 'As the system', light: 'Light', dark: 'Dark' } as const;

function problemsIn({ checks }: Overview): string {
  const bad = Object.values(checks).filter(({ status }) => status === 'warn' || status === 'fail');
  return many(bad.length, 'check needs a look', 'checks need a look');
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="mark-ground" />
      <path d="M10 16h5M15 16l7-6.5M15 16l7 6.5" class="mark-line" />
      <circle cx="8.5" cy="16" r="2.8" class="mark-dot" />
      <circle cx="23.5" cy="8.5" r="2.8" class="mark-dot" />
      <circle cx="23.5" cy="23.5" r="2.8" class="mark-dot" />
    </svg>
  );
}
