import type { Position } from '../../internal/protocol/frame/positions.ts';
import { matchesFilter } from '../../internal/topic.ts';
import type { MessageHandler } from './message.ts';
import { type Deferred, defer } from './requests.ts';
import type { SubscriptionParts } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';

/** One filter, which several subscriptions may share. */
export interface FilterEntry {
  readonly filter: string;
  readonly subscriptions: Set<Subscription>;
  /** What the broker is asked for beside the filter. */
  readonly parts: SubscriptionParts;
  /** Settles when the broker has answered for the first time. */
  readonly acknowledged: Deferred<void>;
  /** Whether the broker has answered on this connection. */
  isAcknowledged: boolean;
  /** Whether it ever has, so that nobody awaits it any more. */
  wasAcknowledged: boolean;
  /** Whether the request was among the first of this connection, ahead of all messages. */
  isRestored: boolean;
  /** Whether what the broker has kept is read. */
  readonly isReplay: boolean;
  /** Where the replay is in each partition of each log. */
  readonly positions: Map<string, Position>;
  /** Whether the positions are all there are, so that a new connection goes on from them. */
  hasPositions: boolean;
}

const REPLAY_PREFIX = '$replay/';

/** The filters of a client, in the order in which they were requested. */
export class Filters {
  readonly #entries = new Map<string, FilterEntry>();
  /** Whether the broker of this connection tells where replays are, so that what is not theirs is not for them. */
  #tellsPositions = false;

  get(filter: string): FilterEntry | undefined {
    return this.#entries.get(filter);
  }

  add(filter: string, parts: SubscriptionParts): FilterEntry {
    const entry: FilterEntry = {
      filter,
      subscriptions: new Set(),
      parts,
      acknowledged: defer(),
      isAcknowledged: false,
      wasAcknowledged: false,
      isRestored: false,
      isReplay: filter.startsWith(REPLAY_PREFIX),
      positions: new Map(),
      hasPositions: false,
    };
    this.#entries.set(filter, entry);
    return entry;
  }

  delete(entry: FilterEntry): void {
    if (this.#entries.get(entry.filter) === entry) this.#entries.delete(entry.filter);
  }

  /**
   * A new connection, on which everything is requested again.
   *
   * @param tellsPositions whether its broker can go on with a replay where the connection before had it.
   */
  restore(tellsPositions: boolean): FilterEntry[] {
    this.#tellsPositions = tellsPositions;
    for (const entry of this.#entries.values()) {
      entry.isAcknowledged = false;
      entry.isRestored = true;
      if (tellsPositions && entry.hasPositions) continue;
      entry.positions.clear();
      entry.hasPositions = false;
    }
    return [...this.#entries.values()];
  }

  /** The broker answered: for this filter, or, where it names none, for the oldest that waits. */
  acknowledge(filter: string): void {
    const entry = filter === '' ? this.oldestUnacknowledged() : this.#entries.get(filter);
    if (entry === undefined) return;
    entry.isAcknowledged = true;
    entry.wasAcknowledged = true;
    entry.hasPositions = entry.isReplay && this.#tellsPositions;
    entry.acknowledged.resolve();
  }

  oldestUnacknowledged(): FilterEntry | undefined {
    for (const entry of this.#entries.values()) if (!entry.isAcknowledged) return entry;
    return undefined;
  }

  /** Adds the handlers of all subscriptions that a topic matches, without the replays whose messages are told apart. */
  collectHandlers(topic: string, handlers: MessageHandler[]): void {
    for (const { filter, isReplay, subscriptions } of this.#entries.values()) {
      if ((isReplay && this.#tellsPositions) || !matchesFilter(filter, topic)) continue;
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
