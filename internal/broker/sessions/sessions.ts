import type { Identity } from '../../access/identity.ts';
import { openPolicy, type Policy } from '../../access/policy.ts';
import { BrokerError } from '../../errors.ts';
import type { DueTimes } from '../../lib/schedule.ts';
import { expiredMessagesEveryMs, maxSessions, willsAfterStartMs } from '../../limits/broker.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Broker, Logger } from '../broker.ts';
import { checkOwner } from '../clients.ts';
import type { DelayedMessage } from '../delayed-messages.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { absentOwner } from './absent-owner.ts';
import { IdleSessions } from './idle-sessions.ts';
import { Numberings } from './numberings.ts';
import type { Outbox } from './outbox.ts';
import type { Outlet } from './outlet.ts';
import { Session, type SessionContext } from './session.ts';
import { SessionFates } from './session-fates.ts';
import { SessionRules } from './session-rules.ts';
import { noSessionStore, type SessionStore } from './session-store.ts';
import type { OutboxLimits } from './waiting-queue.ts';
import { WaitingTotal } from './waiting-total.ts';
import { clientOfWill, type Will } from './will.ts';
import { type WillHost, type WillStore, Wills } from './wills.ts';

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
  /** Where their wills are, if that is another place. */
  wills?: WillStore | undefined;
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
  /** The numbers that clients give to their messages, across connections. */
  readonly numberings: Numberings;
  readonly #broker: Broker;
  readonly #context: SessionContext;
  readonly #rules: SessionRules;
  readonly #defaultExpiryMs: number;
  readonly #now: () => number;
  readonly #sessions = new Map<string, Session>();
  readonly #ends: DueTimes<Session>;
  readonly #wills: Wills;
  readonly #sharedWills: WillStore | undefined;
  readonly #idle: IdleSessions;
  readonly #fates: SessionFates;
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
    this.numberings = new Numberings(this.store, clock);
    this.#ends = schedule.kind((session) => this.#lookAtEnd(session));
    const expiring = schedule.kind<Outbox>((outbox, nowMs) => outbox.expire(nowMs));
    const putOff = schedule.kind<Outbox>((outbox, nowMs) => outbox.takeUp(nowMs));
    const { metrics } = parts;
    const fates = parts.broker.fates.logging(parts.logger);
    const total = new WaitingTotal(parts.mostWaitingBytes ?? Number.POSITIVE_INFINITY);
    this.#fates = new SessionFates(fates, this.#rules, total);
    const { wills = this.store } = parts;
    this.#sharedWills = parts.wills;
    this.#wills = new Wills({ broker: parts.broker, store: wills, rules: this.#rules, fates });
    this.#idle = new IdleSessions(metrics, fates);
    const delivered = metrics.counter('messages_delivered_total');
    const deliveredBytes = metrics.counter('message_bytes_delivered_total');
    metrics.countedElsewhere('sessions_expired_total', () => fates.counter('ended', 'session-expired').value);
    metrics.gauge('sessions', () => this.count);
    metrics.gauge('subscriptions', () => this.#subscriptions);
    metrics.gauge('session_messages_waiting', () => total.messages);
    metrics.gauge('session_messages_unacknowledged', () => this.#sum(({ unacknowledged }) => unacknowledged));
    metrics.gauge('session_bytes_waiting', () => total.queueBytes);
    this.#context = {
      routes: parts.broker.routes,
      limits: parts.limits,
      total,
      waitMs: parts.slowConsumerWaitMs,
      now: this.#now,
      rules: this.#rules,
      tracing: parts.broker.tracing,
      mostQueuedBytes: parts.mostQueuedBytes ?? (() => Number.POSITIVE_INFINITY),
      events: {
        delivered: (count, bytes) => {
          delivered.value += count;
          deliveredBytes.value += bytes;
        },
        dropped: (...what) => this.#fates.queueFull(...what),
        unsent: (...what) => this.#fates.unsent(...what),
        // A queue is looked through at most so often, however many of its messages expire one after the other.
        expires: (outbox, atMs) => expiring.add(Math.max(atMs, this.#now() + expiredMessagesEveryMs), outbox),
        putOff: (outbox, atMs) => putOff.add(atMs, outbox),
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
    this.checkMayOpen(identity);
    const before = this.#sessions.get(clientId);
    if (before !== undefined && !isClean && !this.#isOver(before)) {
      before.hasOwnExpiry = expiryMs !== undefined;
      before.expiryMs = expiryMs ?? this.#defaultExpiryMs;
      before.owner = identity;
      if (!this.#rules.isOpen) this.#recheck(before);
      if (this.#rules.isPartial) this.#broker.routes.changed();
      this.#wills.clientIsBack(clientId);
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
   * It is in no list, so that it has nothing to do with one of the same client id that another protocol keeps, until it is
   * adopted.
   */
  passing(owner: Identity, outlet: Outlet): Session {
    const context = this.#context;
    const session = new Session({ owner, expiryMs: 0, hasOwnExpiry: false, store: noSessionStore, context });
    session.attach(outlet);
    return session;
  }

  /** @throws BrokerError `not-authorized`: the session of this id belongs to another user. */
  checkMayOpen(identity: Identity): void {
    const before = this.#sessions.get(identity.clientId);
    if (before !== undefined) checkOwner(before.owner.user, identity);
  }

  /**
   * Has a passing session be the one of its client's id, in the place of one of before, until it is left. Whether its client
   * may have it was asked when it connected ({@link checkMayOpen}), and no other user's client has come since.
   */
  adopt(session: Session): void {
    const before = this.#sessions.get(session.clientId);
    if (before !== undefined) this.end(before);
    this.#sessions.set(session.clientId, session);
    this.#connected++;
  }

  /**
   * A session whose client is there from now on; its will is stored with it.
   *
   * @param receipt held until the store has the will.
   */
  enter(session: Session, outlet: Outlet, will?: Will, receipt?: Receipt): void {
    this.#connected++;
    this.#idle.delete(session);
    if (will !== undefined) this.#wills.put(session, will, receipt);
    session.attach(outlet);
    session.pump();
  }

  /** A session whose connection is gone: it stays for its time, and its will waits for its delay. */
  leave(session: Session, isWillWanted: boolean): void {
    if (!session.isConnected) return;
    this.#connected--;
    session.detach(this.#now());
    this.#moveShares(session, (filter) => this.#broker.groupOf(filter)?.hasOther(session.memberOf(filter)));
    if (isWillWanted) this.#wills.await(session);
    else this.#wills.delete(session.clientId);
    if (session.expiryMs === 0) {
      this.end(session);
      return;
    }
    // Whoever is away need not log in again for its session to stay.
    session.owner = { ...session.owner };
    this.#awaitEnd(session);
    this.#idle.add(session);
  }

  /** The client of an absent session is connected to another node: its will is not wanted before its time. */
  clientIsElsewhere(clientId: string): void {
    if (this.#sessions.get(clientId)?.isConnected !== true) this.#wills.clientIsBack(clientId);
  }

  /** A client is about to be let in, here or nowhere. Resolves when what it left on other nodes of a cluster comes no more. */
  comesBack(identity: Identity): Promise<void> | undefined {
    return this.#sharedWills?.comesBack(identity);
  }

  /** What a store of shared wills asks. */
  get willHost(): WillHost {
    return {
      publishOf: (clientId, will, receipt) => this.#wills.publishOf(clientId, will, receipt),
      expiryMsOf: (clientId) => this.#sessions.get(clientId)?.expiryMs,
      lost: (clientId) => {
        this.#wills.forget(clientId);
        this.#broker.endClient(clientId, new BrokerError('taken-for-gone'));
      },
    };
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
    this.#wills.publish(session.clientId);
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
    this.numberings.restored();
  }

  /**
   * Takes over a delayed message that the store has, after all sessions. A will without a session is of a client whose
   * session was to end with its connection, which the end of the broker was. Returns it with its time.
   */
  restoreDelayed(key: string, delayed: DelayedMessage): DelayedMessage {
    const clientId = clientOfWill(key);
    if (clientId === undefined) throw new Error('nobody knows what it is for');
    const owner = delayed.owner ?? absentOwner({ clientId });
    return this.#wills.restore(this.#sessions.get(clientId) ?? this.restore(owner, 0, this.#now()), delayed);
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
      if (refusal !== undefined && session.unsubscribe(filter)) {
        this.#fates.unsubscribed(session, filter, refusal);
      }
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
    this.#fates.sessionExpired(session);
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

  /** Gives messages that came by a group and that this session did not get to others of the group. */
  #moveShares(session: Session, isWanted: (filter: string) => boolean | undefined): void {
    for (const { message, shared, qos } of session.takeShared((filter) => isWanted(filter) === true)) {
      this.#broker.publishToGroup({ ...message, qos, isLastCopy: true }, shared!);
    }
  }

  #sum(of: (session: Session) => number): number {
    let sum = 0;
    for (const session of this.#sessions.values()) sum += of(session);
    return sum;
  }
}
