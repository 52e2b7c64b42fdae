import { batchWithoutFirst } from '../batch/rebuild.ts';
import { setBaseOffset } from '../batch/record-batch.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { LentMemory } from '../lib/lent-memory.ts';
import { maxProducersPerPartition } from '../limits/log.ts';
import type { Histogram } from '../observe/histogram.ts';
import { checkBatchSize } from '../store/batch-rules.ts';
import type { LogStore, StoredBatch, StoredPartition } from '../store/log-store.ts';
import { CorruptBatchError, StoreError, StoreUnavailableError } from '../store/store-error.ts';
import {
  type AbortedTransaction,
  type OpenTransaction,
  type StoredTransactions,
  type TransactionFacts,
  TransactionIndex,
  type TransactionStep,
} from '../store/transactions.ts';
import { LEADS_ALL, type Leader, type Leadership } from './leadership.ts';
import { type NumberedBatch, NumberedSenders, runsBehind } from './numbered-senders.ts';
import { type ProducerBatch, ProducerStates, type RememberedBatch } from './producer-states.ts';
import { PartitionTail, type TailCache } from './tail-cache.ts';

/** A record batch that is to be appended; its base offset is not given yet. */
export interface UnplacedBatch {
  /** The batch as it came. Its base offset is written into it; after that nobody changes the bytes. */
  bytes: Uint8Array;
  /** Offsets that it takes: as many as it has records, or it has none. */
  count: number;
  /** In milliseconds since 1970. */
  maxTimestamp: number;
  /** Its messages were published live: their subscribers have them. */
  isPublished?: boolean;
  /** Given if an idempotent producer sent it: it is written once, however often it comes. */
  producer?: ProducerBatch;
  /** Given if a client of a live protocol numbered the messages in it: each is written once, however often it comes. */
  numbered?: NumberedBatch | undefined;
  /** Where it has to lie: it is refused as `exists` unless that is the next offset of its leader. */
  baseOffset?: number;
  /** Given if it belongs to a transaction, or is the mark that ends one. */
  transaction?: TransactionStep;
}

/**
 * Records that count from now on, and of which live subscribers know nothing yet: a batch that is durable, or all
 * batches of a transaction that was committed.
 */
export interface CommittedRecords {
  readonly fromOffset: number;
  /** Behind the last of them. Batches of others may lie between those of a transaction. */
  readonly endOffset: number;
  /** The producer of a transaction; undefined for a batch outside of them. */
  readonly transactionOf: number | undefined;
  /** The batch, where it is a single one that was just written. */
  readonly batch: StoredBatch | undefined;
}

/** The services that all partitions of a broker share. */
export interface PartitionParts {
  readonly store: LogStore;
  readonly cache: TailCache;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: this broker leads everything. */
  readonly leadership?: Leadership;
  /** Gives what is asked for here to the node that leads. Default: it is refused. */
  readonly elsewhere?: Elsewhere | undefined;
  /** Told of records that count from now on, in the order in which that is so. */
  readonly committed?: (partition: PartitionLog, records: CommittedRecords) => void;
  /** How long appends take until they are durable, in seconds. */
  readonly appends?: Histogram;
  /** Told of each batch that is durable. */
  readonly kept?: (partition: PartitionLog, batch: StoredBatch) => void;
}

/** What a node asks of the one that leads a partition; both reject with what that one says, or because none answers for long. */
export interface Elsewhere {
  /** Resolves with the base offset when the batch lasts. */
  forward(partitionId: number, batch: UnplacedBatch): Promise<number>;
  /** Deletes what is before an offset. */
  deleteUntil(partitionId: number, offset: number): Promise<void>;
}

/** How far another node has written a partition. */
export interface Advance {
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  readonly sizeBytes: number;
}

/** A reader of `committed` sees no record before it is known whether it counts; a reader of `uncommitted` sees all of them. */
export type Isolation = 'committed' | 'uncommitted';

/**
 * One partition of a log: gives offsets, hands batches to the store, and shows them to readers when they last.
 *
 * Batches below the high watermark are on the disk, and only compaction removes from them; between it and the next offset lie those that the
 * store is writing. An offset is given twice only if the first batch it was given to was refused, and so was never
 * acknowledged nor shown.
 */
export class PartitionLog {
  /** The store's number of this partition. */
  readonly id: number;
  /** Its number in its topic. */
  readonly number: number;
  firstOffset: number;
  leaderEpoch: number;

  readonly #store: LogStore;
  /** Bytes of the largest batch that the store takes. */
  readonly #maxBatchBytes: number;
  readonly #clock: Clock;
  readonly #leadership: Leadership;
  readonly #elsewhere: Elsewhere | undefined;
  readonly #committed: ((partition: PartitionLog, records: CommittedRecords) => void) | undefined;
  readonly #appends: Histogram | undefined;
  readonly #kept: PartitionParts['kept'];
  readonly #tail: PartitionTail;
  readonly #listeners = new Set<() => void>();
  #isTelling = false;
  readonly #producers = new ProducerStates(maxProducersPerPartition);
  readonly #senders = new NumberedSenders(maxProducersPerPartition);
  readonly #transactions: TransactionIndex;
  #nextOffset: number;
  #highWatermark: number;
  #maxTimestamp: number;
  #sizeBytes: number;
  #inFlight = 0;
  #isFailing = false;
  #isEnded = false;

  constructor(stored: StoredPartition, parts: PartitionParts) {
    const { store, cache, clock = systemClock, leadership = LEADS_ALL, committed, appends, kept } = parts;
    this.#appends = appends;
    this.#kept = kept;
    this.#clock = clock;
    this.#leadership = leadership;
    this.#committed = committed;
    this.#elsewhere = parts.elsewhere;
    this.id = stored.id;
    this.number = stored.number;
    this.firstOffset = stored.firstOffset;
    this.leaderEpoch = stored.leaderEpoch;
    this.#nextOffset = stored.nextOffset;
    this.#highWatermark = stored.nextOffset;
    this.#maxTimestamp = stored.maxTimestamp;
    this.#sizeBytes = stored.sizeBytes;
    this.#store = store;
    this.#maxBatchBytes = store.limits?.maxBatchBytes ?? Number.POSITIVE_INFINITY;
    this.#tail = new PartitionTail(cache);
    this.#producers.restore(stored.producers);
    this.#senders.restore(stored.producers);
    this.#transactions = new TransactionIndex(stored.transactions);
  }

  /** The node that gives offsets here; see {@link Leadership}. */
  get leader(): Leader {
    return this.#leadership.leaderOf(this.id);
  }

  /** Everything below lasts and may be read. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /**
   * Everything below may be read with this isolation: for `committed` that ends where the oldest open transaction begins
   * (Kafka's last stable offset).
   */
  readableEnd(isolation: Isolation): number {
    if (isolation === 'uncommitted') return this.#highWatermark;
    const firstOpen = this.#transactions.firstOpenOffset;
    if (firstOpen === undefined) return this.#highWatermark;
    return Math.min(Math.max(firstOpen, this.firstOffset), this.#highWatermark);
  }

  /** Whether a batch that was read as `committed` holds records that count: no mark, and nothing that was aborted. */
  isCommitted(batch: TransactionFacts): boolean {
    return this.#transactions.isCommitted(batch);
  }

  /** The aborted transactions of which something lies from one offset to before another, by their ends. */
  abortedBetween(fromOffset: number, untilOffset: number): AbortedTransaction[] {
    return this.#transactions.abortedBetween(fromOffset, untilOffset);
  }

  /** The largest timestamp of what lasts, -1 for none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /**
   * Appends a batch, here or where its leader is; resolves with its base offset after it lasts. For a batch of an idempotent
   * producer that came before, that is the offset it has; for messages with numbers that came before, it is the end of the log.
   *
   * @throws SequenceError; StoreUnavailableError where the store cannot write now; StoreError `not-leader`, `batch-too-large`, `exists`.
   */
  append(batch: UnplacedBatch): Promise<number> {
    // One that is too large is not missed by what is behind it.
    if (batch.numbered !== undefined && batch.bytes.length <= this.#maxBatchBytes)
      batch.numbered = this.#senders.given(batch.numbered);
    return this.#elsewhere === undefined
      ? this.appendHere(batch)
      : this.#appendSomewhere(batch, this.#elsewhere);
  }

  async #appendSomewhere(batch: UnplacedBatch, elsewhere: Elsewhere): Promise<number> {
    if (this.leader !== 'here') {
      checkBatchSize(batch.bytes.length, this.#maxBatchBytes);
      return elsewhere.forward(this.id, batch);
    }
    try {
      return await this.appendHere(batch);
    } catch (error) {
      // Another node has become the leader, and nothing of it was stored.
      if (!isNotLeader(error)) throw error;
      return elsewhere.forward(this.id, batch);
    }
  }

  /**
   * The same for what another node has given to this one, which takes it back where this one leads no more.
   *
   * @param isConfirmed whether it is certain that this node still leads.
   */
  async appendHere(batch: UnplacedBatch, isConfirmed = false): Promise<number> {
    // Before it has a place, so that those behind it need not wait for its end.
    checkBatchSize(batch.bytes.length, this.#maxBatchBytes);
    if (this.leader !== 'here')
      throw new StoreError('not-leader', `another node leads partition id ${this.id}`);
    if (this.#isFailing) this.#startAnew();
    let known: RememberedBatch | undefined;
    try {
      known = batch.producer && this.#producers.check(batch.producer, batch.count);
    } catch (error) {
      if (isConfirmed || this.#store.confirm === undefined) throw error;
      // A producer gives up for good: a node that was replaced and does not know it must not say that.
      await this.confirm();
      return this.appendHere(batch, true);
    }
    if (known !== undefined) {
      await known.writing;
      return known.baseOffset;
    }
    if (batch.numbered !== undefined) {
      const knownCount = this.#senders.knownOf(batch.numbered);
      if (knownCount === batch.count) {
        await this.#senders.lasts(batch.numbered.id);
        return this.#highWatermark;
      }
      if (knownCount > 0) batch = restOf(batch, batch.numbered, knownCount);
    }
    const { bytes, count, maxTimestamp } = batch;
    const baseOffset = this.#nextOffset;
    if (batch.baseOffset !== undefined && batch.baseOffset !== baseOffset)
      throw new StoreError(
        'exists',
        `offset ${batch.baseOffset} is not the next one, which is ${baseOffset}`,
      );
    const lastOffset = baseOffset + count - 1;
    setBaseOffset(bytes, 0, baseOffset, this.leaderEpoch);
    this.#nextOffset = lastOffset + 1;
    this.#inFlight++;
    const beganMs = performance.now();
    try {
      await this.#write({ baseOffset, lastOffset, count, maxTimestamp, bytes }, batch);
    } catch (error) {
      this.#isFailing = true;
      throw error;
    } finally {
      this.#inFlight--;
    }
    this.#appends?.observe((performance.now() - beganMs) / 1_000);
    const written = { baseOffset, lastOffset, count, maxTimestamp, bytes };
    const ended = batch.transaction && this.#transactions.apply(batch.transaction, baseOffset);
    this.#lasts(written);
    this.#kept?.(this, written);
    if (ended !== undefined) this.#tellOfTransaction(ended, baseOffset);
    else if (batch.transaction === undefined && batch.isPublished !== true) this.#tellOfBatch(written);
    return baseOffset;
  }

  /**
   * This node leads it from now on, whoever did before; `stored` is what lasts. Nothing of its own is on the way to the store.
   */
  lead(stored: StoredPartition): void {
    this.leaderEpoch = stored.leaderEpoch;
    this.restore(stored);
    this.#tell();
  }

  /** Another node leads it, or nobody does: whoever reads here and should read there finds out. */
  follow(leaderEpoch: number): void {
    this.leaderEpoch = leaderEpoch;
    this.#tell();
  }

  /** Its leader elsewhere has appended, and so much lasts. */
  noteAdvanced({ nextOffset, maxTimestamp, sizeBytes }: Advance): void {
    if (this.leader === 'here' || nextOffset <= this.#highWatermark) return;
    // Batches of another's writing lie between what is in memory and what comes.
    if (!this.#tail.isEmpty) this.#tail.clear();
    this.#highWatermark = nextOffset;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, maxTimestamp);
    this.#sizeBytes = sizeBytes;
    this.#tell();
  }

  /** Its leader elsewhere has deleted what was before an offset. */
  noteTruncated(firstOffset: number, sizeBytes: number): void {
    this.firstOffset = Math.max(this.firstOffset, firstOffset);
    this.#sizeBytes = sizeBytes;
    this.#transactions.forgetBefore(this.firstOffset);
  }

  /**
   * Makes sure that this node knows all that lasts, before it tells somebody that something is not there.
   *
   * @throws StoreError `not-leader`; StoreUnavailableError.
   */
  async confirm(): Promise<void> {
    await this.#store.confirm?.(this.id);
  }

  /** The store has appended a batch of its own, in a partition that nobody else appends to. */
  noteAppended(batch: StoredBatch): void {
    this.#nextOffset = batch.lastOffset + 1;
    this.#lasts(batch);
  }

  /** Whether its topic was deleted. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Whole batches from the one that holds `fromOffset`, at most `maxBytes` but always the first one; all of them lie
   * before {@link readableEnd}, where it is empty. For `committed` too there are marks and batches of aborted transactions
   * among them: see {@link isCommitted}.
   *
   * @param memory where their bytes may lie: then they count until it is given back.
   * @throws CorruptBatchError, StoreUnavailableError.
   */
  async read(
    fromOffset: number,
    maxBytes: number,
    isolation: Isolation = 'committed',
    memory?: LentMemory,
  ): Promise<StoredBatch[]> {
    const from = Math.max(fromOffset, this.firstOffset);
    const end = this.readableEnd(isolation);
    if (from >= end || this.#isEnded) return [];
    const cached = this.#tail.read(from, end, maxBytes, memory);
    if (cached !== undefined) return cached;
    const stored = await this.#store.read(this.id, from, maxBytes, memory);
    return stored.filter((batch) => batch.lastOffset < end);
  }

  /** The same, or the damage that lies there. @throws StoreUnavailableError. */
  async readOrDamage(
    fromOffset: number,
    maxBytes: number,
    isolation: Isolation = 'committed',
    memory?: LentMemory,
  ): Promise<StoredBatch[] | CorruptBatchError> {
    try {
      return await this.read(fromOffset, maxBytes, isolation, memory);
    } catch (error) {
      if (error instanceof CorruptBatchError) return error;
      throw error;
    }
  }

  /**
   * The same from behind batches that are damaged, of which the store has told: their offsets are a gap, as compaction leaves them.
   *
   * @throws StoreUnavailableError.
   */
  async readIntact(fromOffset: number, maxBytes: number, isolation: Isolation): Promise<StoredBatch[]> {
    for (let from = fromOffset; ; ) {
      const found = await this.readOrDamage(from, maxBytes, isolation);
      if (!(found instanceof CorruptBatchError)) return found;
      from = found.lastOffset + 1;
    }
  }

  /** The offset of the first batch with a record at or after a time; the high watermark where there is none. */
  async offsetForTime(timestamp: number): Promise<number> {
    // Batches that are appended while the store looks are not looked at.
    const end = this.#highWatermark;
    const span = await this.#store.batchForTime(this.id, timestamp);
    return span === undefined ? end : Math.max(span.baseOffset, this.firstOffset);
  }

  /** Everything before `offset` goes. */
  async deleteUntil(offset: number): Promise<void> {
    if (offset <= this.firstOffset) return;
    // How far it goes is known to its leader.
    if (this.leader !== 'here' && this.#elsewhere !== undefined) {
      await this.#elsewhere.deleteUntil(this.id, offset);
      return;
    }
    const until = Math.min(offset, this.#highWatermark);
    if (until <= this.firstOffset) return;
    this.noteGone(await this.#store.deleteUntil(this.id, until));
    this.firstOffset = Math.max(this.firstOffset, until);
    this.#transactions.forgetBefore(this.firstOffset);
  }

  /** Compaction is about to replace what ends before an offset: it is read from the store from now on. */
  dropCached(untilOffset: number): void {
    this.#tail.dropUntil(untilOffset);
  }

  /** Bytes of the batches that can be read. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** So many bytes fewer can be read now: of batches that were deleted, or have become smaller. */
  noteGone(bytes: number): void {
    this.#sizeBytes -= bytes;
  }

  /** The number of the last message of a client that numbers them; 0 where none is here. */
  lastNumberOf(id: bigint): number {
    return this.#senders.lastNumberOf(id);
  }

  /** Forgets idempotent producers that were quiet since a time. */
  async forgetProducers(quietSinceMs: number): Promise<void> {
    const expired = [
      ...this.#producers.takeExpired(quietSinceMs),
      ...this.#senders.takeExpired(quietSinceMs),
    ];
    if (expired.length > 0) await this.#store.forgetProducers(this.id, expired);
  }

  /**
   * Calls `listener` when more has become readable, or another node leads; once for all that came in one turn, and behind it, so that a
   * producer is answered however many wait to read. Returns what ends that.
   */
  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The store has recovered; this is what lasts. */
  restore(stored: StoredPartition): void {
    this.firstOffset = stored.firstOffset;
    this.#highWatermark = stored.nextOffset;
    this.#maxTimestamp = stored.maxTimestamp;
    this.#sizeBytes = stored.sizeBytes;
    this.#tail.clear();
    this.#isFailing = false;
    this.#nextOffset = this.#highWatermark;
    this.#producers.restore(stored.producers);
    this.#senders.restore(stored.producers);
    this.#transactions.restore(stored.transactions ?? NO_TRANSACTIONS);
  }

  /** Its topic was deleted: readers that wait are told, and find nothing more. */
  end(): void {
    this.#isEnded = true;
    this.#tail.clear();
    this.#tell();
  }

  async #write(batch: StoredBatch, { producer, numbered }: UnplacedBatch): Promise<void> {
    if (numbered !== undefined) {
      await this.#writeNumbered(batch, numbered);
      return;
    }
    if (producer === undefined) {
      await this.#store.append(this.id, batch);
      return;
    }
    const { baseOffset, count } = batch;
    const { remembered, stored } = this.#producers.add(producer, count, baseOffset, this.#clock.now());
    remembered.writing = this.#store.append(this.id, { ...batch, producer: stored });
    try {
      await remembered.writing;
    } catch (error) {
      this.#producers.remove(producer.id, baseOffset);
      throw error;
    }
  }

  async #writeNumbered(batch: StoredBatch, numbered: NumberedBatch): Promise<void> {
    const nowMs = this.#clock.now();
    const writing = this.#store.append(this.id, {
      ...batch,
      producer: this.#senders.stored(numbered, nowMs),
    });
    this.#senders.add(numbered, writing, nowMs);
    try {
      await writing;
    } catch (error) {
      this.#senders.remove(numbered.id);
      throw error;
    }
    this.#senders.added(numbered);
  }

  /** Batches that are under way behind a refused one are refused too; the next offset is known after the last of them. */
  #startAnew(): void {
    if (this.#inFlight > 0)
      throw new StoreUnavailableError('failed', 'a batch before this one could not be written');
    this.#isFailing = false;
    this.#nextOffset = this.#highWatermark;
  }

  #lasts(batch: StoredBatch): void {
    this.#highWatermark = batch.lastOffset + 1;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp);
    this.#sizeBytes += batch.bytes.length;
    this.#tail.add(batch);
    this.#tell();
  }

  /** Whoever waits for more looks again. */
  #tell(): void {
    if (this.#isTelling || this.#listeners.size === 0) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener();
    });
  }

  #tellOfBatch(batch: StoredBatch): void {
    const { baseOffset: fromOffset, lastOffset } = batch;
    this.#committed?.(this, { fromOffset, endOffset: lastOffset + 1, transactionOf: undefined, batch });
  }

  #tellOfTransaction({ producerId, firstOffset }: OpenTransaction, endOffset: number): void {
    const fromOffset = Math.max(firstOffset, this.firstOffset);
    this.#committed?.(this, { fromOffset, endOffset, transactionOf: producerId, batch: undefined });
  }
}

/** A batch without its first records, which came before. */
function restOf(batch: UnplacedBatch, { id, runs }: NumberedBatch, known: number): UnplacedBatch {
  const { bytes, maxTimestamp } = batchWithoutFirst(batch.bytes, known);
  const numbered = { id, runs: runsBehind(runs, known) };
  return { ...batch, bytes, maxTimestamp, count: batch.count - known, numbered };
}

function isNotLeader(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'not-leader';
}

const NO_TRANSACTIONS: StoredTransactions = { open: [], aborted: [] };
