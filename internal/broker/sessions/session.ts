import type { Identity } from '../../access/identity.ts';
import { BrokerError, type ErrorCode } from '../../errors.ts';
import { lesserQos } from '../../lib/qos.ts';
import { maxSubscriptionsPerClient } from '../../limits/broker.ts';
import type { Tracing } from '../../observe/tracing.ts';
import type { Channel, Source } from '../delivery/channel.ts';
import type { Message, Publication, Qos } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { Routes } from '../routing/routes.ts';
import type { Member } from '../routing/targets.ts';
import { Backlog } from './backlog.ts';
import { Outbox, type OutboxEvents, type OutboxOwner } from './outbox.ts';
import type { Outgoing } from './outgoing.ts';
import type { Outlet, SentAs } from './outlet.ts';
import { RetainedDebt, type RetainedFeed } from './retained-debt.ts';
import { SessionFilters } from './session-filters.ts';
import type { SessionRules } from './session-rules.ts';
import type { SessionStore } from './session-store.ts';
import type { ShareOwner } from './share.ts';
import { join, type Match, type Subscription } from './subscription.ts';
import type { OutboxLimits } from './waiting-queue.ts';
import type { WaitingTotal } from './waiting-total.ts';

export type { RetainedFeed } from './retained-debt.ts';

/**
 * What is known of a message that has arrived and is not released: whether its log has it, where there is one. Its
 * receipt tells while that is open.
 */
export type Arrived = Receipt | 'kept' | 'lost';

/** Events of a session, for the store that keeps it. */
export interface SessionEvents extends OutboxEvents {
  /** @param bytes what they take on the wire, roughly. */
  delivered(count: number, bytes: number): void;
  /** The queue is full and a message was not taken; whether it is the first since the queue was shorter. */
  dropped(session: Session, message: Message, isFirst: boolean): void;
  /** A message was not sent, and will not be. */
  unsent(session: Session, outcome: 'expired' | 'dropped', code: ErrorCode, message: Message): void;
  /** Something that is written down has changed. */
  changed(session: Session, receipt?: Receipt): void;
  /** It has a subscription more, or less. */
  subscribed(change: 1 | -1): void;
}

/** What all sessions of a broker share. */
export interface SessionContext {
  /** Where their filters are registered. */
  routes: Routes;
  limits: OutboxLimits;
  total: WaitingTotal;
  /** How long publishers wait for a long queue. */
  waitMs: number;
  /** The time of day. */
  now: () => number;
  /** What their owners may have. */
  rules: SessionRules;
  /** Who looks at messages on their way. */
  tracing: Tracing;
  /** How many bytes may wait for an owner, where that is less than {@link limits} say; Infinity: no less. */
  mostQueuedBytes: (owner: Identity) => number;
  events: SessionEvents;
}

export interface SessionParts {
  /** The identity that opened it. */
  owner: Identity;
  expiryMs: number;
  hasOwnExpiry: boolean;
  store: SessionStore;
  context: SessionContext;
}

const NO_FEEDS: ReadonlyMap<string, RetainedFeed> = new Map();
const NO_FILTERS: readonly string[] = [];
/** A full queue that has come down to this is a new one when it is full again. */
const RECOVERED_AT = 0.5;

/**
 * The one way to be a subscriber: what a client subscribed to, and the messages that are on their way in either direction.
 * It may outlast the client's connection, and then gets every message of its filters, whether its client is there or not.
 * One that does not, and wants nothing but QoS 0, has the broker give its messages to the channel of its client directly.
 *
 * It is longer than other classes because it is the one object that doors, routes and store know of a client; what it
 * does by itself is how a message goes to its client, and its parts do the rest.
 */
export class Session implements ShareOwner, OutboxOwner, OutboxLimits {
  /** Its last owner. Another user's client does not take it over. */
  owner: Identity;
  readonly store: SessionStore;
  /** How long it outlasts its connection; 0: not at all; Infinity: for ever. */
  expiryMs: number;
  /** Whether its client said so itself, and not the broker, which may say something else when it starts again. */
  hasOwnExpiry: boolean;
  /** When its connection ended, by `Date.now()`. */
  endedAtMs: number | undefined;
  readonly #context: SessionContext;
  #outlet: Outlet | undefined;
  // Most clients have few of these or none, and there are many clients.
  #outbox: Outbox | undefined;
  #backlog: Backlog | undefined;
  #received: Map<number, Arrived> | undefined;
  #retained: RetainedDebt | undefined;
  #filters: SessionFilters | undefined;
  #hasOverflowed = false;

  constructor(parts: SessionParts) {
    this.owner = parts.owner;
    this.expiryMs = parts.expiryMs;
    this.hasOwnExpiry = parts.hasOwnExpiry;
    this.store = parts.store;
    this.#context = parts.context;
  }

  get clientId(): string {
    return this.owner.clientId;
  }

  get isConnected(): boolean {
    return this.#outlet !== undefined;
  }

  /** The messages that its client acknowledges. */
  get outbox(): Outbox {
    if (this.#outbox === undefined) {
      this.#outbox = new Outbox({
        ...this.#context,
        limits: this,
        owner: this,
        store: this.store,
      });
      if (this.#outlet !== undefined) this.#outbox.attach(this.#outlet);
    }
    return this.#outbox;
  }

  get queueMessages(): number {
    return this.#context.limits.queueMessages;
  }

  /** Bytes that may wait: as the limits of its owner are now. */
  get queueBytes(): number {
    const { limits, mostQueuedBytes } = this.#context;
    return Math.min(limits.queueBytes, mostQueuedBytes(this.owner));
  }

  /** Messages that were not sent yet. */
  get waiting(): number {
    return this.#outbox?.waiting ?? 0;
  }

  get waitingBytes(): number {
    return this.#outbox?.waitingBytes ?? 0;
  }

  /** Messages that were sent and are not acknowledged. */
  get unacknowledged(): number {
    return this.#outbox?.unacknowledged ?? 0;
  }

  /** Messages that have arrived and are not released, by the sender's number. */
  get received(): Map<number, Arrived> {
    this.#received ??= new Map();
    return this.#received;
  }

  /** By filter, what its subscriptions are still to get of the retained messages; its next connection goes on with it. */
  get feeds(): ReadonlyMap<string, RetainedFeed> {
    return this.#retained?.feeds ?? NO_FEEDS;
  }

  /** The filters whose retained messages have not all arrived. */
  get owedFilters(): readonly string[] {
    return this.#retained?.owedFilters ?? NO_FILTERS;
  }

  /** Remembers with the session that it is owed the retained messages of a filter, until they have arrived. */
  owe(filter: string): void {
    this.#retained ??= new RetainedDebt();
    this.#retained.owe(filter);
  }

  beginFeed(filter: string, feed: RetainedFeed): void {
    this.#retained ??= new RetainedDebt();
    this.#retained.begin(filter, feed);
    if (feed.match.qos > 0) this.outbox.sharesWindow = true;
  }

  endFeed(filter: string): void {
    const retained = this.#retained;
    if (retained?.endFeed(filter) !== true) return;
    if (this.#outbox !== undefined) this.#outbox.sharesWindow = retained.isAcknowledged;
    if (retained.isEmpty) this.#retained = undefined;
  }

  *filters(): Iterable<string> {
    for (const { filter } of this.subscriptions) yield filter;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#filters?.all() ?? [];
  }

  get subscriptionCount(): number {
    return this.#filters?.count ?? 0;
  }

  get isFull(): boolean {
    if (this.store.isBehind) return true;
    return this.#outlet !== undefined && (this.#outlet.channel.isFull || this.#backlog?.isFull === true);
  }

  /** Whether another member of a group should get its share. */
  get isSlow(): boolean {
    return this.#outlet === undefined || this.#outlet.channel.isSlow || this.waiting > 0;
  }

  /** {@link Member.wouldDrop} of its shares. */
  wouldDrop(qos: Qos): boolean {
    if (qos > 0) return this.#outbox !== undefined && this.#outbox.fill >= 1;
    return this.#outlet === undefined || this.#outlet.channel.isSlow;
  }

  get direct(): Channel | undefined {
    const outlet = this.#outlet;
    if (outlet?.takesRuns !== true || this.expiryMs > 0) return undefined;
    return this.#filters?.unshared?.areAllSimple ? outlet.channel : undefined;
  }

  /** {@link Member.onceBy} of its shares. */
  get onceBy(): Channel | undefined {
    return this.#outlet?.takesOneCopy ? this.#outlet.channel : undefined;
  }

  holdBack(feeder: Source, publication: Publication): void {
    const channel = this.#outlet?.channel;
    if (this.store.isBehind && this.#isToBeKept(publication)) this.store.holdBack(feeder);
    else if (channel?.isFull) channel.holdBack(feeder);
    else if (this.#outlet !== undefined && this.#backlog?.isFull) this.#backlog.holdBack(feeder);
  }

  /** Whether the store has to keep something of a run: only who asked for that waits until the store has come after. */
  #isToBeKept(publication: Publication): boolean {
    const filters = this.#filters;
    if (publication.isPlain || (filters?.hasShared === false && filters.unshared?.areAllQos0)) return false;
    const isOfQos0 = ({ qos = 0 }: Message) => qos === 0;
    return !publication.messages().every(isOfQos0);
  }

  /** The subscription of a filter. */
  subscription(filter: string): Subscription | undefined {
    return this.#filters?.get(filter);
  }

  /**
   * Begins a subscription, or puts it in the place of the one with the same filter; whether it is a new one.
   *
   * @param receipt held until the store has it, and other nodes know of it.
   * @param most how many its client may have.
   * @throws BrokerError `too-many-subscriptions`.
   */
  subscribe(subscription: Subscription, receipt?: Receipt, most = maxSubscriptionsPerClient): boolean {
    const isNew = this.subscription(subscription.filter) === undefined;
    if (isNew && this.subscriptionCount >= most) {
      throw new BrokerError('too-many-subscriptions', `${this.subscriptionCount} filters are held`);
    }
    this.restore(subscription);
    const { events, routes } = this.#context;
    events.changed(this, receipt);
    if (receipt !== undefined) routes.holdUntilKnown?.(receipt);
    return isNew;
  }

  /** Takes over a subscription that the store has already. */
  restore(subscription: Subscription): void {
    const { filter } = subscription;
    const { routes, events } = this.#context;
    const directBefore = this.direct;
    this.#filters ??= new SessionFilters(this);
    const isNew = this.#filters.get(filter) === undefined;
    this.#filters.set(subscription);
    if (isNew) {
      events.subscribed(1);
      routes.attach(filter, this.memberOf(filter));
    } else if (this.direct !== directBefore) {
      routes.changed();
    }
  }

  /** Ends a subscription; whether there was one. */
  unsubscribe(filter: string, receipt?: Receipt): boolean {
    const subscription = this.#filters?.get(filter);
    if (subscription === undefined) return false;
    const member = this.memberOf(filter);
    this.#filters!.delete(subscription);
    this.endFeed(filter);
    this.#retained?.forget(filter);
    const { routes, events } = this.#context;
    events.changed(this, receipt);
    events.subscribed(-1);
    routes.detach(filter, member);
    return true;
  }

  unsubscribeAll(): void {
    for (const { filter } of [...this.subscriptions]) this.unsubscribe(filter);
  }

  /** The receiver of the messages of a subscription: the session, or its share of a group. */
  memberOf(filter: string): Member {
    return this.#filters?.memberOf(filter) ?? this;
  }

  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.endedAtMs = undefined;
    this.#outbox?.attach(outlet);
    this.#context.events.changed(this);
    if (this.direct !== undefined) this.#context.routes.changed();
  }

  detach(nowMs: number): void {
    const wasDirect = this.direct !== undefined;
    this.#outlet = undefined;
    this.endedAtMs = nowMs;
    this.#outbox?.detach();
    this.#backlog?.release();
    if (this.expiryMs > 0) this.#context.events.changed(this);
    if (wasDirect) this.#context.routes.changed();
  }

  deliver(publication: Publication): void {
    const outlet = this.#outlet;
    const unshared = this.#filters?.unshared;
    if (publication.isPlain || (publication.isUnretained && unshared?.areAllQos0)) {
      // QoS 0 is for who is there.
      if (outlet === undefined) return;
      if (outlet.takesRuns && unshared?.areAllPlain) {
        this.#deliverRun(publication, outlet);
        return;
      }
    }
    const { isPromised, qos } = publication;
    if (isPromised && unshared?.takeAllAsQos1(qos) && this.outbox.sendRun(publication)) {
      this.#context.events.delivered(publication.count, publication.end - publication.start);
      return;
    }
    const messages = unshared?.areAllQos0 === false ? publication.messagesToKeep() : publication.messages();
    const isOwn = publication.isBy(this.clientId);
    for (const message of messages) {
      const match = unshared?.match(message, isOwn);
      if (match !== undefined) this.take(message, match, undefined, publication.receipt);
    }
    this.pump();
  }

  /** Takes its share of a group's messages. */
  deliverShare(publication: Publication, subscription: Subscription): void {
    const outlet = this.#outlet;
    const isQos0 = publication.isPlain || (publication.isUnretained && subscription.qos === 0);
    if (isQos0 && outlet?.takesRuns && subscription.tag === undefined) {
      this.#deliverRun(publication, outlet);
      return;
    }
    const match = join([subscription])!;
    const messages = match.qos > 0 ? publication.messagesToKeep() : publication.messages();
    for (const message of messages) this.take(message, match, subscription.filter, publication.receipt);
    this.pump();
  }

  #deliverRun(publication: Publication, { channel }: Outlet): void {
    channel.deliver(publication);
    this.#context.events.delivered(publication.count, publication.end - publication.start);
  }

  /**
   * Sends a message of the retained store, which says so, if the client takes it now; false where it does not. It lies in
   * that store, so none of it waits here.
   */
  sendRetained(message: Message, { qos: mostQos, tags }: Match): boolean {
    if (this.#context.rules.isPartial && !this.mayGet(message.topic)) return true;
    const qos = lesserQos(message.qos ?? 0, mostQos);
    const delivery = { retain: true, tags, isFromStore: true };
    if (qos !== 0) {
      if (!this.outbox.sendBorrowed(message, { ...delivery, qos })) return false;
    } else if (this.#outlet === undefined) {
      return false;
    } else {
      this.#sendOnce(message, { ...delivery, qos });
    }
    this.#context.events.delivered(1, message.topic.length + message.payload.length);
    return true;
  }

  /** Takes a message; {@link pump} sends what has to wait for acknowledgements. */
  take(message: Message, match: Match, shared: string | undefined, receipt: Receipt | undefined): void {
    const qos = lesserQos(message.qos ?? 0, match.qos);
    const retain = match.retainAsPublished && message.retain === true;
    const { tags } = match;
    const { events } = this.#context;
    if (qos === 0) {
      if (this.#outlet === undefined) return;
      this.#sendOnce(message, { qos, retain, tags });
    } else if (!this.outbox.offer(message, { qos, retain, tags, shared }, receipt)) {
      events.dropped(this, message, !this.#hasOverflowed);
      this.#hasOverflowed = true;
      return;
    }
    events.delivered(1, message.topic.length + message.payload.length);
  }

  /** Sends a message of QoS 0 to a client that is there. */
  #sendOnce(message: Message, delivery: SentAs): void {
    const problem = this.#outlet!.send(message, delivery, 0, false);
    if (problem !== undefined) this.unsent('dropped', problem, message);
  }

  /** Sends what waits, as far as the client takes it. */
  pump(): void {
    const outbox = this.#outbox;
    if (this.#outlet === undefined) return;
    if (outbox !== undefined) {
      outbox.pump();
      const { fill } = outbox;
      if (fill > 0) this.#backlog ??= new Backlog(this.#context.waitMs);
      this.#backlog?.update(fill);
      if (fill < RECOVERED_AT) this.#hasOverflowed = false;
    }
    if (this.#retained !== undefined) this.#settleOwed(this.#retained);
  }

  #settleOwed(retained: RetainedDebt): void {
    if (this.#outbox !== undefined && this.#outbox.borrowed > 0) return;
    if (!retained.settle()) return;
    if (retained.isEmpty) this.#retained = undefined;
    this.#context.events.changed(this);
  }

  /** Forgets the messages that have arrived and are not released, in the store too. */
  forgetReceived(): void {
    if (this.#received === undefined) return;
    for (const token of this.#received.keys()) this.store.deleteReceived(this.clientId, token);
    this.#received.clear();
  }

  /** Forgets the messages that were to be acknowledged, in the store too. */
  forgetOutgoing(): void {
    this.#outbox?.clear();
  }

  /** The rules have changed, or its client is somebody else's: what waits is asked about when it is sent. */
  doubt(): void {
    this.#outbox?.doubt();
  }

  /** Whether its owner may get messages of a topic; asked where subscriptions may be wider than that. */
  mayGet(topic: string): boolean {
    return this.#context.rules.mayGet(this.owner, topic);
  }

  /** Whether its owner may still have a message that waited. */
  mayHave({ message, shared }: Outgoing): boolean {
    const { rules } = this.#context;
    if (rules.isOpen) return true;
    return rules.mayHave(this.owner, message, () => {
      if (shared !== undefined) return this.subscription(shared) === undefined ? [] : [shared];
      return this.#filters?.unshared?.filtersOf(message.topic) ?? [];
    });
  }

  /** A message was not sent, and will not be. */
  unsent(outcome: 'expired' | 'dropped', code: ErrorCode, message: Message): void {
    this.#context.events.unsent(this, outcome, code, message);
  }

  /** Takes out what another member of its groups may have now. */
  takeShared(isWanted: (filter: string) => boolean): Outgoing[] {
    return this.#outbox?.takeShared(isWanted) ?? [];
  }
}
