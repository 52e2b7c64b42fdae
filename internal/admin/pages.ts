import { BrokerError } from '../errors.ts';
import { listItems, maxListItems, maxSearchCharacters, pageBytes } from '../limits/admin.ts';
import { type JsonSchema, number, text } from './operation.ts';
import { eachInSlices } from './slices.ts';

/** How a list is asked for: one page of it after the other. */
export interface PageQuery {
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly after?: string;
}

/** The fields of a query that ask for a page. */
export const PAGE_QUERY: Readonly<Record<string, JsonSchema>> = {
  limit: {
    ...{ type: 'integer', minimum: 1, maximum: maxListItems, default: listItems },
    description: 'The most entries of a page.',
  },
  after: { ...text, pattern: '^[\\w-]+$', description: 'The `next` of the page before.' },
};

/** A field of a query: what names have to have in them, in any case of letters. */
export const SEARCH: JsonSchema = {
  ...{ type: 'string', maxLength: maxSearchCharacters },
  description: 'Entries with this text in one of their names, in any case of letters.',
};

/** The fields of an answer that go with a page. */
export const PAGE_ANSWER: Readonly<Record<string, JsonSchema>> = {
  total: { ...number, description: 'The entries of all pages.' },
  next: { ...text, description: 'Asks for the page after this one, where there is one.' },
};

export interface Page<T> {
  readonly items: T[];
  /** How many are wanted, on all pages, whether they are shown or not. */
  readonly total: number;
  readonly next?: string;
}

/** The place of an item in its list, which no other has. */
type Key = readonly (string | number)[];

interface Ordering<T> {
  keyOf(item: T): Key;
  /** Default: all are. */
  isWanted?(item: T): boolean;
  /** Whether somebody may see it, which is asked only of what might be on the page. Default: yes. */
  isShown?(item: T): boolean;
  /** Where items may be large: a page has no more of them than fit into one answer, and one at least. */
  bytesOf?(item: T): number;
}

/**
 * A page of a list that changes while somebody turns its pages, in the order of keys. Looks at all items, for a few
 * milliseconds in each turn of the event loop, and remembers no more of them than two pages.
 *
 * @throws BrokerError `malformed-http-request` where `after` is no `next`.
 */
export async function pageOf<T>(
  items: Iterable<T>,
  { limit = listItems, after }: PageQuery,
  { keyOf, isWanted = () => true, isShown = () => true, bytesOf }: Ordering<T>,
): Promise<Page<T>> {
  const behind = after === undefined ? undefined : parseCursor(after);
  const first = new FirstItems<T>(limit + 1);
  let total = 0;
  await eachInSlices(items, (item) => {
    if (!isWanted(item)) return;
    total++;
    const key = keyOf(item);
    if (behind !== undefined && compare(key, behind) <= 0) return;
    if (first.hasRoomFor(key) && isShown(item)) first.add(key, item);
  });
  const found = first.sorted();
  const page = found.slice(0, Math.min(limit, bytesOf === undefined ? limit : fitting(found, bytesOf)));
  if (page.length === found.length) return { items: found.map(({ item }) => item), total };
  return { items: page.map(({ item }) => item), total, next: cursorOf(page.at(-1)!.key) };
}

/** How many of the first items fit into one answer. */
function fitting<T>(found: readonly Placed<T>[], bytesOf: (item: T) => number): number {
  let bytes = 0;
  const tooMany = found.findIndex(({ item }, index) => {
    bytes += bytesOf(item);
    return bytes > pageBytes && index > 0;
  });
  return tooMany === -1 ? found.length : tooMany;
}

/** Whether any of the names has the text in it, whatever the case of its letters. */
export function searched(search: string | undefined, ...names: readonly (string | undefined)[]): boolean {
  if (search === undefined) return true;
  const wanted = search.toLowerCase();
  return names.some((name) => name?.toLowerCase().includes(wanted));
}

interface Placed<T> {
  readonly key: Key;
  readonly item: T;
}

/** Those of the smallest keys. */
class FirstItems<T> {
  readonly #most: number;
  #items: Placed<T>[] = [];
  /** What comes behind this is not among them. */
  #last: Key | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  hasRoomFor(key: Key): boolean {
    return this.#last === undefined || compare(key, this.#last) < 0;
  }

  add(key: Key, item: T): void {
    this.#items.push({ key, item });
    if (this.#items.length < 2 * this.#most) return;
    this.#items = this.sorted();
    this.#last = this.#items.at(-1)!.key;
  }

  sorted(): Placed<T>[] {
    return this.#items.sort((one, other) => compare(one.key, other.key)).slice(0, this.#most);
  }
}

function compare(one: Key, other: Key): number {
  for (let index = 0; index < one.length; index++) {
    const [left, right] = [one[index]!, other[index]!];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** What asks for the page behind a key. */
export function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** @throws BrokerError `malformed-http-request` where it was not made by {@link cursorOf}. */
export function parseCursor(after: string): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(after, 'base64url').toString());
    if (
      Array.isArray(key) &&
      key.length > 0 &&
      key.every((each) => typeof each === 'string' || typeof each === 'number')
    )
      return key;
  } catch {
    // It was made up.
  }
  throw new BrokerError('malformed-http-request', 'after is the next of the page before');
}
