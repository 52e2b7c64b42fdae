import type { ErrorCode } from '../../errors.ts';
import { Fifo } from '../../lib/fifo.ts';
import { sessionInflightBytes, sessionReadAheadBytes, sessionSendAheadBytes } from '../../limits/broker.ts';
import type { Tracing } from '../../observe/tracing.ts';
import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message, Publication } from '../delivery/publication.ts';
import { Receipt } from '../delivery/receipt.ts';
import type { Outgoing, OutgoingOptions } from './outgoing.ts';
import type { Outlet } from './outlet.ts';
import { messagesOf, type SentRun, SentRuns } from './sent-runs.ts';
import type { SessionStore } from './session-store.ts';
import { type OutboxLimits, WaitingQueue } from './waiting-queue.ts';
import type { WaitingTotal } from './waiting-total.ts';

/** The session whose messages they are. */
export interface OutboxOwner {
  readonly clientId: string;
  /** Whether its client may have a message, as the rules are now. Default: yes. */
  mayHave?(outgoing: Outgoing): boolean;
  /** A message was not sent, and will not be: it expired, its client cannot take it, or may not have it any more. */
  unsent(outcome: 'expired' | 'dropped', code: ErrorCode, message: Message): void;
}

/** What an outbox tells whoever keeps it. */
export interface OutboxEvents {
  /** A message waits here that is wanted until then: {@link Outbox.expire} should be called. */
  expires(outbox: Outbox, atMs: number): void;
  /** A message was put off until then: {@link Outbox.takeUp} should be called. */
  putOff(outbox: Outbox, atMs: number): void;
}

export interface OutboxParts {
  owner: OutboxOwner;
  limits: OutboxLimits;
  store: SessionStore;
  total: WaitingTotal;
  events: OutboxEvents;
  /** Who looks at messages on their way. Default: nobody. */
  tracing?: Tracing;
  /** The time of day. */
  now: () => number;
}

/**
 * The messages of one session with QoS 1 and 2: first those sent and not acknowledged, then those that wait, each in
 * its order; never more unacknowledged messages than the client takes, and no more bytes of them than a bound.
 *
 * It is longer than other classes because each step of a message, from waiting to acknowledged, looks at the same two queues
 * and may change both; the queue of what waits, with its bounds, is a class of its own, and so are the runs that were sent in one piece.
 */
export class Outbox {
  readonly #owner: OutboxOwner;
  readonly #store: SessionStore;
  readonly #limits: OutboxLimits;
  readonly #events: OutboxEvents;
  readonly #tracing: Tracing | undefined;
  readonly #now: () => number;
  readonly #waiting: WaitingQueue;
  /** By token, in the order in which they were first sent. */
  readonly #inflight = new Map<number, Outgoing>();
  /** Those of QoS 2 whose step the store does not know yet, nor the client. */
  readonly #unstored = new Set<Outgoing>();
  /** Those that were sent in one piece. Their tokens are none of those above. */
  readonly #runs = new SentRuns();
  /** Whether the present client has asked for single messages out of runs. */
  #isWithoutRuns = false;
  /** Of those that are kept here. */
  #inflightBytes = 0;
  /** How many of them lie in the retained store, and are not kept here. */
  #borrowed = 0;
  /** Whether a part of what the client takes is for retained messages, so that live ones leave room for them. */
  sharesWindow = false;
  /** Those of them that the present connection has not sent again yet. */
  readonly #toRepeat = new Fifo<Outgoing>();
  /** Messages that the client gave back, and when each of them is wanted again. */
  #putOff: Map<Outgoing, number> | undefined;
  #outlet: Outlet | undefined;
  #lastToken = 0;
  #lastSequence = 0;
  /** Messages up to this one were taken under rules that may have changed. */
  #doubtfulUpTo = 0;

  constructor({ owner, limits, store, total, events, now, tracing }: OutboxParts) {
    this.#owner = owner;
    this.#store = store;
    this.#limits = limits;
    this.#events = events;
    this.#tracing = tracing;
    this.#now = now;
    this.#waiting = new WaitingQueue(limits, total);
  }

  /** Messages that were not sent yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  /** Messages that were sent and are not acknowledged; those that were given back too. */
  get unacknowledged(): number {
    return this.#unacknowledged + (this.#putOff?.size ?? 0);
  }

  /** Retained messages that were sent and are not acknowledged. */
  get borrowed(): number {
    return this.#borrowed;
  }

  /** Whether {@link sendBorrowed} would send a message. */
  get takesBorrowed(): boolean {
    return (
      this.#outlet !== undefined && this.#toRepeat.length === 0 && this.#unacknowledged < this.#outlet.window
    );
  }

  /** How full the queue is: 1 takes nothing more. */
  get fill(): number {
    return this.#waiting.fill;
  }

  /** Sends from now on by this connection: first all again that was not acknowledged. */
  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.unfold();
    this.#isWithoutRuns = false;
    this.#toRepeat.clear();
    for (const outgoing of this.#inflight.values()) this.#toRepeat.push(outgoing);
  }

  detach(): void {
    this.#outlet = undefined;
    this.#toRepeat.clear();
  }

  /** The rules have changed, or the client is somebody else's: what is here is asked about when it is sent. */
  doubt(): void {
    this.#doubtfulUpTo = this.#lastSequence;
  }

  /**
   * Takes a message, and sends it at once where it need not wait, or {@link pump} does; false where the queue is full.
   *
   * @param receipt of the message, held until the store has it for this session.
   */
  offer(message: Message, options: OutgoingOptions, receipt?: Receipt): boolean {
    const outlet = this.#outlet;
    const goesAtOnce = outlet !== undefined && this.#hasNothingToSend && this.#takesMore(outlet);
    if (!goesAtOnce && this.#waiting.isFullFor(message)) return false;
    const outgoing = this.#newOutgoing(message, options);
    this.#store.putOutgoing(this.#owner.clientId, outgoing, receipt);
    if (goesAtOnce) this.#sendFirst(outlet, outgoing, true);
    else this.#wait(outgoing);
    return true;
  }

  /**
   * Sends a run of messages with QoS 1 as it lies, if the client takes all of it now, nothing else waits, and the store need not
   * write it down at once; false where it was not sent.
   */
  sendRun(publication: Publication): boolean {
    const outlet = this.#outlet;
    const taken = outlet?.runs;
    if (outlet === undefined || taken === undefined || this.#isWithoutRuns || this.#tracing?.isOn)
      return false;
    const { encoding, haveTokens } = taken;
    if (publication.encoding !== encoding && publication.encoding !== encoding.rewritten) return false;
    const { count, publisher } = publication;
    if (!this.#hasNothingToSend || !this.#takesMore(outlet, count)) return false;
    const token = this.#freeTokens(haveTokens ? count : 1);
    if (token === NO_TOKEN) return false;
    const bytes = publication.encoding === encoding ? publication.kept() : publication.as(encoding);
    const sequence = this.#lastSequence + 1;
    const run = { bytes, encoding, publisher, count, sequence, haveTokens, acknowledged: 0 };
    if (!this.#store.putRun(this.#owner.clientId, run, publication, this.#unfoldForStore)) return false;
    this.#lastToken = haveTokens ? token + count - 1 : token;
    this.#lastSequence += count;
    this.#runs.add(token, run);
    outlet.sendRun?.(bytes, count, token);
    return true;
  }

  /** The store does not wait for acknowledgements any longer, and has to write down what runs have left. */
  readonly #unfoldForStore = (): void => {
    this.#unfold();
  };

  /**
   * Sends a message that can be read again elsewhere, if the client takes it now, behind all that waits: nothing of it
   * waits here. The store gets what QoS 2 cannot do without, the token, which must not stand for another message as
   * long as the client may know it. False where it was not sent.
   */
  sendNow(message: Message, options: OutgoingOptions): boolean {
    const outlet = this.#outlet;
    if (outlet === undefined || this.#waiting.length > 0 || !this.#takesMore(outlet)) return false;
    if (this.#inflightBytes >= sessionReadAheadBytes) return false;
    this.#sendFirst(outlet, this.#newOutgoing(message, options), false);
    return true;
  }

  /**
   * Sends a message of the retained store, if the client takes it now. It never waits here. Of QoS 1 nothing is written
   * down: the session remembers that its filter is still owed retained messages. False where it was not sent.
   */
  sendBorrowed(message: Message, options: OutgoingOptions): boolean {
    if (!this.takesBorrowed) return false;
    this.#borrowed++;
    const outgoing = this.#newOutgoing(message, options);
    outgoing.isBorrowed = true;
    this.#sendFirst(this.#outlet!, outgoing, false);
    return true;
  }

  /** Takes over what the store has, in the order of its sequence. */
  restore(outgoing: Outgoing): void {
    this.#lastSequence = Math.max(this.#lastSequence, outgoing.sequence);
    if (outgoing.step === 'waits') this.#wait(outgoing);
    else this.#enter(outgoing);
    this.doubt();
  }

  /** Sends as much as the client and its channel take. */
  pump(): void {
    const outlet = this.#outlet;
    if (outlet === undefined) return;
    while (this.#takesMore(outlet)) {
      const again = this.#toRepeat.shift();
      if (again !== undefined) {
        this.#repeat(outlet, again);
        continue;
      }
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sendFirst(outlet, next, true);
    }
  }

  /** The message that was sent with a token, and is not done. One out of a run is alone from then on, as are those around it. */
  find(token: number): Readonly<Outgoing> | undefined {
    if (this.#runs.has(token)) this.unfold();
    return this.#inflight.get(token);
  }

  /** Whether messages of runs are not acknowledged. */
  get hasRuns(): boolean {
    return !this.#runs.isEmpty;
  }

  /**
   * The client acknowledges messages of runs whose tokens are one behind the other; returns how many of them are the next ones of
   * the oldest run.
   */
  acknowledgeNext(token: number, count: number): number {
    const oldest = this.#runs.oldest;
    if (oldest === undefined) return 0;
    const [first, { haveTokens, acknowledged, count: ofRun }] = oldest;
    if (!haveTokens || token !== first + acknowledged) return 0;
    const next = Math.min(count, ofRun - acknowledged);
    this.acknowledge(first, next);
    return next;
  }

  /** The client has a message of QoS 2. */
  received(token: number): void {
    const outgoing = this.#inflight.get(token)!;
    outgoing.step = 'received';
    this.#whenStored(outgoing, (outlet) => outlet.confirm(token));
  }

  /**
   * Tells the client the step of a message of QoS 2. Told before the store knows it, a broker that starts anew, and knows the message
   * by another token or none, or that it is still to be released, would send it once more as a new one. So nothing is told as long as
   * the store fails, which is tried again.
   */
  #whenStored(outgoing: Outgoing, tell: (outlet: Outlet) => void): void {
    const receipt = new Receipt();
    this.#unstored.add(outgoing);
    this.#store.putOutgoing(this.#owner.clientId, outgoing, receipt);
    receipt.whenSettled((problem) => {
      const isThere = this.#inflight.get(outgoing.token) === outgoing;
      if (isThere && problem !== undefined) {
        this.#whenStored(outgoing, tell);
        return;
      }
      this.#unstored.delete(outgoing);
      // Where there is no client now, the next one is told.
      if (isThere && this.#outlet !== undefined) tell(this.#outlet);
    });
  }

  /** The client has a message that was sent with a token, or the next ones of a run. They may have been given up since. */
  acknowledge(token: number, count: number): void {
    const run = this.#runs.get(token);
    if (run === undefined) {
      if (this.#inflight.has(token)) this.done(token);
      return;
    }
    if (this.#tracing?.isOn) {
      const { acknowledged } = run;
      const done = this.#singles(run).slice(acknowledged, acknowledged + count);
      for (const outgoing of done) this.#trace('acknowledged', outgoing);
    }
    this.#runs.acknowledge(token, count);
  }

  /**
   * Has each message of a run that is not acknowledged be one of its own, and sends no more runs to the present client.
   * Returns their tokens by the token of their run.
   */
  unfold(): ReadonlyMap<number, readonly number[]> {
    this.#isWithoutRuns = true;
    return this.#unfold();
  }

  #unfold(): ReadonlyMap<number, readonly number[]> {
    const tokens = new Map<number, readonly number[]>();
    if (this.#runs.isEmpty) return tokens;
    const all = [...this.#inflight.values()];
    for (const [token, run] of this.#runs.takeAll()) {
      const singles = this.#singles(run).slice(run.acknowledged);
      for (const [index, outgoing] of singles.entries()) {
        outgoing.token = run.haveTokens ? token + run.acknowledged + index : this.#freeToken();
        this.#enter(outgoing);
      }
      run.stored?.unfolded(singles);
      tokens.set(
        token,
        singles.map((outgoing) => outgoing.token),
      );
      all.push(...singles);
    }
    this.#inflight.clear();
    all.sort((one, other) => one.sequence - other.sequence);
    for (const outgoing of all) this.#inflight.set(outgoing.token, outgoing);
    return tokens;
  }

  /** Nothing is left to do of a message. */
  done(token: number): void {
    const outgoing = this.#inflight.get(token)!;
    this.#exit(outgoing);
    if (this.#tracing?.isOn) this.#trace('acknowledged', outgoing);
    this.#forget(outgoing);
  }

  /**
   * The client gives a message back, and wants it no sooner than at a time; then it waits again, behind what waits by then. Meanwhile
   * it is none of those that the client has. A client that gives back more than may wait gets them at once.
   */
  putOff(token: number, untilMs: number): void {
    const outgoing = this.#inflight.get(token)!;
    this.#exit(outgoing);
    if (outgoing.isBorrowed) this.#borrowed--;
    outgoing.isBorrowed = false;
    outgoing.token = 0;
    outgoing.step = 'waits';
    outgoing.wasReturned = true;
    // Its token is free from now on, also for a broker that starts anew.
    this.#store.putOutgoing(this.#owner.clientId, outgoing);
    const isTooMany = (this.#putOff?.size ?? 0) >= this.#limits.queueMessages;
    if (untilMs <= this.#now() || isTooMany) {
      this.#wait(outgoing);
      return;
    }
    this.#putOff ??= new Map();
    this.#putOff.set(outgoing, untilMs);
    this.#events.putOff(this, untilMs);
  }

  /** Has those messages wait to be sent that were put off until now. */
  takeUp(nowMs: number): void {
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const [outgoing, untilMs] of this.#putOff ?? []) {
      if (untilMs > nowMs) {
        nextAtMs = Math.min(nextAtMs, untilMs);
        continue;
      }
      this.#putOff!.delete(outgoing);
      this.#wait(outgoing);
    }
    if (nextAtMs !== Number.POSITIVE_INFINITY) this.#events.putOff(this, nextAtMs);
    this.pump();
  }

  /**
   * Takes out the messages of shared filters that another member may have: what waits, and QoS 1 that was not
   * acknowledged. A QoS 2 message that was sent stays with whom it was sent to.
   */
  takeShared(isWanted: (filter: string) => boolean): Outgoing[] {
    const mayMove = ({ shared }: Outgoing) => shared !== undefined && isWanted(shared);
    const moved: Outgoing[] = [];
    for (const outgoing of this.#inflight.values()) {
      if (outgoing.qos === 1 && mayMove(outgoing)) moved.push(outgoing);
    }
    for (const outgoing of moved) this.#exit(outgoing);
    moved.push(...this.#waiting.takeIf(mayMove));
    for (const outgoing of this.#putOff?.keys() ?? []) {
      if (mayMove(outgoing) && this.#putOff!.delete(outgoing)) moved.push(outgoing);
    }
    for (const outgoing of moved) this.#store.deleteOutgoing(outgoing);
    return moved;
  }

  /** Takes out what has expired before it could be sent, so that it takes no room from what has not. */
  expire(nowMs: number): void {
    let nextAtMs = Number.POSITIVE_INFINITY;
    const isOver = ({ message: { expiresAtMs = Number.POSITIVE_INFINITY } }: Outgoing) => {
      if (expiresAtMs <= nowMs) return true;
      nextAtMs = Math.min(nextAtMs, expiresAtMs);
      return false;
    };
    for (const outgoing of this.#waiting.takeIf(isOver)) {
      this.#store.deleteOutgoing(outgoing);
      this.#unsent('expired', 'message-expired', outgoing);
    }
    if (nextAtMs !== Number.POSITIVE_INFINITY) this.#events.expires(this, nextAtMs);
  }

  /** Forgets everything, in the store too. */
  clear(): void {
    for (const outgoing of this.#inflight.values()) this.#store.deleteOutgoing(outgoing);
    for (const outgoing of this.#waiting.takeAll()) this.#store.deleteOutgoing(outgoing);
    for (const outgoing of this.#putOff?.keys() ?? []) this.#store.deleteOutgoing(outgoing);
    for (const [, run] of this.#runs.takeAll()) run.stored?.forget();
    this.#putOff?.clear();
    this.#inflight.clear();
    this.#inflightBytes = 0;
    this.#borrowed = 0;
  }

  /** Messages that were sent, and that the client has. */
  get #unacknowledged(): number {
    return this.#inflight.size + this.#runs.messages;
  }

  get #hasNothingToSend(): boolean {
    return this.#waiting.length === 0 && this.#toRepeat.length === 0;
  }

  #wait(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    if (this.#tracing?.isOn) this.#trace('waits', outgoing);
    const { expiresAtMs } = outgoing.message;
    if (expiresAtMs !== undefined) this.#events.expires(this, expiresAtMs);
  }

  #newOutgoing(message: Message, { qos, retain, tags, shared }: OutgoingOptions): Outgoing {
    return {
      message,
      qos,
      retain,
      tags,
      shared,
      sequence: ++this.#lastSequence,
      token: 0,
      step: 'waits',
      isBorrowed: false,
      stored: undefined,
    };
  }

  #takesMore({ window, channel }: Outlet, count = 1): boolean {
    const repeats = this.#toRepeat.length;
    if (channel.waitingBytes >= sessionSendAheadBytes) return false;
    // Messages that were sent before are sent again in any case.
    if (repeats > 0) return this.#unacknowledged - repeats < window;
    const most = this.sharesWindow ? Math.floor(window / 2) : window;
    const bytes = this.#inflightBytes + this.#runs.bytes;
    return this.#unacknowledged + count <= most && bytes < sessionInflightBytes;
  }

  /** The messages of a run, each as it would be had it been sent alone; without tokens. */
  #singles(run: Readonly<SentRun>): Outgoing[] {
    return messagesOf(run).map((message, index) => ({
      ...{ message, qos: 1, retain: false, tags: [], shared: undefined },
      ...{ sequence: run.sequence + index, token: 0, step: 'sent', isBorrowed: false, stored: undefined },
    }));
  }

  #enter(outgoing: Outgoing): void {
    this.#inflight.set(outgoing.token, outgoing);
    if (!outgoing.isBorrowed) this.#inflightBytes += messageBytes(outgoing.message);
  }

  #exit(outgoing: Outgoing): void {
    this.#inflight.delete(outgoing.token);
    if (!outgoing.isBorrowed) this.#inflightBytes -= messageBytes(outgoing.message);
  }

  /** @param isKept whether the store gets one of QoS 1 too. */
  #sendFirst(outlet: Outlet, outgoing: Outgoing, isKept: boolean): void {
    const { expiresAtMs } = outgoing.message;
    if (expiresAtMs !== undefined && expiresAtMs <= this.#now()) {
      this.#forget(outgoing);
      this.#unsent('expired', 'message-expired', outgoing);
      return;
    }
    if (this.#isForbidden(outgoing)) {
      this.#forget(outgoing);
      this.#unsent('dropped', 'not-authorized', outgoing);
      return;
    }
    outgoing.token = this.#freeToken();
    outgoing.step = 'sent';
    this.#enter(outgoing);
    if (outgoing.qos === 1) {
      if (isKept) this.#store.putOutgoing(this.#owner.clientId, outgoing);
      this.#send(outlet, outgoing, false);
      return;
    }
    this.#whenStored(outgoing, (present) => this.#send(present, outgoing, false));
  }

  #repeat(outlet: Outlet, outgoing: Outgoing): void {
    const { token, step } = outgoing;
    // It may have been acknowledged or moved since.
    if (this.#inflight.get(token) !== outgoing || this.#unstored.has(outgoing)) return;
    if (step === 'received') {
      outlet.confirm(token);
    } else if (this.#isForbidden(outgoing)) {
      this.#giveUp(outgoing);
      this.#unsent('dropped', 'not-authorized', outgoing);
    } else {
      this.#send(outlet, outgoing, true);
    }
  }

  #isForbidden(outgoing: Outgoing): boolean {
    return outgoing.sequence <= this.#doubtfulUpTo && this.#owner.mayHave?.(outgoing) === false;
  }

  #send(outlet: Outlet, outgoing: Outgoing, isAgain: boolean): void {
    const { token } = outgoing;
    // The connection may have changed while the store was writing; the next one sends it again.
    if (this.#outlet !== outlet || this.#inflight.get(token) !== outgoing) return;
    const problem = outlet.send(outgoing.message, outgoing, token, isAgain || outgoing.wasReturned === true);
    if (problem === undefined) {
      if (this.#tracing?.isOn) this.#trace('sent', outgoing);
      return;
    }
    this.#giveUp(outgoing);
    this.#unsent('dropped', problem, outgoing);
  }

  /** It is sent no more. */
  #giveUp(outgoing: Outgoing): void {
    this.#exit(outgoing);
    this.#forget(outgoing);
  }

  #trace(step: 'waits' | 'sent' | 'acknowledged', { message, qos, shared }: Outgoing): void {
    const { topic, clientId: publisher, payload } = message;
    const filters = shared === undefined ? undefined : [shared];
    const waiting = this.#waiting.length;
    const client = this.#owner.clientId;
    this.#tracing!.tell({ step, topic, client, publisher, filters, qos, bytes: payload.length, waiting });
  }

  #unsent(outcome: 'expired' | 'dropped', code: ErrorCode, { message }: Outgoing): void {
    this.#owner.unsent(outcome, code, message);
  }

  #forget(outgoing: Outgoing): void {
    if (outgoing.isBorrowed) this.#borrowed--;
    this.#store.deleteOutgoing(outgoing);
  }

  /** The next token that nothing has. There is always one: fewer than all of them are unacknowledged. */
  #freeToken(): number {
    do this.#lastToken = this.#lastToken >= LAST_TOKEN ? 1 : this.#lastToken + 1;
    while (this.#inflight.has(this.#lastToken) || this.#runs.haveAny(this.#lastToken, 1));
    return this.#lastToken;
  }

  /** The first of so many tokens in a row that nothing has, if those that come next are such; otherwise {@link NO_TOKEN}. */
  #freeTokens(count: number): number {
    const next = this.#lastToken + 1;
    const first = next + count - 1 > LAST_TOKEN ? 1 : next;
    if (this.#runs.haveAny(first, count)) return NO_TOKEN;
    if (this.#inflight.size === 0) return first;
    for (let token = first; token < first + count; token++) if (this.#inflight.has(token)) return NO_TOKEN;
    return first;
  }
}

/** As many as every door, and the store of sessions, have numbers for. */
const LAST_TOKEN = 65_535;
const NO_TOKEN = 0;
