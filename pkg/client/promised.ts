import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameBit } from '../../internal/protocol/frame/frame.ts';
import type { Agreement } from './agreement.ts';
import { QueueFullError, type RefusedError, UnsupportedError } from './errors.ts';
import { randomName } from './random-name.ts';
import { type Deferred, defer } from './requests.ts';

/** Most messages, and bytes of them, that wait for their acknowledgements. */
export interface QueueBounds {
  messages: number;
  bytes: number;
}

/** A message that the broker has not acknowledged. */
export interface PromisedMessage {
  readonly count: CountBit;
  readonly topic: string;
  /** The whole frame; its number is not in it. */
  readonly frame: Uint8Array;
  readonly needs: readonly Parameters<Agreement['has']>[0][];
}

interface Waiting extends PromisedMessage {
  readonly deferred: Deferred<true>;
}

/** One of the two counts. */
class Count {
  /** Oldest first; the first has the number {@link acknowledged} + 1. */
  waiting: Waiting[] = [];
  acknowledged = 0;
  /** Those at the beginning of {@link waiting} that were sent on this connection. */
  sent = 0;

  get last(): number {
    return this.acknowledged + this.waiting.length;
  }
}

/**
 * What was published with a promise. Messages of QoS 1 are counted anew on each connection, those of QoS 2 go on with one
 * count, so that the broker knows what it has. Invariants:
 *
 * - A message waits here from when it is published until the broker acknowledges or refuses it, or the client is closed; on a new
 *   connection all that wait are sent again, in their order, ahead of what is new.
 * - Messages and bytes that wait are bounded: once either bound is reached, a message is refused and not taken.
 */
export class Promised {
  readonly #bounds: QueueBounds;
  readonly #acks = new Count();
  readonly #once = new Count();
  #producer = randomName(12);
  #bytes = 0;
  #room: Deferred<true> | undefined;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  /** Which count of QoS 2 goes on, for CONNECT. */
  get producer(): string {
    return this.#producer;
  }

  /** Up to which of its numbers the broker has everything, for CONNECT: behind that it knows what is still to come. */
  get acknowledged(): number {
    return this.#once.acknowledged;
  }

  get count(): number {
    return this.#acks.waiting.length + this.#once.waiting.length;
  }

  /** Takes a message up. @throws QueueFullError. */
  add(message: PromisedMessage): Promise<true> {
    const { messages, bytes } = this.#bounds;
    if (this.count >= messages) throw new QueueFullError(`${messages} messages`);
    if (this.#bytes >= bytes) throw new QueueFullError(`${bytes} bytes`);
    return this.#keep(this.#countOf(message.count), message).deferred.promise;
  }

  /** The message that was added last is on its way. */
  sent(count: CountBit): void {
    this.#countOf(count).sent++;
  }

  /**
   * A new connection: what has to be sent on it before anything else.
   *
   * @param failed is told of those that the broker cannot take.
   * @throws LostCountError where the client has to connect once more.
   */
  restore(agreement: Agreement, failed: (error: Error) => void): Uint8Array[] {
    this.#acks.acknowledged = 0;
    this.#acks.sent = 0;
    this.#once.sent = 0;
    // What the broker has already keeps its number, so that goes first.
    if (agreement.has('once')) this.#goOn(agreement.answer.last ?? 0);
    for (const count of [this.#acks, this.#once]) this.#dropUnsupported(count, agreement, failed);
    const frames: Uint8Array[] = [];
    for (const count of [this.#once, this.#acks]) {
      count.sent = count.waiting.length;
      frames.push(...count.waiting.map(({ frame }) => frame));
    }
    return frames;
  }

  /** ACK: everything up to a number has its answer. */
  acknowledge(bit: CountBit, upTo: number): void {
    const count = this.#countOf(bit);
    const answered = Math.min(upTo - count.acknowledged, count.sent);
    if (answered <= 0) return;
    for (const message of this.#take(count, answered)) message.deferred.resolve(true);
  }

  /** PUBLISHREFUSED: whoever published this message is told. */
  refuse(bit: CountBit, number: number, refusal: RefusedError): void {
    this.acknowledge(bit, number - 1);
    const count = this.#countOf(bit);
    if (count.acknowledged !== number - 1 || count.sent === 0) return;
    for (const message of this.#take(count, 1)) message.deferred.reject(refusal);
  }

  /** Resolves when there is room for more. */
  async drained(): Promise<void> {
    if (!this.#isFull) return;
    this.#room ??= defer<true>();
    await this.#room.promise;
  }

  /** Resolves when nothing waits any more, whatever became of it. */
  async settled(): Promise<void> {
    const waiting = [this.#acks, this.#once].flatMap((count) => count.waiting);
    await Promise.allSettled(waiting.map(({ deferred }) => deferred.promise));
  }

  /** Nothing is sent any more. */
  shut(reason: Error): void {
    for (const count of [this.#acks, this.#once]) {
      for (const message of this.#take(count, count.waiting.length)) message.deferred.reject(reason);
    }
    this.#room?.reject(reason);
  }

  get #isFull(): boolean {
    return this.count >= this.#bounds.messages || this.#bytes >= this.#bounds.bytes;
  }

  #countOf(bit: CountBit): Count {
    return bit === FrameBit.once ? this.#once : this.#acks;
  }

  #keep(count: Count, message: PromisedMessage): Waiting {
    const waiting: Waiting = { ...message, deferred: defer<true>() };
    count.waiting.push(waiting);
    this.#bytes += message.frame.length;
    return waiting;
  }

  /** The oldest of a count are answered. */
  #take(count: Count, answered: number): Waiting[] {
    const taken = count.waiting.splice(0, answered);
    count.acknowledged += taken.length;
    count.sent = Math.max(0, count.sent - taken.length);
    for (const { frame } of taken) this.#bytes -= frame.length;
    if (!this.#isFull) {
      this.#room?.resolve(true);
      this.#room = undefined;
    }
    return taken;
  }

  /** The broker has all up to this number. One that has another count in mind has lost ours, or we lost its. */
  #goOn(last: number): void {
    const count = this.#once;
    if (last >= count.acknowledged && last <= count.last) {
      for (const message of this.#take(count, last - count.acknowledged)) message.deferred.resolve(true);
      return;
    }
    this.#producer = randomName(12);
    count.acknowledged = 0;
    throw new LostCountError();
  }

  #dropUnsupported(count: Count, agreement: Agreement, failed: (error: Error) => void): void {
    const unsupported = count.waiting.filter(({ needs }) => agreement.missing(needs) !== undefined);
    if (unsupported.length === 0) return;
    count.waiting = count.waiting.filter((message) => !unsupported.includes(message));
    for (const { topic, needs, frame, deferred } of unsupported) {
      this.#bytes -= frame.length;
      const error = new UnsupportedError(agreement.missing(needs)!, 'a message', topic);
      deferred.reject(error);
      failed(error);
    }
  }
}

/** The client connects anew, with another count. */
export class LostCountError extends Error {
  override readonly name = 'LostCountError';

  constructor() {
    super('the broker and the client do not agree on what was published exactly once');
  }
}
