import { parseBatchHeader } from '../batch/record-batch.ts';
import { Patience } from '../broker/delivery/patience.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import type { Source } from '../broker/delivery/source.ts';
import { liveReadBytes } from '../limits/live.ts';
import type { CommittedRecords, PartitionLog } from '../log/partition-log.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import { TurnPace } from './turn-pace.ts';

/** The services of a follower. */
export interface FollowerParts {
  readonly partition: PartitionLog;
  /** Delivers a batch at once; whether it did, which a large one is not. */
  deliverNow(batch: Uint8Array, delivered: Delivered): boolean;
  /** Delivers a batch piece by piece, each after `ready` resolves. */
  deliverInPieces(
    batch: Uint8Array,
    delivered: Delivered,
    pace: TurnPace,
    ready: () => Promise<void>,
  ): Promise<void>;
  /** Some of the log cannot be read. */
  unreadable(error: unknown): void;
}

/** The source and the receipt of a delivery. */
export interface Delivered {
  /** Pauses while one of them is full. */
  readonly source: Source;
  /** Held by those who keep it: sessions, and other logs. */
  readonly receipt: Receipt;
}

/** Records that wait to be read from the log. */
interface Span {
  fromOffset: number;
  endOffset: number;
  readonly transactionOf: number | undefined;
  /** Those who wait until it was delivered. */
  readonly waiting: (() => void)[];
}

/**
 * Delivers what is committed in one partition, once and in order. It takes a batch as it comes as long as it keeps up; while
 * a subscriber is full, or a large batch is on its way, it falls behind, and reads what it missed from the log.
 */
export class PartitionFollower implements Source {
  readonly patience = new Patience();
  readonly #parts: FollowerParts;
  readonly #behind: Span[] = [];
  #current: Span | undefined;
  #pauses = 0;
  #freed: (() => void)[] = [];
  /** Of the batch that was delivered last, and of those before it. */
  #receipt = new Receipt();

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  pause(): void {
    this.#pauses++;
  }

  resume(): void {
    if (--this.#pauses > 0) return;
    for (const free of this.#freed.splice(0)) free();
  }

  take(records: CommittedRecords): void {
    const keepsUp = this.#pauses === 0 && this.#current === undefined;
    const batch = keepsUp ? records.batch : undefined;
    if (batch !== undefined && this.#parts.deliverNow(batch.bytes, this.#nextDelivered())) return;
    this.#fallBehind(records);
  }

  /**
   * Resolves when everything that was taken is with its subscribers, who have room for more, and is durable where others
   * keep it; undefined where that is so already.
   */
  settled(): Promise<void> | undefined {
    const last = this.#behind.at(-1) ?? this.#current;
    if (last !== undefined) return this.#settledAfter(new Promise((resolve) => last.waiting.push(resolve)));
    return this.#pauses > 0 ? this.#settledAfter(this.#free()) : this.#durable();
  }

  async #settledAfter(delivered: Promise<void>): Promise<void> {
    await delivered;
    await this.#durable();
  }

  #durable(): Promise<void> | undefined {
    return this.#receipt.isSettled ? undefined : this.#receipt.settled();
  }

  /** Each batch has a receipt, so that nobody waits for those behind it; it is settled after the one before. */
  #nextDelivered(): Delivered {
    const before = this.#receipt;
    if (before.isUsed) {
      const receipt = new Receipt();
      this.#receipt = receipt;
      if (!before.isSettled) {
        receipt.hold();
        before.whenSettled(() => receipt.letGo());
      }
    }
    return { source: this, receipt: this.#receipt };
  }

  /** The bytes are not kept: there may be much that waits. */
  #fallBehind({ fromOffset, endOffset, transactionOf }: CommittedRecords): void {
    const last = this.#behind.at(-1);
    const goesOn = transactionOf === undefined && last?.transactionOf === undefined;
    if (last !== undefined && goesOn && last.endOffset === fromOffset) last.endOffset = endOffset;
    else this.#behind.push({ fromOffset, endOffset, transactionOf, waiting: [] });
    if (this.#current === undefined) void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    for (let span = this.#behind.shift(); span !== undefined; span = this.#behind.shift()) {
      this.#current = span;
      await this.#free();
      try {
        await this.#deliverSpan(span);
      } catch (error) {
        this.#parts.unreadable(error);
      }
      await this.#free();
      for (const delivered of span.waiting) delivered();
    }
    this.#current = undefined;
  }

  async #deliverSpan(span: Span): Promise<void> {
    const { partition } = this.#parts;
    const pace = new TurnPace();
    let from = span.fromOffset;
    while (from < span.endOffset && !partition.isEnded) {
      // Only what a transaction left is read here before it is committed, and then it is: so all that is durable is read.
      const batches = await partition.readOrDamage(from, liveReadBytes, 'uncommitted');
      if (batches instanceof CorruptBatchError) {
        this.#parts.unreadable(batches);
        from = batches.lastOffset + 1;
        continue;
      }
      // Compaction or retention has taken what was left.
      if (batches.length === 0) return;
      for (const batch of batches) {
        if (batch.baseOffset >= span.endOffset) return;
        if (belongsTo(batch, span)) await this.#deliverPaced(batch, pace);
        from = batch.lastOffset + 1;
      }
    }
  }

  async #deliverPaced({ bytes }: StoredBatch, pace: TurnPace): Promise<void> {
    try {
      await this.#parts.deliverInPieces(bytes, this.#nextDelivered(), pace, () => this.#free());
    } catch (error) {
      this.#parts.unreadable(error);
    }
    if (pace.isOver) await pace.turn();
    await this.#free();
  }

  /** Resolves when no subscriber holds it back. */
  async #free(): Promise<void> {
    while (this.#pauses > 0) await new Promise<void>((resolve) => this.#freed.push(resolve));
  }
}

/** Whether a batch is one of the records that wait: others lie between those of a transaction. */
function belongsTo({ bytes }: StoredBatch, { transactionOf }: Span): boolean {
  if (transactionOf === undefined) return true;
  const { producerId, isTransactional } = parseBatchHeader(bytes, 0);
  return isTransactional && producerId === transactionOf;
}
