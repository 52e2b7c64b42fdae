import type { PatternEntry } from './coverage.ts';
import { matchesPattern, type TopicPattern } from './topic-pattern.ts';

/** With fewer patterns than this a look through all of them is as fast. */
const FEW = 16;

/**
 * Many patterns, to find those that may match a topic: they are kept apart by their first levels. What is found is in the
 * order of the list.
 */
export class TopicIndex<E extends PatternEntry> {
  readonly #all: readonly E[];
  /** By the first two levels, where a pattern has both as text. */
  readonly #byTwo: Map<string, E[]> | undefined;
  /** By the first level alone, where the second is anything. */
  readonly #byFirst: Map<string, E[]> | undefined;
  readonly #others: E[] = [];

  constructor(entries: readonly E[]) {
    this.#all = entries;
    if (entries.length < FEW) return;
    this.#byTwo = new Map();
    this.#byFirst = new Map();
    for (const entry of entries) this.#add(entry);
  }

  #add(entry: E): void {
    const [first, second] = entry.pattern.levels;
    if (typeof first !== 'string') this.#others.push(entry);
    else if (typeof second === 'string') addTo(this.#byTwo!, `${first}/${second}`, entry);
    else addTo(this.#byFirst!, first, entry);
  }

  /** The first entry that matches a topic. */
  first(topic: readonly string[]): E | undefined {
    if (this.#byTwo === undefined) return firstOf(this.#all, topic);
    let found = firstOf(this.#others, topic);
    found = earlier(found, firstOf(this.#byFirst!.get(topic[0]!), topic));
    return earlier(found, firstOf(this.#byTwo.get(`${topic[0]}/${topic[1]}`), topic));
  }

  /** The entries that may match a topic of a filter. */
  near({ levels, rest }: TopicPattern): readonly E[] {
    const [first, second] = levels;
    if (this.#byTwo === undefined || typeof first !== 'string') return this.#all;
    if (typeof second !== 'string' && !(levels.length === 1 && rest === 'nothing')) return this.#all;
    const lists = [this.#others, this.#byFirst!.get(first), this.#byTwo.get(`${first}/${second}`)];
    return mergeByOrder(lists.filter((list) => list !== undefined));
  }
}

/** Lists in the order of the rules as one such list. */
export function mergeByOrder<E extends { order: number }>(lists: readonly (readonly E[])[]): readonly E[] {
  const filled = lists.filter((list) => list.length > 0);
  if (filled.length <= 1) return filled[0] ?? [];
  return filled.flat().sort((a, b) => a.order - b.order);
}

/** The one that comes first in the list. */
export function earlier<E extends { order: number }>(a: E | undefined, b: E | undefined): E | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.order <= b.order ? a : b;
}

function firstOf<E extends PatternEntry>(
  entries: readonly E[] | undefined,
  topic: readonly string[],
): E | undefined {
  return entries?.find(({ pattern }) => matchesPattern(pattern, topic));
}

function addTo<E>(map: Map<string, E[]>, key: string, entry: E): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}
