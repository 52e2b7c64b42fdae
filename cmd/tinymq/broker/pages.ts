import type { PageQuery } from '../../../internal/admin/pages.ts';
import { note } from '../report.ts';

/** The most that a broker gives at once. */
const PAGE_ITEMS = 1_000;

interface Answer {
  /** Some lists are not counted. */
  total?: number;
  next?: string | undefined;
}

/**
 * Asks for one page after the other until there are enough, and says on the standard error where there are more.
 *
 * @param ask gets one page.
 */
export async function allPages<Item, Page extends Answer>(
  limit: number,
  ask: (query: PageQuery) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): Promise<Item[]> {
  const found: Item[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await ask({ limit: Math.min(PAGE_ITEMS, limit - found.length), after });
    found.push(...itemsOf(page));
    after = page.next;
    if (after === undefined) return found;
    if (found.length >= limit) {
      const of = page.total === undefined ? '' : ` of ${page.total.toLocaleString('en-US')}`;
      note(`${found.length}${of}; -limit N prints more`);
      return found;
    }
  }
}
