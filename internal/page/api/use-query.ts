import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Asked, ask, type Problem } from './api.ts';

/** An answer of the broker and how it is kept current. */
export interface Query<T> {
  /** The last good answer. */
  data: T | undefined;
  /** Why there is none, or no newer one. */
  problem: Problem | undefined;
  reload(): void;
}

/** How often what is on the screen is asked for again. */
export const LIVE_MS = 2_000;
/** The same for what changes seldom or is large. */
export const CALM_MS = 5_000;

/**
 * Asks now and every `everyMs`, while somebody looks at the page. `path` undefined asks nothing. An answer of another
 * question is never shown.
 */
export function useQuery<T>(
  path: string | undefined,
  query: Asked['query'] = {},
  everyMs = CALM_MS,
): Query<T> {
  const key = path === undefined ? undefined : JSON.stringify([path, query]);
  const [state, setState] = useState<{ key?: string; data?: T; problem?: Problem }>({});
  const [turn, setTurn] = useState(0);
  const asked = useRef({ path, query });
  asked.current = { path, query };
  useEffect(() => {
    const { path, query } = asked.current;
    if (key === undefined || path === undefined) return;
    const ended = new AbortController();
    const { signal } = ended;
    void poll(
      () => ask<T>(path, { query, signal }),
      (next) => setState((before) => ({ ...(before.key === key ? before : {}), key, ...next })),
      { everyMs, signal },
    );
    return () => ended.abort();
  }, [key, everyMs, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const isCurrent = state.key === key;
  return { data: isCurrent ? state.data : undefined, problem: isCurrent ? state.problem : undefined, reload };
}

async function poll<T>(
  request: () => Promise<T>,
  told: (state: { data?: T; problem: Problem | undefined }) => void,
  { everyMs, signal }: { everyMs: number; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      const data = await request();
      if (!signal.aborted) told({ data, problem: undefined });
    } catch (problem) {
      if (!signal.aborted) told({ problem: problem as Problem });
    }
    await rest(everyMs, signal);
    await untilVisible(signal);
  }
}

/** Waits, at most until somebody gives up. */
export function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Nobody looks at a page that is hidden, and it asks for nothing. */
function untilVisible(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === 'visible') return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      if (document.visibilityState !== 'visible' && !signal.aborted) return;
      document.removeEventListener('visibilitychange', done);
      resolve();
    };
    document.addEventListener('visibilitychange', done);
    signal.addEventListener('abort', done);
  });
}
