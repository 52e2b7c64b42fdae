import { useEffect, useState } from 'preact/hooks';
import { linkTo, parseRoute, type Route } from './route.ts';

/** The place in the address bar. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', changed);
    // It may have changed before anybody listened.
    changed();
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

export function goTo(
  path: readonly (string | number)[],
  query?: Readonly<Record<string, string | undefined>>,
): void {
  location.hash = linkTo(path, query);
}

/** Changes what is asked for at this place, without a step in the history for each letter that is typed. */
export function refine(route: Route, change: Readonly<Record<string, string | undefined>>): void {
  const link = linkTo(route.path, { ...route.query, ...change });
  if (link === location.hash) return;
  history.replaceState(null, '', link);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
