import type { Identity } from '../../access/identity.ts';
import { parseShared } from '../../topic.ts';
import type { Source } from '../delivery/channel.ts';
import { detach, type Message, type Publication } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { Member } from '../routing/targets.ts';
import { Backlog } from './backlog.ts';
import { Outbox, type OutboxEvents, type OutboxLimits, type Outlet, type SentAs } from './outbox.ts';
import type { Outgoing } from './outgoing.ts';
import type { SessionStore } from './session-store.ts';
import { join, type Match, type Subscription, Subscriptions } from './subscription.ts';
import type { WaitingTotal } from './waiting-total.ts';
import type { Will } from './will.ts';

/** Retained messages on their way to a subscription. */
export interface RetainedFeed {
  messages: Iterator<Message>;
  match: Match;
}

/**
 * What is known of a QoS 2 message that has arrived and is not released: whether its log has it, where there is one. Its
 * receipt tells while that is open.
 */
export type Arrived = Receipt | 'kept' | 'lost';

/** Events of a session, for the store that keeps it. */
export interface SessionEvents extends OutboxEvents {
  /** @param bytes what they take on the wire, roughly. */
  delivered(count: number, bytes: number): void;
  /** The queue is full and a message was not taken; whether it is the first since the queue was shorter. */
  dropped(session: Session, message: Message, isFirst: boolean): void;
  /** Something that is written down has changed. */
  changed(session: Session, receipt?: Receipt): void;
}

export interface SessionParts {
  /** The identity that opened it. */
  owner: Identity;
  expiryMs: number;
  hasOwnExpiry: boolean;
  limits: OutboxLimits;
  total: WaitingTotal;
  /** How long publishers wait for a long queue. */
  waitMs: number;
  /** The time of day. */
  now: () => number;
  store: SessionStore;
  events: SessionEvents;
}

const NO_FILTERS: readonly string[] = [];
const NO_FEEDS: ReadonlyMap<string, RetainedFeed> = new Map();
/** A full queue that has come down to this is a new one when it is full again. */
const RECOVERED_AT = 0.5;

/**
 * The state of a client between its connections: subscriptions, messages that are on their way in either direction.
 * The broker gives it every message of its filters, whether its client is there or not.
 */
export class Session implements Member {
  /** Its last owner. Another user's client does not take it over. */
  owner: Identity;
  readonly store: SessionStore;
  readonly outbox: Outbox;
  /** How long it outlasts its connection; 0: not at all; Infinity: for ever. */
  expiryMs: number;
  /** Whether its client said so itself, and not the broker, which may say something else when it starts again. */
  hasOwnExpiry: boolean;
  /** When its connection ended, by `Date.now()`. */
  endedAtMs: number | undefined;
  /** The will, until it is published or discarded. */
  will: Will | undefined;
  /** When that is due, by `Date.now()`; undefined while there is a connection. */
  willDueAtMs: number | undefined;
  readonly #events: SessionEvents;
  readonly #backlog: Backlog;
  // Most clients have few of these or none, and there are many clients.
  #received: Map<number, Arrived> | undefined;
  #feeds: Map<string, RetainedFeed> | undefined;
  /** By filter whose retained messages have not all arrived: whether they are on their way. */
  #owed: Map<string, boolean> | undefined;
  #byFilter: Map<string, Subscription> | undefined;
  #shares: Map<string, Share> | undefined;
  #unshared: Subscriptions | undefined;
  #hasOverflowed = false;
  #outlet: Outlet | undefined;

  constructor(parts: SessionParts) {
    this.owner = parts.owner;
    this.expiryMs = parts.expiryMs;
    this.hasOwnExpiry = parts.hasOwnExpiry;
    this.store = parts.store;
    this.outbox = new Outbox({ ...parts, clientId: parts.owner.clientId });
    this.#events = parts.events;
    this.#backlog = new Backlog(parts.waitMs);
  }

  get clientId(): string {
    return this.owner.clientId;
  }

  /** QoS 2 messages that have arrived and are not released, by packet id. */
  get received(): Map<number, Arrived> {
    this.#received ??= new Map();
    return this.#received;
  }

  /** By filter, what its subscriptions are still to get of the retained messages; its next connection goes on with it. */
  get feeds(): ReadonlyMap<string, RetainedFeed> {
    return this.#feeds ?? NO_FEEDS;
  }

  /** The filters whose retained messages have not all arrived. */
  get owedFilters(): readonly string[] {
    return this.#owed === undefined ? NO_FILTERS : [...this.#owed.keys()];
  }

  /** Remembers with the session that it is owed the retained messages of a filter, until they have arrived. */
  owe(filter: string): void {
    this.#owed ??= new Map();
    this.#owed.set(filter, false);
  }

  beginFeed(filter: string, feed: RetainedFeed): void {
    this.#feeds ??= new Map();
    this.#feeds.set(filter, feed);
    if (this.#owed?.has(filter)) this.#owed.set(filter, true);
    if (feed.match.qos > 0) this.outbox.sharesWindow = true;
  }

  endFeed(filter: string): void {
    const feeds = this.#feeds;
    if (feeds?.delete(filter) !== true) return;
    if (feeds.size === 0) this.#feeds = undefined;
    this.outbox.sharesWindow = [...feeds.values()].some(({ match }) => match.qos > 0);
  }

  get isConnected(): boolean {
    return this.#outlet !== undefined;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#byFilter?.values() ?? [];
  }

  get subscriptionCount(): number {
    return this.#byFilter?.size ?? 0;
  }

  get isFull(): boolean {
    if (this.store.isBehind) return true;
    return this.#outlet !== undefined && (this.#outlet.channel.isFull || this.#backlog.isFull);
  }

  /** Whether another member of a group should get its share. */
  get isSlow(): boolean {
    return this.#outlet === undefined || this.#outlet.channel.isSlow || this.outbox.waiting > 0;
  }

  holdBack(feeder: Source, publication: Publication): void {
    const channel = this.#outlet?.channel;
    if (this.store.isBehind && this.#isToBeKept(publication)) this.store.holdBack(feeder);
    else if (channel?.isFull) channel.holdBack(feeder);
    else if (this.#outlet !== undefined && this.#backlog.isFull) this.#backlog.holdBack(feeder);
  }

  /** Whether the store has to keep something of a run: only who asked for that waits until the store has come after. */
  #isToBeKept(publication: Publication): boolean {
    if (publication.isPlain || (this.#shares === undefined && this.#unshared?.areAllQos0)) return false;
    const isOfQos0 = ({ qos = 0 }: Message) => qos === 0;
    return !publication.messages().every(isOfQos0);
  }

  /** The subscription of a filter. */
  subscription(filter: string): Subscription | undefined {
    return this.#byFilter?.get(filter);
  }

  /**
   * Puts a subscription in the place of the one with the same filter [MQTT-3.8.4-3]; who is to get its messages.
   *
   * @param receipt held until the store has it.
   */
  subscribe(subscription: Subscription, receipt?: Receipt): Member {
    const member = this.restore(subscription);
    this.#events.changed(this, receipt);
    return member;
  }

  /** Takes over a subscription that the store has already. */
  restore(subscription: Subscription): Member {
    const { filter } = subscription;
    this.#byFilter ??= new Map();
    const before = this.#byFilter.get(filter);
    this.#byFilter.set(filter, subscription);
    if (parseShared(filter) !== undefined) {
      this.#shares ??= new Map();
      let share = this.#shares.get(filter);
      if (share === undefined) {
        share = new Share(this, subscription);
        this.#shares.set(filter, share);
      }
      share.subscription = subscription;
      return share;
    }
    this.#unshared ??= new Subscriptions();
    if (before !== undefined) this.#unshared.remove(before);
    this.#unshared.add(subscription);
    return this;
  }

  /** Ends a subscription; who got its messages, or undefined where there is none. */
  unsubscribe(filter: string, receipt?: Receipt): Member | undefined {
    const subscription = this.#byFilter?.get(filter);
    if (subscription === undefined) return undefined;
    this.#byFilter?.delete(filter);
    this.endFeed(filter);
    this.#owed?.delete(filter);
    this.#events.changed(this, receipt);
    const share = this.#shares?.get(filter);
    if (share === undefined) this.#unshared?.remove(subscription);
    this.#shares?.delete(filter);
    return share ?? this;
  }

  /** The receiver of the messages of a subscription: the session, or its share of a group. */
  memberOf(filter: string): Member {
    return this.#shares?.get(filter) ?? this;
  }

  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.endedAtMs = undefined;
    this.outbox.attach(outlet);
    this.#events.changed(this);
  }

  detach(nowMs: number): void {
    this.#outlet = undefined;
    this.endedAtMs = nowMs;
    this.outbox.detach();
    this.#backlog.release();
    if (this.expiryMs > 0) this.#events.changed(this);
  }

  deliver(publication: Publication): void {
    const outlet = this.#outlet;
    if (publication.isPlain || (publication.isFromLog && this.#unshared?.areAllQos0)) {
      // QoS 0 is for who is there.
      if (outlet === undefined) return;
      if (outlet.takesRuns && this.#unshared?.areAllPlain) {
        outlet.channel.deliver(publication);
        this.#events.delivered(publication.count, publication.end - publication.start);
        return;
      }
    }
    for (const message of publication.messages()) {
      const match = this.#unshared?.match(message, this.clientId);
      if (match === undefined) continue;
      if (publication.isFromLog && match.qos > 0) detach(message);
      this.take(message, match, undefined, publication.receipt);
    }
    this.pump();
  }

  /** Takes its share of a group's messages. */
  deliverShare(publication: Publication, subscription: Subscription): void {
    const outlet = this.#outlet;
    const isQos0 = publication.isPlain || (publication.isFromLog && subscription.qos === 0);
    if (isQos0 && outlet?.takesRuns && subscription.identifier === undefined) {
      outlet.channel.deliver(publication);
      this.#events.delivered(publication.count, publication.end - publication.start);
      return;
    }
    const match = join([subscription])!;
    for (const message of publication.messages()) {
      if (publication.isFromLog && match.qos > 0) detach(message);
      this.take(message, match, subscription.filter, publication.receipt);
    }
    this.pump();
  }

  /**
   * Sends a message of the retained store, which says so, if the client takes it now; false where it does not. It lies in
   * that store, so none of it waits here.
   */
  sendRetained(message: Message, { qos: mostQos, identifiers }: Match): boolean {
    const qos = Math.min(message.qos ?? 0, mostQos) as 0 | 1 | 2;
    const delivery = { qos, retain: true, identifiers, isFromStore: true };
    if (qos > 0) {
      if (!this.outbox.sendBorrowed(message, { ...delivery, qos: qos as 1 | 2 })) return false;
    } else if (this.#outlet === undefined) {
      return false;
    } else {
      this.#sendOnce(message, delivery);
    }
    this.#events.delivered(1, message.topic.length + message.payload.length);
    return true;
  }

  /** Takes a message; {@link pump} sends what has to wait for acknowledgements. */
  take(message: Message, match: Match, shared: string | undefined, receipt: Receipt | undefined): void {
    const qos = Math.min(message.qos ?? 0, match.qos) as 0 | 1 | 2;
    // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    const retain = match.retainAsPublished && message.retain === true;
    const { identifiers } = match;
    if (qos === 0) {
      if (this.#outlet === undefined) return;
      this.#sendOnce(message, { qos, retain, identifiers });
    } else if (!this.outbox.offer(message, { qos, retain, identifiers, shared }, receipt)) {
      this.#events.dropped(this, message, !this.#hasOverflowed);
      this.#hasOverflowed = true;
      return;
    }
    this.#events.delivered(1, message.topic.length + message.payload.length);
  }

  /** Sends a message of QoS 0 to a client that is there. */
  #sendOnce(message: Message, delivery: SentAs): void {
    if (!this.#outlet!.send(message, delivery, 0, false)) this.#events.unsent('dropped', 'packet-too-large');
  }

  /** Sends what waits, as far as the client takes it. */
  pump(): void {
    if (this.#outlet === undefined) return;
    this.outbox.pump();
    const { fill } = this.outbox;
    this.#backlog.update(fill);
    if (fill < RECOVERED_AT) this.#hasOverflowed = false;
    if (this.#owed !== undefined) this.#settleOwed();
  }

  #settleOwed(): void {
    if (this.#feeds !== undefined || this.outbox.borrowed > 0) return;
    const open = [...this.#owed!].filter(([, isOnItsWay]) => !isOnItsWay);
    if (open.length === this.#owed!.size) return;
    this.#owed = open.length === 0 ? undefined : new Map(open);
    this.#events.changed(this);
  }

  /** Forgets the messages that have arrived and are not released, in the store too. */
  forgetReceived(): void {
    if (this.#received === undefined) return;
    for (const packetId of this.#received.keys()) this.store.deleteReceived(this.clientId, packetId);
    this.#received.clear();
  }

  /** Takes out what another member of its groups may have now. */
  takeShared(isWanted: (filter: string) => boolean): Outgoing[] {
    return this.outbox.takeShared(isWanted);
  }
}

/** A session's share of `$share/GROUP/FILTER`, which has its own options. */
class Share implements Member {
  subscription: Subscription;
  readonly #session: Session;

  constructor(session: Session, subscription: Subscription) {
    this.#session = session;
    this.subscription = subscription;
  }

  get isFull(): boolean {
    return this.#session.isFull;
  }

  get isSlow(): boolean {
    return this.#session.isSlow;
  }

  holdBack(feeder: Source, publication: Publication): void {
    this.#session.holdBack(feeder, publication);
  }

  deliver(publication: Publication): void {
    this.#session.deliverShare(publication, this.subscription);
  }
}
