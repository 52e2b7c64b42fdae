import { useEffect, useRef, useState } from 'preact/hooks';
import { type Newest, NO_ITEMS, withNewest } from '../lib/newest.ts';
import { urlOf } from './api.ts';

/** A stream of events as the page shows it. */
export interface Followed<T> extends Newest<T> {
  /** In the last second. */
  perSecond: number;
  /** What came while it is paused, and is not shown yet. */
  unseen: number;
  state: 'off' | 'connecting' | 'open' | 'ended';
  problem: string | undefined;
}

/** Messages that a list has at most: what comes is more than anybody reads, and the page has to stay small. */
export const FOLLOWED_ROWS = 500;

const OFF: Followed<never> = { ...NO_ITEMS, perSecond: 0, unseen: 0, state: 'off', problem: undefined };

/**
 * Follows server-sent events. What arrives is gathered and shown once a frame, however much it is; while it is paused it
 * is counted and the newest are kept for later.
 */
export function useFollow<T>(
  path: string | undefined,
  query: Readonly<Record<string, string | boolean | undefined>>,
  isPaused: boolean,
): Followed<T> {
  const key = path === undefined ? undefined : urlOf(path, query);
  const [shown, setShown] = useState<Followed<T>>(OFF);
  const paused = useRef(isPaused);
  paused.current = isPaused;
  useEffect(() => {
    setShown(key === undefined ? OFF : { ...OFF, state: 'connecting' });
    return key === undefined ? undefined : follow<T>(key, () => paused.current, setShown);
  }, [key]);
  return shown;
}

type Update<T> = (change: (before: Followed<T>) => Followed<T>) => void;

function follow<T>(url: string, isPaused: () => boolean, update: Update<T>): () => void {
  const source = new EventSource(url);
  const pending: T[] = [];
  let skipped = 0;
  let second = 0;
  let frame = 0;

  function flush(): void {
    frame = 0;
    if (isPaused() || pending.length === 0) return;
    const arrived = pending.splice(0);
    const left = skipped;
    skipped = 0;
    update((before) => {
      const after = withNewest(before, arrived, FOLLOWED_ROWS);
      return { ...before, ...after, total: after.total + left, unseen: 0 };
    });
  }

  function state(next: Followed<T>['state'], problem?: string): void {
    update((before) => ({ ...before, state: next, problem }));
  }

  source.onopen = () => state('open');
  source.onerror = () => state(source.readyState === EventSource.CLOSED ? 'ended' : 'connecting');
  source.addEventListener('problem', ({ data }: MessageEvent<string>) => {
    source.close();
    state('ended', problemText(data));
  });
  source.onmessage = ({ data }: MessageEvent<string>) => {
    second++;
    pending.push(JSON.parse(data) as T);
    if (pending.length > FOLLOWED_ROWS) skipped += pending.splice(0, pending.length - FOLLOWED_ROWS).length;
    if (frame === 0 && !isPaused()) frame = requestAnimationFrame(flush);
  };
  const timer = setInterval(() => {
    const perSecond = second;
    second = 0;
    flush();
    const unseen = pending.length + skipped;
    update((before) =>
      before.perSecond === perSecond && before.unseen === unseen ? before : { ...before, perSecond, unseen },
    );
  }, 1_000);
  return () => {
    source.close();
    clearInterval(timer);
    cancelAnimationFrame(frame);
  };
}

function problemText(data: string): string {
  try {
    const { detail, title } = JSON.parse(data);
    return detail || title;
  } catch {
    return data;
  }
}
