import { type Identity, identityOf } from '../../access/identity.ts';
import { openPolicy, type Policy } from '../../access/policy.ts';
import { BrokerError, type ErrorCode, nameForLog, quoted } from '../../errors.ts';
import type { DueTimes } from '../../lib/schedule.ts';
import { expiredMessagesEveryMs, maxSessions, willsAfterStartMs } from '../../limits/broker.ts';
import type { Fate, Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Broker, Logger } from '../broker.ts';
import { checkOwner } from '../clients.ts';
import { type DelayedMessage, DelayedMessages } from '../delayed-messages.ts';
import type { Message } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { IdleSessions } from './idle-sessions.ts';
import type { Outbox } from './outbox.ts';
import type { Outlet } from './outlet.ts';
import { Session, type SessionContext } from './session.ts';
import { SessionRules } from './session-rules.ts';
import { noSessionStore, type SessionStore } from './session-store.ts';
import type { OutboxLimits } from './waiting-queue.ts';
import { WaitingTotal } from './waiting-total.ts';
import { clientOfWill, type Will, willKeyOf } from './will.ts';

export interface SessionsParts {
  broker: Broker;
  metrics: Metrics;
  logger: Logger;
  limits: OutboxLimits;
  /** How long sessions outlast their connections whose clients cannot say how long. Default: for ever. */
  defaultExpiryMs?: number;
  /** How much may wait in all sessions together, roughly as it lies in memory. Default: any. */
  mostWaitingBytes?: number;
  /** How long publishers wait for a session whose queue is long. */
  slowConsumerWaitMs: number;
  /** What their owners may do. Default: everything. */
  policy?: Policy;
  /** How many bytes may wait for an owner; Infinity: as many as {@link limits} say. Default: Infinity. */
  mostQueuedBytes?: ((owner: Identity) => number) | undefined;
  /** Where sessions that outlast their connections are kept. Default: in memory only. */
  store?: SessionStore;
}

/** The result of opening a session for a client that connects. */
export interface OpenedSession {
  session: Session;
  /** Whether it had it before. */
  isPresent: boolean;
}

/**
 * All sessions: of clients that are connected, and of those that are expected back. Ends the ones that nobody came back
 * to, and publishes wills when their time has come. Wills are stored even where their sessions are not: whoever waits for
 * them has no use for what the client asked for its session.
 */
export class Sessions implements Iterable<Session> {
  readonly store: SessionStore;
  readonly #broker: Broker;
  readonly #context: SessionContext;
  readonly #rules: SessionRules;
  readonly #defaultExpiryMs: number;
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  readonly #ends: DueTimes<Session>;
  readonly #wills: DelayedMessages;
  readonly #idle: IdleSessions;
  readonly #fates: Fates;
  #connected = 0;
  #subscriptions = 0;

  constructor(parts: SessionsParts) {
    this.store = parts.store ?? noSessionStore;
    this.#broker = parts.broker;
    this.#rules = new SessionRules(parts.policy ?? openPolicy);
    if (parts.policy?.isPartial === true) parts.broker.routes.askReceivers();
    this.#defaultExpiryMs = parts.defaultExpiryMs ?? Number.POSITIVE_INFINITY;
    const { clock, schedule } = parts.broker;
    this.#now = () => clock.now();
    this.#ends = schedule.kind((session) => this.#lookAtEnd(session));
    this.#wills = new DelayedMessages({
      schedule,
      store: this.store,
      publish: (key, will) => this.#publish(clientOfWill(key)!, will),
    });
    const expiring = schedule.kind<Outbox>((outbox, nowMs) => outbox.expire(nowMs));
    const { metrics } = parts;
    this.#fates = parts.broker.fates.logging(parts.logger);
    this.#idle = new IdleSessions(metrics, this.#fates);
    const delivered = metrics.counter('messages_delivered_total');
    const deliveredBytes = metrics.counter('message_bytes_delivered_total');
    metrics.countedElsewhere(
      'sessions_expired_total',
      () => this.#fates.counter('ended', 'session-expired').value,
    );
    metrics.gauge('sessions', () => this.count);
    metrics.gauge('subscriptions', () => this.#subscriptions);
    metrics.gauge('session_messages_waiting', () => this.#sum(({ waiting }) => waiting));
    metrics.gauge('session_messages_unacknowledged', () => this.#sum(({ unacknowledged }) => unacknowledged));
    metrics.gauge('session_bytes_waiting', () => this.#sum(({ waitingBytes }) => waitingBytes));
    const total = new WaitingTotal(parts.mostWaitingBytes ?? Number.POSITIVE_INFINITY);
    this.#context = {
      routes: parts.broker.routes,
      limits: parts.limits,
      total,
      waitMs: parts.slowConsumerWaitMs,
      now: this.#now,
      rules: this.#rules,
      mostQueuedBytes: parts.mostQueuedBytes ?? (() => Number.POSITIVE_INFINITY),
      events: {
        delivered: (count, bytes) => {
          delivered.value += count;
          deliveredBytes.value += bytes;
        },
        dropped: (session, message, isFirst) => this.#onDropped(session, message, isFirst, total),
        unsent: (...what) => this.#onUnsent(...what),
        // A queue is looked through at most so often, however many of its messages expire one after the other.
        expires: (outbox, atMs) => expiring.add(Math.max(atMs, this.#now() + expiredMessagesEveryMs), outbox),
        changed: (session, receipt) => this.#write(session, receipt),
        subscribed: (change) => {
          this.#subscriptions += change;
        },
      },
    };
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Those whose client is there. */
  get connectedCount(): number {
    return this.#connected;
  }

  /** How many a user has. */
  countOf(user: string | undefined): number {
    return this.#sum(({ owner }) => (owner.user === user ? 1 : 0));
  }

  /** All of them. */
  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values();
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  /**
   * The session of a client that connects: the one it had, unless it wants none of it, or a new one. A session belongs to
   * the user who opened it. Where there are too many, one whose client is away, and for which nothing waits, gives way.
   *
   * @param expiryMs how long it outlasts its connection; undefined where its client cannot say.
   * @throws BrokerError `too-many-sessions`, `not-authorized`.
   */
  open(identity: Identity, isClean: boolean, expiryMs: number | undefined): OpenedSession {
    const { clientId } = identity;
    const before = this.#sessions.get(clientId);
    if (before !== undefined) checkOwner(before.owner.user, identity);
    if (before !== undefined && !isClean && !this.#isOver(before)) {
      before.hasOwnExpiry = expiryMs !== undefined;
      before.expiryMs = expiryMs ?? this.#defaultExpiryMs;
      before.owner = identity;
      if (!this.#rules.isOpen) this.#recheck(before);
      if (this.#rules.isPartial) this.#broker.routes.changed();
      // Not published if the client is back before its time; else before anything of the new connection.
      const will = willKeyOf(clientId);
      if (this.#wills.isDue(will)) this.#wills.publish(will);
      else this.#wills.delete(will);
      return { session: before, isPresent: true };
    }
    if (before !== undefined) this.end(before);
    if (expiryMs !== 0 && this.#sessions.size >= maxSessions + this.#broker.clientCount) this.#makeRoom();
    const session = this.#newSession(identity, expiryMs);
    this.#sessions.set(clientId, session);
    return { session, isPresent: false };
  }

  /**
   * The session of a client whose protocol has none that outlasts a connection: it ends with {@link Session.unsubscribeAll}.
   * It is in no list, so that it has nothing to do with one of the same client id that another protocol keeps.
   */
  passing(owner: Identity, outlet: Outlet): Session {
    const context = this.#context;
    const session = new Session({ owner, expiryMs: 0, hasOwnExpiry: false, store: noSessionStore, context });
    session.attach(outlet);
    return session;
  }

  /**
   * A session whose client is there from now on; its will is stored with it.
   *
   * @param receipt held until the store has the will.
   */
  enter(session: Session, outlet: Outlet, will?: Will, receipt?: Receipt): void {
    this.#connected++;
    this.#idle.delete(session);
    if (will !== undefined) {
      const delayed = { ...will, dueAtMs: undefined, owner: session.owner };
      this.#wills.put(willKeyOf(session.clientId), delayed, receipt);
    }
    session.attach(outlet);
    session.pump();
  }

  /** A session whose connection is gone: it stays for its time, and its will waits for its delay. */
  leave(session: Session, isWillWanted: boolean): void {
    if (!session.isConnected) return;
    this.#connected--;
    const now = this.#now();
    session.detach(now);
    this.#moveShares(session, (filter) => this.#broker.groupOf(filter)?.hasOther(session.memberOf(filter)));
    if (isWillWanted) this.#awaitWill(session, now);
    else this.#wills.delete(willKeyOf(session.clientId));
    if (session.expiryMs === 0) {
      this.end(session);
      return;
    }
    // Whoever is away need not log in again for its session to stay.
    session.owner = { ...session.owner };
    this.#awaitEnd(session);
    this.#idle.add(session);
  }

  /** Ends a session: its subscriptions, its messages; its will is published now if it waited. */
  end(session: Session): void {
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
    this.#idle.delete(session);
    session.unsubscribeAll();
    this.#moveShares(session, (filter) => this.#broker.groupOf(filter) !== undefined);
    session.forgetOutgoing();
    session.forgetReceived();
    session.store.deleteSession(session.clientId);
    this.#wills.publish(willKeyOf(session.clientId));
  }

  /** Takes over a session that the store has; its messages and subscriptions are put into it by the caller. */
  restore(owner: Identity, expiryMs: number | undefined, endedAtMs: number): Session {
    const session = this.#newSession(owner, expiryMs);
    session.endedAtMs = endedAtMs;
    this.#sessions.set(owner.clientId, session);
    this.#awaitEnd(session, this.#now() + willsAfterStartMs);
    this.#idle.add(session);
    return session;
  }

  /** All that the store has was taken over. */
  restored(): void {
    this.#idle.sort();
  }

  /**
   * Takes over a delayed message that the store has, after all sessions. A will without a session is of a client whose
   * session was to end with its connection, which the end of the broker was.
   */
  restoreDelayed(key: string, delayed: DelayedMessage): void {
    const clientId = clientOfWill(key);
    if (clientId === undefined) throw new Error('nobody knows what it is for');
    const now = this.#now();
    const owner = delayed.owner ?? this.#sessions.get(clientId)?.owner ?? absentOwner({ clientId });
    const session = this.#sessions.get(clientId) ?? this.restore(owner, 0, now);
    const dueAtMs = delayed.dueAtMs ?? willDueAt(delayed, session.endedAtMs!, session);
    this.#wills.restore(key, { ...delayed, owner, dueAtMs }, now + willsAfterStartMs);
  }

  /**
   * Asks again what the owners of all sessions may have, after the rules have changed. Clients that were connected have been
   * told by then.
   */
  recheckAccess(): void {
    for (const session of this.#sessions.values()) this.#recheck(session);
    if (this.#rules.isPartial) this.#broker.routes.changed();
  }

  /** Ends the subscriptions that the owner of a session may not have, and has what waits asked about when it is sent. */
  #recheck(session: Session): void {
    session.doubt();
    for (const { filter } of [...session.subscriptions]) {
      const refusal = this.#rules.filterRefusal(session.owner, filter);
      if (refusal === undefined || !session.unsubscribe(filter)) continue;
      this.#fates.tell({
        outcome: 'refused',
        code: 'not-authorized',
        who: { client: quoted(session.clientId) },
        affected: session.owner,
        about: { topic: filter, rule: this.#rules.filterRule(session.owner, filter) },
        reason: refusal,
        details: { filter: quoted(filter) },
        line: 'a subscription ended with a change of the rules',
      });
    }
  }

  /** Nothing ends or is published any more. */
  close(): void {
    this.#broker.schedule.close();
  }

  /** Ends a session if it is over. */
  #lookAtEnd(session: Session): void {
    if (this.#sessions.get(session.clientId) !== session || session.isConnected) return;
    if (!this.#isOver(session)) {
      this.#awaitEnd(session);
      return;
    }
    this.#fates.tell({
      outcome: 'ended',
      code: 'session-expired',
      who: { client: nameForLog(session.clientId) },
      affected: session.owner,
      details: { unsent: session.waiting },
    });
    this.end(session);
  }

  /** @throws BrokerError `too-many-sessions`. */
  #makeRoom(): void {
    const oldest = this.#idle.takeOldest(this.#now());
    if (oldest === undefined) {
      const kept = `${this.#sessions.size} sessions are kept`;
      throw new BrokerError(
        'too-many-sessions',
        `${kept}; those whose clients are away have messages waiting`,
      );
    }
    this.end(oldest);
  }

  #newSession(owner: Identity, ownExpiryMs: number | undefined): Session {
    const expiryMs = ownExpiryMs ?? this.#defaultExpiryMs;
    return new Session({
      owner,
      expiryMs,
      hasOwnExpiry: ownExpiryMs !== undefined,
      store: expiryMs > 0 ? this.store : noSessionStore,
      context: this.#context,
    });
  }

  #isOver(session: Session): boolean {
    if (session.isConnected || session.endedAtMs === undefined) return false;
    return session.endedAtMs + session.expiryMs <= this.#now();
  }

  #write(session: Session, receipt: Receipt | undefined): void {
    if (session.store === noSessionStore) return;
    const { clientId, owner, hasOwnExpiry, expiryMs, endedAtMs, owedFilters } = session;
    const subscriptions = [...session.subscriptions];
    const ownExpiryMs = hasOwnExpiry ? expiryMs : undefined;
    session.store.putSession(
      {
        clientId,
        user: owner.user,
        groups: owner.groups,
        expiryMs: ownExpiryMs,
        endedAtMs,
        subscriptions,
        owedFilters,
      },
      receipt,
    );
  }

  /** @param notBeforeMs when it may be ended at the earliest, however long it is over. */
  #awaitEnd(session: Session, notBeforeMs = 0): void {
    const { endedAtMs, expiryMs } = session;
    if (expiryMs !== Number.POSITIVE_INFINITY) {
      this.#ends.add(Math.max(endedAtMs! + expiryMs, notBeforeMs), session);
    }
  }

  #awaitWill(session: Session, endedAtMs: number): void {
    const key = willKeyOf(session.clientId);
    const will = this.#wills.get(key);
    if (will !== undefined) this.#wills.put(key, { ...will, dueAtMs: willDueAt(will, endedAtMs, session) });
  }

  #publish(clientId: string, will: DelayedMessage): void {
    const { owner } = will;
    const { topic, payload } = will.message;
    const bytes = payload.length;
    const refusal = owner && this.#rules.publishRefusal(owner, topic);
    if (refusal !== undefined) {
      this.#fates.tell({
        outcome: 'dropped',
        code: 'not-authorized',
        who: { client: nameForLog(clientId) },
        affected: owner,
        about: { topic, rule: owner && this.#rules.publishRule(owner, topic), bytes },
        reason: refusal,
        details: { topic: nameForLog(topic) },
        line: 'a will was not published: its client may no longer publish to its topic',
      });
      return;
    }
    try {
      const expiresAtMs = will.expiryMs === undefined ? undefined : this.#now() + will.expiryMs;
      const message = { ...will.message, expiresAtMs, isLastCopy: true };
      this.#broker.publishMessage(message, { origin: { kind: 'client', clientId }, publisher: owner });
    } catch (error) {
      this.#fates.tell({
        outcome: 'dropped',
        code: error instanceof BrokerError ? error.code : 'internal-error',
        who: { client: nameForLog(clientId) },
        affected: owner,
        about: { topic, bytes },
        reason: error instanceof BrokerError ? error.message : undefined,
        details: { error: (error as Error).message },
        line: 'a will could not be published',
      });
    }
  }

  /** Gives messages that came by a group and that this session did not get to others of the group. */
  #moveShares(session: Session, isWanted: (filter: string) => boolean | undefined): void {
    for (const { message, shared, qos } of session.takeShared((filter) => isWanted(filter) === true)) {
      this.#broker.publishToGroup({ ...message, qos, isLastCopy: true }, shared!);
    }
  }

  #onUnsent(clientId: string, outcome: 'expired' | 'dropped', code: ErrorCode, message: Message): void {
    const { topic, payload } = message;
    const owner = this.#sessions.get(clientId)?.owner;
    const rule = code === 'not-authorized' && owner ? this.#rules.filterRule(owner, topic) : undefined;
    const about = { topic, bytes: payload.length, rule };
    this.#fates.tell({ outcome, code, affected: owner ?? { clientId }, about });
  }

  #onDropped(session: Session, { topic, payload }: Message, isFirst: boolean, total: WaitingTotal): void {
    const about = { topic, bytes: payload.length };
    const fate: Fate = { outcome: 'dropped', code: 'session-queue-full', affected: session.owner, about };
    if (!isFirst) {
      this.#fates.tell(fate);
      return;
    }
    this.#fates.tell({
      ...fate,
      who: { client: nameForLog(session.clientId) },
      details: {
        topic: nameForLog(topic),
        waitingMessages: session.waiting,
        waitingBytes: session.waitingBytes,
        allSessionsBytes: total.bytes,
      },
      line: 'a session takes no more messages',
    });
  }

  #sum(of: (session: Session) => number): number {
    let sum = 0;
    for (const session of this.#sessions.values()) sum += of(session);
    return sum;
  }
}

/** With the end of the session at the latest. */
function willDueAt({ delayMs }: Will, endedAtMs: number, { expiryMs }: Session): number {
  return endedAtMs + Math.min(delayMs, expiryMs);
}

/** The owner of a session whose client has not come back since the start of the broker. */
export function absentOwner({ clientId, user, groups }: AbsentOwner): Identity {
  const peer = { clientId, door: '', listener: '', remote: '', certificateName: undefined };
  return identityOf(peer, { user, groups });
}

/** What is stored of an owner. */
export interface AbsentOwner {
  clientId: string;
  /** Undefined: an anonymous client's. */
  user?: string | undefined;
  /** Those that the client showed, beside what is known of the user. */
  groups?: readonly string[] | undefined;
}
