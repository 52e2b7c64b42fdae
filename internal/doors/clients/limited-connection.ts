import type { Access } from '../../access/access.ts';
import type { RateName } from '../../access/limits/limit.ts';
import type { Allowance } from '../../access/limits/limits.ts';
import type { Rate } from '../../access/limits/rate.ts';
import { leastMessageBytes } from '../../limits/doors.ts';
import type { ConnectionFacts } from '../../observe/connections.ts';
import type { Connection, ConnectionHandler, ConnectionMeter } from '../../transport/connection.ts';

/**
 * A connection whose client is under limits: it stands between the connection and its handler. What arrives is handed on as
 * fast as the limits allow, in the middle of a chunk too, and the connection is not read while some of it waits. What is sent
 * is taken, and then the handler is told that there is no room until the limits allow more.
 */
export class LimitedConnection implements ConnectionHandler, ConnectionMeter {
  readonly #connection: Connection;
  readonly #inner: ConnectionHandler;
  readonly #allowance: Allowance;
  /** What arrived and was not handed on. */
  #held: Uint8Array[] = [];
  #isReadingHeld = false;
  /** How often the handler itself has paused the connection. */
  #pauses = 0;
  #isPausing = false;
  /** What is held is handed on when the handler reads again. */
  #awaitsResume = false;
  /** The handler was told that there is no room. */
  #isWritingHeld = false;
  #isSocketFull = false;
  #isClosed = false;

  /** What the handler has counted so far. */
  #received: number;
  #sent: number;

  private constructor(connection: Connection, allowance: Allowance, { received, sent }: Counted) {
    this.#received = received;
    this.#sent = sent;
    this.#connection = connection;
    this.#inner = connection.handler;
    this.#allowance = allowance;
    connection.handler = this;
    connection.meter = this;
  }

  /**
   * Holds a connection to the limits of its client, where there are any, from now until it closes.
   *
   * @param counted the messages that it has had so far.
   * @throws BrokerError `too-many-connections`.
   */
  static hold(connection: Connection, { allowance }: Access, counted = NOTHING): void {
    if (allowance === undefined || connection.meter !== undefined) return;
    allowance.enter();
    new LimitedConnection(connection, allowance, counted);
  }

  /** The same of one that has been open for some time. */
  static holdOpen(connection: Connection, access: Access, counted: Counted): void {
    const allowance = access.holdToLimits();
    if (allowance === undefined || connection.meter !== undefined) return;
    allowance.enter(true);
    new LimitedConnection(connection, allowance, counted);
  }

  bytes(chunk: Uint8Array): void {
    if (this.#isReadingHeld) this.#held.push(chunk);
    else this.#take(chunk);
  }

  drained(): void {
    this.#isSocketFull = false;
    if (!this.#isWritingHeld) this.#inner.drained();
  }

  ended(): void {
    this.#inner.ended();
  }

  closed(error?: Error): void {
    this.#isClosed = true;
    this.#held = [];
    this.#allowance.leave();
    this.#inner.closed(error);
  }

  received(messages: number): void {
    const more = messages - this.#received;
    this.#received = messages;
    for (const rate of this.#allowance.rates('messagesInPerSecond')) rate.take(more);
  }

  sending(messages: number): void {
    const more = messages - this.#sent;
    this.#sent = messages;
    for (const rate of this.#allowance.rates('messagesOutPerSecond')) rate.take(more);
  }

  sent(bytes: number, hasRoom: boolean): boolean {
    for (const rate of this.#allowance.rates('bytesOutPerSecond')) rate.take(bytes);
    if (!hasRoom) this.#isSocketFull = true;
    if (!this.#isWritingHeld) this.#holdWriting();
    return hasRoom && !this.#isWritingHeld;
  }

  paused(): void {
    if (!this.#isPausing) this.#pauses++;
  }

  resumed(): void {
    // It may have been paused before it was held to limits.
    if (this.#isPausing || this.#pauses === 0 || --this.#pauses > 0) return;
    if (!this.#awaitsResume) return;
    this.#awaitsResume = false;
    setImmediate(() => this.#readOn());
  }

  #holdWriting(): void {
    const rate = this.#exhausted('bytesOutPerSecond') ?? this.#exhausted('messagesOutPerSecond');
    if (rate !== undefined && !this.#isWritingHeld) this.#allowance.waits(rate);
    this.#isWritingHeld = rate !== undefined;
    rate?.whenFree(() => {
      if (this.#isClosed) return;
      this.#holdWriting();
      if (!this.#isWritingHeld && !this.#isSocketFull) this.#inner.drained();
    });
  }

  /** Hands on what the limits allow; false where some of it has to wait, and is held. */
  #take(chunk: Uint8Array): boolean {
    let at = 0;
    const messagesBefore = this.#received;
    while (at < chunk.length && !this.#isClosed) {
      // Whoever else waits has a turn after each share.
      const hasHadBytes = at > 0 && isAwaited(this.#allowance.rates('bytesInPerSecond'));
      const hasHadMessages =
        this.#received > messagesBefore && isAwaited(this.#allowance.rates('messagesInPerSecond'));
      const mayTake = this.#pauses === 0 && !hasHadBytes && !hasHadMessages;
      const share = mayTake ? Math.min(this.#shareOfBytes(), chunk.length - at) : 0;
      if (share === 0) {
        this.#holdReading(chunk.subarray(at));
        return false;
      }
      for (const rate of this.#allowance.rates('bytesInPerSecond')) rate.take(share);
      // A whole chunk stays the one it is.
      this.#inner.bytes(share === chunk.length ? chunk : chunk.subarray(at, at + share));
      at += share;
    }
    return true;
  }

  /** So few bytes that they cannot hold more messages than are allowed. */
  #shareOfBytes(): number {
    let share = Number.POSITIVE_INFINITY;
    for (const rate of this.#allowance.rates('bytesInPerSecond')) share = Math.min(share, rate.share);
    for (const rate of this.#allowance.rates('messagesInPerSecond')) {
      share = Math.min(share, rate.share * leastMessageBytes);
    }
    return share;
  }

  #holdReading(rest: Uint8Array): void {
    this.#held.unshift(rest);
    if (!this.#isReadingHeld) this.#pause(true);
    this.#isReadingHeld = true;
    if (this.#pauses > 0) {
      this.#awaitsResume = true;
      return;
    }
    const rate =
      this.#exhausted('bytesInPerSecond') ??
      this.#exhausted('messagesInPerSecond') ??
      IN.flatMap((name) => this.#allowance.rates(name)).find(({ waiting }) => waiting > 0);
    if (rate === undefined) {
      setImmediate(() => this.#readOn());
      return;
    }
    this.#allowance.waits(rate);
    rate.whenFree(() => this.#readOn());
  }

  #readOn(): void {
    for (let chunk = this.#held.shift(); chunk !== undefined; chunk = this.#held.shift()) {
      if (!this.#take(chunk)) return;
    }
    if (this.#isClosed) return;
    this.#isReadingHeld = false;
    this.#pause(false);
  }

  /** Pauses the connection, or reads on, without taking that for the handler's doing. */
  #pause(isPaused: boolean): void {
    this.#isPausing = true;
    if (isPaused) this.#connection.pause();
    else this.#connection.resume();
    this.#isPausing = false;
  }

  #exhausted(name: RateName): Rate | undefined {
    return this.#allowance.rates(name).find((rate) => rate.share === 0);
  }
}

function isAwaited(rates: readonly Rate[]): boolean {
  return rates.some(({ waiting }) => waiting > 0);
}

/** Messages of a connection so far. */
type Counted = Pick<ConnectionFacts, 'received' | 'sent'>;

const NOTHING: Counted = { received: 0, sent: 0 };
const IN: readonly RateName[] = ['bytesInPerSecond', 'messagesInPerSecond'];
