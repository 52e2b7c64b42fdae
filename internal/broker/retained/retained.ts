import type { Identity } from '../../access/identity.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { type DueTimes, Schedule } from '../../lib/schedule.ts';
import { maxRetainedBytes, maxRetainedMessages } from '../../limits/broker.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { isReservedTopic } from '../../topic.ts';
import type { Source } from '../delivery/channel.ts';
import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { RetainedAccounts, type RetainedBound } from './retained-accounts.ts';
import { TopicTree } from './topic-tree.ts';

/** Where retained messages last. Each call is remembered in the order of the calls. */
export interface RetainedStore {
  /** Whether more waits to be written than is good for anybody. */
  readonly isBehind: boolean;
  /** Whether that is so of retained messages alone. */
  readonly isBehindWithRetained?: boolean;
  /** Pauses a publisher until that is over. */
  holdBack(feeder: Source): void;
  putRetained(message: Message, receipt?: Receipt): void;
  deleteRetained(topic: string, receipt?: Receipt): void;
  /** The time of a message is over. */
  expireRetained(topic: string): void;
  /** @throws BrokerError `message-too-large` where it cannot have such a message. */
  checkRetained?(message: Message): void;
}

/** The store of a broker that keeps retained messages in memory only. */
export const noRetainedStore: RetainedStore = {
  isBehind: false,
  holdBack() {},
  putRetained() {},
  deleteRetained() {},
  expireRetained() {},
};

/** What bounds the bytes that a publisher may have retained. */
export type RetainedBounds = (publisher: Identity) => readonly RetainedBound[];

/** The last retained message of each topic. */
export class Retained {
  /** Where changes are written to. */
  readonly store: RetainedStore;
  readonly #clock: Clock;
  readonly #topics = new TopicTree<Message>();
  readonly #expiring: DueTimes<string>;
  readonly #accounts = new RetainedAccounts();
  readonly #boundsOf: RetainedBounds;
  #bytes = 0;
  /** Those that the broker tells of itself. */
  #ownCount = 0;
  #ownBytes = 0;

  constructor(
    metrics: Metrics,
    schedule = new Schedule(systemClock),
    store: RetainedStore = noRetainedStore,
    boundsOf: RetainedBounds = () => [],
  ) {
    this.#boundsOf = boundsOf;
    this.#clock = schedule.clock;
    this.#expiring = schedule.kind((topic, nowMs) => this.#expire(topic, nowMs));
    this.store = store;
    metrics.gauge('retained_messages', () => this.countOfClients);
    metrics.gauge('retained_bytes', () => this.#bytes - this.#ownBytes);
  }

  /** Without those that the broker tells of itself. */
  get countOfClients(): number {
    return this.count - this.#ownCount;
  }

  get count(): number {
    return this.#topics.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Puts a message in the place of the one its topic had; one without payload clears it.
   *
   * @param receipt held until the store has that.
   * @param publisher whose bytes they are, who may be bounded. Default: the client's of its id, which is not.
   * @throws BrokerError `too-many-retained`, `message-too-large`; the topic then keeps what it had.
   */
  set(message: Message, receipt?: Receipt, publisher?: Identity): void {
    if (message.payload.length === 0) {
      if (this.#remove(message.topic)) this.store.deleteRetained(message.topic, receipt);
      return;
    }
    const before = this.get(message.topic);
    const bytes = this.#bytes + messageBytes(message) - (before === undefined ? 0 : messageBytes(before));
    if ((before === undefined && this.count >= maxRetainedMessages) || bytes > maxRetainedBytes) {
      const { topic, payload } = message;
      const detail = `topic ${quoted(topic)}: ${this.count} are held`;
      throw new BrokerError('too-many-retained', detail, { topic, bytes: payload.length });
    }
    if (publisher !== undefined) this.#checkBounds(message, before, publisher);
    this.store.checkRetained?.(message);
    const kept = publisher?.user === undefined ? message : { ...message, user: publisher.user };
    this.#put(kept);
    this.store.putRetained(kept, receipt);
  }

  /** Takes over a message that the store has already. */
  restore(message: Message): void {
    this.#put(message);
  }

  /** Forgets a message that the store has no longer. */
  forget(topic: string): void {
    this.#remove(topic);
  }

  /** The retained message of a topic. */
  get(topic: string): Message | undefined {
    return this.#topics.get(topic);
  }

  /** Every message whose topic matches a well-formed filter, and which has not expired. */
  *find(filter: string, nowMs = this.#clock.now()): Generator<Message> {
    for (const message of this.#topics.find(filter)) if (!isExpired(message, nowMs)) yield message;
  }

  /** Every message that a client or a user has retained, whatever its topic begins with, and which has not expired. */
  *ofClients(): Generator<Message> {
    const nowMs = this.#clock.now();
    for (const message of this.#topics.below('')) {
      if (!isReservedTopic(message.topic) && !isExpired(message, nowMs)) yield message;
    }
  }

  /** The topics that begin with some levels, each with its slash; the broker's own as well. */
  *below(levels: string): Generator<string> {
    for (const { topic } of this.#topics.below(levels)) yield topic;
  }

  /** Whether a topic that matches a well-formed filter remembers anything. */
  has(filter: string): boolean {
    return this.count > 0 && this.find(filter).next().done !== true;
  }

  #checkBounds(message: Message, before: Message | undefined, publisher: Identity): void {
    const bounds = this.#boundsOf(publisher);
    const exceeded = bounds.length > 0 && this.#accounts.exceeded(message, before, publisher, bounds);
    if (!exceeded) return;
    const whose = exceeded.isOfClient || publisher.user === undefined ? 'the client' : 'the user';
    const detail = `topic ${quoted(message.topic)}: ${whose} may have ${exceeded.most} bytes retained`;
    throw new BrokerError('too-many-retained', detail);
  }

  #expire(topic: string, nowMs: number): void {
    const message = this.get(topic);
    if (message?.expiresAtMs === undefined) return;
    if (message.expiresAtMs > nowMs) {
      this.#expiring.add(message.expiresAtMs, topic);
      return;
    }
    this.#remove(topic);
    this.store.expireRetained(topic);
  }

  #put(message: Message): void {
    const before = this.#topics.set(message.topic, message);
    if (before !== undefined) this.#count(before, -1);
    this.#count(message, 1);
    if (message.expiresAtMs !== undefined) this.#expiring.add(message.expiresAtMs, message.topic);
  }

  #remove(topic: string): boolean {
    const message = this.#topics.delete(topic);
    if (message === undefined) return false;
    this.#count(message, -1);
    return true;
  }

  /** @param sign 1 for a message that has come, -1 for one that has gone. */
  #count(message: Message, sign: 1 | -1): void {
    const bytes = sign * messageBytes(message);
    this.#bytes += bytes;
    if (sign === 1) this.#accounts.add(message);
    else this.#accounts.remove(message);
    if (!isReservedTopic(message.topic)) return;
    this.#ownCount += sign;
    this.#ownBytes += bytes;
  }
}

export function isExpired({ expiresAtMs }: Message, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}
