import { matchesFilter } from '../../internal/topic.ts';
import type { MessageHandler } from './inbox.ts';
import { type Deferred, defer } from './requests.ts';
import type { Subscription } from './subscription.ts';

/** One filter, which several subscriptions may share. */
export interface FilterEntry {
  readonly filter: string;
  readonly subscriptions: Set<Subscription>;
  /** Settles when the broker has answered for the first time. */
  readonly acknowledged: Deferred<void>;
  /** Whether the broker has answered on this connection. */
  isAcknowledged: boolean;
  /** Whether it ever has, so that nobody awaits it any more. */
  wasAcknowledged: boolean;
  /** Whether the request was among the first of this connection, ahead of all messages. */
  isRestored: boolean;
}

/** The filters of a client, in the order in which they were requested. */
export class Filters {
  readonly #entries = new Map<string, FilterEntry>();

  get(filter: string): FilterEntry | undefined {
    return this.#entries.get(filter);
  }

  add(filter: string): FilterEntry {
    const entry: FilterEntry = {
      filter,
      subscriptions: new Set(),
      acknowledged: defer(),
      isAcknowledged: false,
      wasAcknowledged: false,
      isRestored: false,
    };
    this.#entries.set(filter, entry);
    return entry;
  }

  delete(entry: FilterEntry): void {
    if (this.#entries.get(entry.filter) === entry) this.#entries.delete(entry.filter);
  }

  /** A new connection, on which everything is requested again. */
  restore(): string[] {
    for (const entry of this.#entries.values()) {
      entry.isAcknowledged = false;
      entry.isRestored = true;
    }
    return [...this.#entries.keys()];
  }

  /** The broker answered: for this filter, or, where it names none, for the oldest that waits. */
  acknowledge(filter: string): void {
    const entry = filter === '' ? this.oldestUnacknowledged() : this.#entries.get(filter);
    if (entry === undefined) return;
    entry.isAcknowledged = true;
    entry.wasAcknowledged = true;
    entry.acknowledged.resolve();
  }

  oldestUnacknowledged(): FilterEntry | undefined {
    for (const entry of this.#entries.values()) if (!entry.isAcknowledged) return entry;
    return undefined;
  }

  /** Adds the handlers of all subscriptions that a topic matches. */
  collectHandlers(topic: string, handlers: MessageHandler[]): void {
    for (const { filter, subscriptions } of this.#entries.values()) {
      if (!matchesFilter(filter, topic)) continue;
      for (const subscription of subscriptions) handlers.push(subscription.deliver);
    }
  }

  /** Takes everything out. */
  clear(): FilterEntry[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries;
  }
}
