import { listItems } from '../../limits/admin.ts';
import { cursorOf, type PageQuery, parseCursor } from '../pages.ts';

/** What is known of a level below another one. */
export interface LevelChild {
  readonly name: string;
  readonly topic: string;
  hasChildren: boolean;
  retained: boolean;
  log?: { name: string; partitions: number; records: number; bytes: number };
  lastPublishedAt?: string | undefined;
  published?: number;
  perSecond?: number;
}

/**
 * A page of the levels right below some others, gathered from topics in any order. However many there are, no more than two
 * pages of them are remembered.
 */
export class LevelPage {
  readonly #under: string;
  readonly #limit: number;
  readonly #maySee: (topic: string) => boolean;
  /** Names up to this one are on pages before. */
  readonly #after: string | undefined;
  readonly #children = new Map<string, LevelChild>();
  /** Names behind this one are not on this page. */
  #last: string | undefined;

  /**
   * @param under the levels above, each with its slash.
   * @throws BrokerError `malformed-http-request` where the page is to begin nowhere.
   */
  constructor(under: string, { limit = listItems, after }: PageQuery, maySee: (topic: string) => boolean) {
    this.#under = under;
    this.#limit = limit;
    this.#maySee = maySee;
    this.#after = after === undefined ? undefined : String(parseCursor(after)[0]);
  }

  /** Takes a topic into account. Returns its level where that is the last one of the topic, and on this page. */
  add(topic: string): LevelChild | undefined {
    if (!topic.startsWith(this.#under)) return undefined;
    const start = this.#under.length;
    const slash = topic.indexOf('/', start);
    const name = slash < 0 ? topic.slice(start) : topic.slice(start, slash);
    if (this.#after !== undefined && name <= this.#after) return undefined;
    if (this.#last !== undefined && name > this.#last) return undefined;
    const known = this.#children.get(name);
    if (slash >= 0 && known?.hasChildren === true) return undefined;
    if (!this.#maySee(topic)) return undefined;
    const child = known ?? { name, topic: this.#under + name, hasChildren: false, retained: false };
    if (slash >= 0) child.hasChildren = true;
    if (known === undefined) this.#put(child);
    return slash < 0 ? child : undefined;
  }

  page(): { children: LevelChild[]; next?: string } {
    const children = this.#sorted();
    if (children.length <= this.#limit) return { children };
    const page = children.slice(0, this.#limit);
    return { children: page, next: cursorOf([page.at(-1)!.name]) };
  }

  #put(child: LevelChild): void {
    this.#children.set(child.name, child);
    if (this.#children.size < 2 * (this.#limit + 1)) return;
    const sorted = this.#sorted();
    for (const { name } of sorted.slice(this.#limit + 1)) this.#children.delete(name);
    this.#last = sorted[this.#limit]!.name;
  }

  #sorted(): LevelChild[] {
    return [...this.#children.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}
