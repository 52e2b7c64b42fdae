import { useEffect, useState } from 'preact/hooks';
import type { Asked } from './api.ts';
import type { Paged } from './types.ts';
import { CALM_MS, type Query, useQuery } from './use-query.ts';

/** One page of a list, and the way to the others. */
export interface Pages<T extends Paged> extends Query<T> {
  /** From 1. */
  page: number;
  first: (() => void) | undefined;
  next: (() => void) | undefined;
}

/** Rows of one page of a list. */
export const PAGE_ROWS = 100;

/** Reads a list page by page. The broker gives each page a mark behind which the next begins. */
export function usePages<T extends Paged>(
  path: string,
  query: Asked['query'] = {},
  everyMs = CALM_MS,
): Pages<T> {
  const [marks, setMarks] = useState<readonly string[]>([]);
  const key = JSON.stringify([path, query]);
  useEffect(() => setMarks([]), [key]);
  const asked = useQuery<T>(path, { ...query, limit: PAGE_ROWS, after: marks.at(-1) }, everyMs);
  const next = asked.data?.next;
  return {
    ...asked,
    page: marks.length + 1,
    first: marks.length === 0 ? undefined : () => setMarks(marks.slice(0, -1)),
    next: next === undefined ? undefined : () => setMarks([...marks, next]),
  };
}
