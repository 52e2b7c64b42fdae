import type { Message } from '../delivery/publication.ts';
import type { Match } from './subscription.ts';

/** Retained messages on their way to a subscription. */
export interface RetainedFeed {
  messages: Iterator<Message>;
  match: Match;
}

/** What the subscriptions of one session are still to get of the retained messages. */
export class RetainedDebt {
  readonly #feeds = new Map<string, RetainedFeed>();
  /** By filter whose retained messages have not all arrived: whether they are on their way. */
  readonly #owed = new Map<string, boolean>();

  get isEmpty(): boolean {
    return this.#feeds.size === 0 && this.#owed.size === 0;
  }

  /** By filter; the next connection goes on with them. */
  get feeds(): ReadonlyMap<string, RetainedFeed> {
    return this.#feeds;
  }

  /** The filters whose retained messages have not all arrived. */
  get owedFilters(): readonly string[] {
    return [...this.#owed.keys()];
  }

  /** Whether some of what is on its way is to be acknowledged. */
  get isAcknowledged(): boolean {
    for (const { match } of this.#feeds.values()) if (match.qos > 0) return true;
    return false;
  }

  /** Remembers with the session that it is owed the retained messages of a filter, until they have arrived. */
  owe(filter: string): void {
    this.#owed.set(filter, false);
  }

  begin(filter: string, feed: RetainedFeed): void {
    this.#feeds.set(filter, feed);
    if (this.#owed.has(filter)) this.#owed.set(filter, true);
  }

  /** Whether a feed ended by that. */
  endFeed(filter: string): boolean {
    return this.#feeds.delete(filter);
  }

  /** The subscription is gone. */
  forget(filter: string): void {
    this.#feeds.delete(filter);
    this.#owed.delete(filter);
  }

  /** Everything that was on its way has arrived; whether anything is owed no longer. */
  settle(): boolean {
    if (this.#feeds.size > 0) return false;
    const before = this.#owed.size;
    for (const [filter, isOnItsWay] of this.#owed) if (isOnItsWay) this.#owed.delete(filter);
    return this.#owed.size < before;
  }
}
