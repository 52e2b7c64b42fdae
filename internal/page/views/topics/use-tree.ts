import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask, type Problem } from '../../api/api.ts';
import type { TreeLevel } from '../../api/types.ts';
import { rest } from '../../api/use-query.ts';
import { withRates } from '../../lib/rates.ts';
import { type Level, type Levels, withNewer } from '../../lib/tree.ts';

/** Topics of one level that are asked for at once. */
const LEVEL_TOPICS = 200;
/** How often the levels in sight are asked for again, and how many of them at most. */
const REFRESH_MS = 2_500;
const REFRESHED_LEVELS = 4;

export interface Tree {
  levels: Levels;
  open: ReadonlySet<string>;
  toggle(under: string, isOpen: boolean): void;
  more(under: string): void;
  /** Says which levels are in sight. */
  see(unders: readonly string[]): void;
}

/** The levels of the tree that somebody opened, loaded as they are opened and kept current while they are in sight. */
export function useTree(): Tree {
  const [levels, setLevels] = useState<Levels>(new Map());
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const seen = useRef<readonly string[]>(['']);
  const askedAt = useRef(new Map<string, number>());
  const current = useRef(levels);
  current.current = levels;

  const change = useCallback((under: string, changed: (level: Level | undefined) => Level) => {
    setLevels((before) => new Map(before).set(under, changed(before.get(under))));
  }, []);

  const load = useCallback(
    async (under: string, after?: string) => {
      try {
        const { children, next } = await ask<TreeLevel>('tree', {
          query: { under, after, limit: LEVEL_TOPICS },
        });
        change(under, (level) => {
          const before = after === undefined ? [] : (level?.children ?? []);
          return { ...withNewer({ children: before }, children), next };
        });
      } catch (problem) {
        change(under, (level) => ({ children: [], ...level, problem: (problem as Problem).message }));
      }
    },
    [change],
  );

  useEffect(() => {
    const ended = new AbortController();
    void load('');
    void refresh(ended.signal, () => seen.current, refreshLevel);
    return () => ended.abort();
    async function refreshLevel(under: string) {
      const level = current.current.get(under);
      if (level === undefined) return;
      const query = { under, limit: Math.max(LEVEL_TOPICS, Math.min(level.children.length, 1_000)) };
      const answer = await ask<TreeLevel>('tree', { query });
      const atMs = performance.now();
      const elapsedMs = atMs - (askedAt.current.get(under) ?? atMs);
      askedAt.current.set(under, atMs);
      const children =
        elapsedMs > 0 ? withRates(level.children, answer.children, elapsedMs) : answer.children;
      const { next } = answer;
      const isWhole = level.next === undefined && next === undefined;
      change(under, (before) =>
        before === undefined || isWhole
          ? { children }
          : { ...withNewer(before, children), problem: undefined },
      );
    }
  }, [load, change]);

  const toggle = useCallback(
    (under: string, isOpen: boolean) => {
      setOpen((before) => {
        const after = new Set(before);
        if (isOpen) after.add(under);
        else after.delete(under);
        return after;
      });
      if (isOpen && current.current.get(under) === undefined) void load(under);
    },
    [load],
  );
  const more = useCallback((under: string) => void load(under, current.current.get(under)?.next), [load]);
  const see = useCallback((unders: readonly string[]) => {
    seen.current = unders;
  }, []);
  return { levels, open, toggle, more, see };
}

async function refresh(
  signal: AbortSignal,
  seen: () => readonly string[],
  refreshLevel: (under: string) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await rest(REFRESH_MS, signal);
    if (document.visibilityState !== 'visible') continue;
    for (const under of seen().slice(0, REFRESHED_LEVELS)) {
      if (signal.aborted) return;
      // The next round shows what is wrong, if it still is.
      await refreshLevel(under).catch(() => {});
    }
  }
}
