import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameBit } from '../../internal/protocol/frame/frame.ts';
import type { Agreement } from './agreement.ts';
import { countedDown } from './countdown.ts';
import { QueueFullError, type RefusedError, UnsupportedError } from './errors.ts';
import { Keeping } from './keeping.ts';
import type { PromisedMessage, QueueFile, QueueState } from './queue-file.ts';
import { randomName } from './random-name.ts';
import { type Deferred, defer } from './requests.ts';

/** Most messages, and bytes of them, that wait for their acknowledgements. */
export interface QueueBounds {
  messages: number;
  bytes: number;
}

interface Waiting extends PromisedMessage {
  readonly deferred: Deferred<true>;
  /** Published by a program that has ended: nobody awaits what becomes of it. */
  readonly isOfBefore: boolean;
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
 * - Where there is a file, a message is in it before it is sent, and its answer is noted behind it.
 */
export class Promised {
  readonly #bounds: QueueBounds;
  readonly #failed: (error: Error) => void;
  readonly #acks = new Count();
  readonly #once = new Count();
  #producer = randomName(12);
  #bytes = 0;
  #room: Deferred<true> | undefined;
  #keeping: Keeping | undefined;
  /** Whether a file has said what waits, and no broker yet what it has of that. */
  #isRecovered = false;

  /** @param failed is told what nobody awaits: what becomes of messages of before, and what is wrong with the file. */
  constructor(bounds: QueueBounds, failed: (error: Error) => void) {
    this.#bounds = bounds;
    this.#failed = failed;
  }

  /**
   * Goes on with what a file has kept, and keeps what waits in it from now on.
   *
   * @throws QueueFileError.
   */
  keepIn(file: QueueFile): void {
    this.#keeping = new Keeping(file, {
      state: () => this.#state,
      usedBytes: () => this.#bytes,
      failed: this.#failed,
    });
    if (file.kept !== undefined) this.#recover(file.kept);
    this.#keeping.begin();
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

  /** Takes a message up. @throws QueueFullError, QueueFileError. */
  add(message: PromisedMessage): Promise<true> {
    const { messages, bytes } = this.#bounds;
    if (this.count >= messages) throw new QueueFullError(`${messages} messages`);
    if (this.#bytes >= bytes) throw new QueueFullError(`${bytes} bytes`);
    this.#keeping?.add(message);
    return this.#keep(message).deferred.promise;
  }

  /** The message that was added last is on its way. */
  sent(count: CountBit): void {
    this.#countOf(count).sent++;
  }

  /**
   * A new connection: what has to be sent on it before anything else.
   *
   * @throws LostCountError where the client has to connect once more.
   */
  restore(agreement: Agreement): Uint8Array[] {
    this.#acks.acknowledged = 0;
    this.#acks.sent = 0;
    this.#once.sent = 0;
    // What the broker has already keeps its number, so that goes first.
    if (agreement.has('once')) this.#goOn(agreement.answer.last ?? 0);
    this.#dropUnsupported(agreement);
    const nowMs = Date.now();
    const frames: Uint8Array[] = [];
    for (const count of [this.#once, this.#acks]) {
      count.sent = count.waiting.length;
      for (const { frame, publishedAtMs } of count.waiting)
        frames.push(countedDown(frame, nowMs - publishedAtMs));
    }
    return frames;
  }

  /** ACK: everything up to a number has its answer. */
  acknowledge(bit: CountBit, upTo: number): void {
    const count = this.#countOf(bit);
    const answered = Math.min(upTo - count.acknowledged, count.sent);
    if (answered <= 0) return;
    for (const message of this.#answer(bit, answered)) message.deferred.resolve(true);
  }

  /** PUBLISHREFUSED: whoever published this message is told. */
  refuse(bit: CountBit, number: number, refusal: RefusedError): void {
    this.acknowledge(bit, number - 1);
    const count = this.#countOf(bit);
    if (count.acknowledged !== number - 1 || count.sent === 0) return;
    for (const message of this.#answer(bit, 1)) {
      message.deferred.reject(refusal);
      if (message.isOfBefore) this.#failed(refusal);
    }
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

  /** Nothing is sent any more. What waits stays in the file. */
  shut(reason: Error): void {
    this.#keeping?.close();
    this.#keeping = undefined;
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

  get #state(): QueueState {
    const messages = [...this.#once.waiting, ...this.#acks.waiting];
    return { producer: this.#producer, acknowledged: this.#once.acknowledged, messages };
  }

  #recover({ producer, acknowledged, messages }: QueueState): void {
    this.#producer = producer;
    this.#once.acknowledged = acknowledged;
    this.#isRecovered = true;
    for (const message of messages) this.#keep(message, true);
  }

  #keep(message: PromisedMessage, isOfBefore = false): Waiting {
    const waiting: Waiting = { ...message, deferred: defer<true>(), isOfBefore };
    this.#countOf(message.count).waiting.push(waiting);
    this.#bytes += message.frame.length;
    return waiting;
  }

  /** The oldest of a count have their answers. */
  #answer(bit: CountBit, answered: number): Waiting[] {
    const taken = this.#take(this.#countOf(bit), answered);
    this.#keeping?.answered(bit, taken.length);
    return taken;
  }

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

  /**
   * The broker has all up to this number. One that has another count in mind has lost ours, or we lost its. A crash of the machine may
   * take the end of a file: then the broker knows of numbers that we gave and forgot, and we go on behind them.
   */
  #goOn(last: number): void {
    const count = this.#once;
    const isAhead = last > count.last;
    if (last < count.acknowledged || (isAhead && !this.#isRecovered)) {
      this.#producer = randomName(12);
      count.acknowledged = 0;
      this.#keeping?.changed();
      throw new LostCountError();
    }
    this.#isRecovered = false;
    const answered = Math.min(count.waiting.length, last - count.acknowledged);
    if (answered > 0)
      for (const message of this.#answer(FrameBit.once, answered)) message.deferred.resolve(true);
    if (!isAhead) return;
    count.acknowledged = last;
    this.#keeping?.changed();
  }

  #dropUnsupported(agreement: Agreement): void {
    const isUnsupported = ({ needs }: Waiting) => agreement.missing(needs) !== undefined;
    const dropped: Waiting[] = [];
    for (const count of [this.#acks, this.#once]) {
      dropped.push(...count.waiting.filter(isUnsupported));
      count.waiting = count.waiting.filter((message) => !isUnsupported(message));
    }
    if (dropped.length === 0) return;
    for (const { topic, needs, frame, deferred } of dropped) {
      this.#bytes -= frame.length;
      const error = new UnsupportedError(agreement.missing(needs)!, 'a message', topic);
      deferred.reject(error);
      this.#failed(error);
    }
    this.#keeping?.changed();
  }
}

/** The client connects anew, with another count. */
export class LostCountError extends Error {
  override readonly name = 'LostCountError';

  constructor() {
    super('the broker and the client do not agree on what was published exactly once');
  }
}
