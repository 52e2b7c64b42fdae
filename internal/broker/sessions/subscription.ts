import { sessionTopicsRemembered } from '../../limits/broker.ts';
import { matchesFilter } from '../../topic.ts';
import type { Message, Qos } from '../delivery/publication.ts';
import { TopicTrie } from '../routing/topic-trie.ts';

/** A filter of a session, with what its client wants of the messages that match. */
export interface Subscription {
  readonly filter: string;
  /** The highest QoS of what is delivered. */
  readonly qos: Qos;
  /** Not what this client itself published. */
  readonly noLocal: boolean;
  /** Whether delivered messages say that they were to be retained. */
  readonly retainAsPublished: boolean;
  /** A number that is delivered with each message. */
  readonly tag: number | undefined;
}

/** The combined effect of several subscriptions of a session that match one topic. */
export interface Match {
  readonly qos: Qos;
  readonly retainAsPublished: boolean;
  readonly tags: readonly number[];
}

/** A subscription to all of a filter with QoS 0. */
export function simpleSubscription(filter: string): Subscription {
  return { filter, qos: 0, noLocal: false, retainAsPublished: false, tag: undefined };
}

const NO_TAGS: readonly number[] = [];
/** Subscriptions that are compared one by one. Most clients have no more, and need no tree of their own. */
export const MOST_COMPARED = 8;

/**
 * Joins subscriptions: one copy, with the highest QoS and all the tags; undefined
 * where there are none.
 */
export function join(subscriptions: Iterable<Subscription>): Match | undefined {
  let qos: Qos | undefined;
  let retainAsPublished = false;
  let tags = NO_TAGS as number[];
  for (const subscription of subscriptions) {
    if (qos === undefined || subscription.qos > qos) qos = subscription.qos;
    retainAsPublished ||= subscription.retainAsPublished;
    if (subscription.tag === undefined) continue;
    if (tags === NO_TAGS) tags = [];
    if (!tags.includes(subscription.tag)) tags.push(subscription.tag);
  }
  return qos === undefined ? undefined : { qos, retainAsPublished, tags };
}

/** The subscriptions of one session that are not shared, and which of them match a topic. */
export class Subscriptions {
  /** All of them, while they are few. */
  #few: Subscription[] = [];
  /** All of them, once they were many. */
  #trie: TopicTrie<Subscription> | undefined;
  #remembered: Map<string, Match | undefined> | undefined;
  /** How many want something else of a plain message than its bytes. */
  #special = 0;
  #noLocal = 0;
  #total = 0;
  /** How many want more than QoS 0. */
  #acknowledged = 0;
  #qos1 = 0;
  #retainAsPublished = 0;

  /** Whether every plain message of every topic that matches is wanted as it is. */
  get areAllPlain(): boolean {
    return this.#special === 0;
  }

  /** Whether none of them wants more than QoS 0. */
  get areAllQos0(): boolean {
    return this.#acknowledged === 0;
  }

  /** Whether every message with this QoS that matches is wanted with QoS 1, and nothing said of its subscription. */
  takeAllAsQos1(qos: Qos): boolean {
    if (this.#special > 0) return false;
    return (qos === 1 ? this.#acknowledged : this.#qos1) === this.#total;
  }

  /** Whether every message that matches, plain or not, is wanted with QoS 0 and nothing said of its subscription. */
  get areAllSimple(): boolean {
    return this.#special === 0 && this.#acknowledged === 0 && this.#retainAsPublished === 0;
  }

  add(subscription: Subscription): void {
    if (this.#trie === undefined && this.#few.length === MOST_COMPARED) {
      this.#trie = new TopicTrie();
      for (const one of this.#few) this.#trie.insert(one.filter, one);
      this.#few = [];
    }
    if (this.#trie !== undefined) this.#trie.insert(subscription.filter, subscription);
    // An array that is written out has no room for more.
    else if (this.#few.length === 0) this.#few = [subscription];
    else this.#few.push(subscription);
    this.#count(subscription, 1);
  }

  remove(subscription: Subscription): void {
    if (this.#trie === undefined) this.#few = this.#few.filter((one) => one !== subscription);
    else this.#trie.remove(subscription.filter, subscription);
    this.#count(subscription, -1);
  }

  /**
   * Their combined effect for a message; undefined where none matches.
   *
   * @param isOwn whether the client published it itself.
   */
  match({ topic }: Message, isOwn: boolean): Match | undefined {
    if (this.#noLocal > 0 && isOwn) {
      return join([...this.#matching(topic)].filter(({ noLocal }) => !noLocal));
    }
    this.#remembered ??= new Map();
    if (this.#remembered.has(topic)) return this.#remembered.get(topic);
    const match = join(this.#matching(topic));
    if (this.#remembered.size >= sessionTopicsRemembered) this.#remembered.clear();
    this.#remembered.set(topic, match);
    return match;
  }

  /** The filters that match a topic. */
  *filtersOf(topic: string): Iterable<string> {
    for (const { filter } of this.#matching(topic)) yield filter;
  }

  #matching(topic: string): Iterable<Subscription> {
    if (this.#trie !== undefined) return this.#trie.match(topic);
    return this.#few.filter(({ filter }) => matchesFilter(filter, topic));
  }

  #count({ noLocal, tag, qos, retainAsPublished }: Subscription, change: 1 | -1): void {
    this.#remembered?.clear();
    if (retainAsPublished) this.#retainAsPublished += change;
    this.#total += change;
    if (qos > 0) this.#acknowledged += change;
    if (qos === 1) this.#qos1 += change;
    if (noLocal) this.#noLocal += change;
    if (noLocal || tag !== undefined) this.#special += change;
  }
}
