import type { Clock } from '../lib/clock.ts';
import { roundBytes, roundMessages, roundRetryMs, writePatienceMs } from '../limits/cluster.ts';
import { type StoreError, StoreUnavailableError } from '../store/store-error.ts';
import type { WriteId } from './messages.ts';
import type { ShardMessage, ShardStream, StoredMessage } from './stream.ts';

/** Why a writer ended: another owner was seen; JetStream said nothing for too long; or it was told to. */
export type WriterEnd = 'deposed' | 'stuck' | 'stopped';

export interface WriterParts {
  readonly stream: ShardStream;
  readonly clock: Clock;
  readonly epoch: number;
  /** The sequence of the marker that made this node the owner. */
  readonly tail: number;
  /** Takes up what is stored, in its order, and calls {@link ShardWriter.stored} or {@link ShardWriter.end} for what it finds. */
  readonly takeUp: (messages: readonly StoredMessage[]) => void;
  /** It writes nothing any more, and all that waited was refused. */
  readonly ended: (end: WriterEnd) => void;
}

/** Writes what an owner has to write; see {@link ShardWriter}. Another one is put in its place to see what tests find. */
export interface Writer {
  readonly epoch: number;
  /** How many messages are not stored yet. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /**
   * Writes the message that is made with the next id, when its round begins at the latest. Resolves with its sequence when it is stored.
   * @param refusal of whatever comes behind it: it is the last one then.
   * @throws StoreError
   */
  write(make: (id: WriteId) => ShardMessage, refusal?: StoreError): Promise<number>;
  /** Resolves when what waits now is stored, or was refused. */
  settled(): Promise<void>;
  /** A message of this writer is stored, and all before it. */
  stored(number: number, sequence: number): void;
  /** A message that no broker wrote is stored; all of this writer before it was told. */
  passedOver(sequence: number): void;
  /** Refuses all that waits, and what comes. */
  end(end: WriterEnd, reason: StoreError): void;
}

interface Waiting {
  readonly make: () => ShardMessage;
  /** Once it was in a round: whatever becomes of that, it is the same in the next one. */
  message: ShardMessage | undefined;
  readonly settled: Promise<number>;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * The only writer of a shard for one epoch: rounds of all that waits, one at a time.
 *
 * A round names the last sequence that was acknowledged to this writer. That fences: behind the marker of another owner no
 * number is right that this one can know. Never may it name a sequence that it expects: the marker of another could be that one.
 * Where the outcome of a round is not known, what is stored is looked at, and the rest is written again; the lost round may still be
 * stored then, and the one that is stored second is refused by its number.
 */
export class ShardWriter implements Writer {
  readonly #parts: WriterParts;
  /** Those of the round that is under way come first. */
  #queue: Waiting[] = [];
  #tail: number;
  /** The number of the first message that waits. */
  #firstNumber = 1;
  #nextNumber = 1;
  #isWriting = false;
  #refusal: StoreError | undefined;
  /** Set when the last message was given. */
  #refusalBehindLast: StoreError | undefined;
  readonly epoch: number;
  waitingBytes = 0;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.epoch = parts.epoch;
    this.#tail = parts.tail;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  write(make: (id: WriteId) => ShardMessage, refusalBehind?: StoreError): Promise<number> {
    const refusal = this.#refusal ?? this.#refusalBehindLast;
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#refusalBehindLast = refusalBehind;
    const id = { epoch: this.epoch, number: this.#nextNumber++ };
    const { promise: settled, resolve, reject } = Promise.withResolvers<number>();
    this.#queue.push({ make: () => make(id), message: undefined, settled, resolve, reject });
    if (!this.#isWriting) {
      this.#isWriting = true;
      // Later in this turn there may be more of it.
      queueMicrotask(() => this.#writeAll());
    }
    return settled;
  }

  async settled(): Promise<void> {
    await this.#queue.at(-1)?.settled.catch(() => {});
  }

  stored(number: number, sequence: number): void {
    // Of those before it a replica may have passed over some: they are stored all the same, and must not be written again.
    while (this.#firstNumber <= number) this.#settleFirst(sequence);
  }

  /** Behind it the number that this writer names is its number, as nothing before it is unknown. */
  passedOver(sequence: number): void {
    this.#tail = sequence;
  }

  #settleFirst(sequence: number): void {
    this.#firstNumber++;
    this.#tail = sequence;
    const first = this.#queue.shift();
    if (first === undefined) return;
    this.waitingBytes -= first.message?.body.length ?? 0;
    first.resolve(sequence);
  }

  end(end: WriterEnd, reason: StoreError): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = reason;
    const refused = this.#queue;
    this.#queue = [];
    this.waitingBytes = 0;
    for (const { reject } of refused) reject(reason);
    this.#parts.ended(end);
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) await this.#writeRound();
    this.#isWriting = false;
  }

  /** Writes until all of a round is stored, or this writer has ended. */
  async #writeRound(): Promise<void> {
    const { clock } = this.#parts;
    const giveUpAtMs = clock.elapsedMs() + writePatienceMs;
    const end = this.#firstNumber + this.#roundLength();
    while (this.#firstNumber < end && this.#refusal === undefined) {
      if (await this.#tried(end - this.#firstNumber)) continue;
      if (clock.elapsedMs() > giveUpAtMs) return this.end('stuck', noAnswer());
      await new Promise<void>((resolve) => clock.after(roundRetryMs, resolve));
    }
  }

  /** @returns whether more is stored than before. */
  async #tried(count: number): Promise<boolean> {
    const { stream, takeUp } = this.#parts;
    const tail = this.#tail;
    const messages = this.#queue.slice(0, count).map((waiting) => this.#messageOf(waiting));
    const outcome = await stream.publish(messages, tail);
    if (outcome.kind === 'unheard') return false;
    if (outcome.kind !== 'stored' || outcome.last !== tail + count) return this.#look();
    takeUp(messages.map((message, index) => ({ ...message, sequence: tail + 1 + index })));
    return true;
  }

  /** How many of those that wait are one round. A subject is rolled up once in a round. */
  #roundLength(): number {
    const rolledUp = new Set<string>();
    let bytes = 0;
    let length = 0;
    for (const waiting of this.#queue) {
      if (length === roundMessages) break;
      const { subject, body, isRollup } = this.#messageOf(waiting);
      bytes += body.length;
      if (length > 0 && bytes > roundBytes) break;
      if (isRollup) {
        if (rolledUp.has(subject)) break;
        rolledUp.add(subject);
      }
      length++;
    }
    return length;
  }

  #messageOf(waiting: Waiting): ShardMessage {
    if (waiting.message === undefined) {
      waiting.message = waiting.make();
      this.waitingBytes += waiting.message.body.length;
    }
    return waiting.message;
  }

  /** Takes up what is stored behind the tail: some of what waits, or the marker of another owner. */
  async #look(): Promise<boolean> {
    const { stream, takeUp } = this.#parts;
    const before = this.#firstNumber;
    try {
      const last = await stream.lastSequence();
      // Not stored, or not yet.
      if (last > this.#tail) takeUp(await stream.readBetween(this.#tail, last));
    } catch {
      // JetStream does not answer at the moment.
    }
    return this.#firstNumber > before;
  }
}

function noAnswer(): StoreError {
  return new StoreUnavailableError('no-majority', 'NATS JetStream did not take what was written in time');
}
