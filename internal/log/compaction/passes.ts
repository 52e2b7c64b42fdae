import {
  compactionFacts,
  isUnreadable,
  type RebuiltBatch,
  rebuildBatch,
  visitKeys,
} from '../../batch/rebuild.ts';
import { maxExpandedBatchBytes } from '../../limits/batch.ts';
import { producerExpirationMs } from '../../limits/log.ts';
import type { LogStore, StoredBatch } from '../../store/log-store.ts';
import { CorruptBatchError } from '../../store/store-error.ts';
import type { KeyOffsets } from './keys.ts';
import { Pace } from './pace.ts';
import { LastBatches } from './producers.ts';
import { type Replaced, Replacing } from './replacing.ts';

/** The state of a partition's compaction. */
export interface CompactedPartition extends Replaced {
  readonly firstOffset: number;
  readonly sizeBytes: number;
  /** Only what was committed for certain is compacted: a later record that may be aborted takes no earlier one's place. */
  readableEnd(isolation: 'committed'): number;
  /** From now on batches that end before an offset are read from the store. */
  dropCached(untilOffset: number): void;
}

/** The settings of a topic that compaction follows; Infinity for without end. */
export interface CompactionSettings {
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly deleteRetentionMs: number;
}

/** The result of a compaction. */
export interface CompactionResult {
  /**
   * `idle`: there was not enough to do. `done`. `stopped`: the broker stops, or records or the topic went in between;
   * the rest is for the next time. `unsupported`: the store replaces nothing.
   */
  outcome: 'idle' | 'done' | 'stopped' | 'unsupported';
  passes: number;
  /** Bytes of the batches that were looked at, and of what stayed of them; in all passes together. */
  bytesBefore: number;
  bytesAfter: number;
  /** Batches that could not be read, and stay as they are. */
  unreadableBatches: number;
}

/** One compaction of a partition. */
export interface CompactionRun {
  readonly store: LogStore;
  readonly readBytes: number;
  readonly gatherBytes: number;
  readonly partition: CompactedPartition;
  readonly settings: CompactionSettings;
  readonly nowMs: number;
  readonly result: CompactionResult;
  /** Whether it is to end now. */
  isStopped(): boolean;
}

/** The keys of records up to an offset. */
export interface Found {
  untilOffset: number;
  bytes: number;
  /** Whether there was no room for another key. */
  isFull: boolean;
  producers: LastBatches;
}

/** The result of a pass: the bytes that stay, and when the first of their tombstones may go. */
export interface Cleaned {
  cleanBytes: number;
  nextHorizonMs: number | undefined;
}

/** Thrown to end a run in the middle. */
export class Stopped extends Error {}

/** The two halves of each pass of a compaction over a partition. */
export class CompactionPasses {
  readonly #run: CompactionRun;
  readonly #pace = new Pace();

  constructor(run: CompactionRun) {
    this.#run = run;
  }

  /** The largest timestamp of the first batch from an offset on. */
  async firstTimestamp(fromOffset: number): Promise<number | undefined> {
    const [first] = await this.#read(fromOffset, 1);
    return first?.maxTimestamp;
  }

  /**
   * Collects the last offset of each key from an offset on, until a batch is too new or there is no room. Keys of the
   * last batch count, but it is not one of those that are compacted.
   */
  async collect(keys: KeyOffsets, fromOffset: number, endOffset: number): Promise<Found> {
    const { settings, nowMs } = this.#run;
    const producers = new LastBatches();
    const found: Found = { untilOffset: fromOffset, bytes: 0, isFull: false, producers };
    const tooNewMs = settings.minCompactionLagMs > 0 ? nowMs - settings.minCompactionLagMs : Infinity;
    const lastOffset = endOffset - 1;
    for (let next = fromOffset; next <= lastOffset; ) {
      const batches = await this.#read(next);
      if (batches.length === 0) break;
      for (const batch of batches) {
        if (batch.maxTimestamp > tooNewMs) return found;
        const fullAt = this.#collectFrom(batch, keys, fromOffset, producers);
        if (batch.lastOffset >= lastOffset) return found;
        found.bytes += batch.bytes.length;
        found.isFull = fullAt !== undefined;
        found.untilOffset = fullAt ?? batch.lastOffset + 1;
        if (found.isFull) return found;
        await this.#breathe();
      }
      next = batches.at(-1)!.lastOffset + 1;
    }
    return found;
  }

  /** Returns the offset of the first record whose key found no room. */
  #collectFrom(
    batch: StoredBatch,
    keys: KeyOffsets,
    fromOffset: number,
    producers: LastBatches,
  ): number | undefined {
    let fullAt: number | undefined;
    try {
      const { producerId, isFixed } = compactionFacts(batch.bytes);
      if (producerId >= 0) producers.saw(producerId, batch.lastOffset);
      if (isFixed) return undefined;
      visitKeys(batch.bytes, maxExpandedBatchBytes, (offset, bytes, start, end) => {
        if (offset < fromOffset || keys.put(bytes, start, end, offset)) return true;
        fullAt = offset;
        return false;
      });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#run.result.unreadableBatches++;
    }
    return fullAt;
  }

  /** Replaces what is below an offset by what stays of it. */
  async rewrite(keys: KeyOffsets, { untilOffset, producers }: Found): Promise<Cleaned> {
    const { partition } = this.#run;
    const cleaned: Cleaned = { cleanBytes: 0, nextHorizonMs: undefined };
    partition.dropCached(untilOffset);
    const replacing = new Replacing(this.#run.store, partition, this.#run.gatherBytes);
    let isLast = false;
    for (let next = partition.firstOffset; next < untilOffset && !isLast; ) {
      const batches = await this.#read(next);
      if (batches.length === 0) break;
      for (const batch of batches) {
        isLast = batch.baseOffset >= untilOffset;
        if (isLast) break;
        if (batch.bytes.length === 0) {
          replacing.send();
          continue;
        }
        this.#run.result.bytesBefore += batch.bytes.length;
        const left = this.#leftOf(batch, keys, untilOffset, producers, replacing);
        cleaned.cleanBytes += left.bytes;
        const horizonMs = left.deleteHorizonMs;
        if (horizonMs !== undefined)
          cleaned.nextHorizonMs = Math.min(cleaned.nextHorizonMs ?? Infinity, horizonMs);
        await this.#breathe();
      }
      await replacing.pieceEnds();
      next = batches.at(-1)!.lastOffset + 1;
    }
    await replacing.done();
    this.#run.result.bytesAfter += cleaned.cleanBytes;
    return cleaned;
  }

  /** Hands the rest of one batch to the store. Returns its bytes and when its tombstones may go. */
  #leftOf(
    batch: StoredBatch,
    keys: KeyOffsets,
    untilOffset: number,
    producers: LastBatches,
    replacing: Replacing,
  ): { bytes: number; deleteHorizonMs: number | undefined } {
    const asItIs = { bytes: batch.bytes.length, deleteHorizonMs: undefined };
    let compacted: RebuiltBatch;
    let producerId: number;
    try {
      const facts = compactionFacts(batch.bytes);
      producerId = facts.producerId;
      if (facts.isFixed) {
        replacing.same(batch);
        return asItIs;
      }
      const isActive = producerId >= 0 && batch.maxTimestamp > this.#run.nowMs - producerExpirationMs;
      const rules = {
        isLatest: (offset: number, bytes: Uint8Array, start: number, end: number) =>
          offset >= keys.get(bytes, start, end),
        untilOffset,
        keepsHeader: isActive && producers.mayBeLast(producerId, batch.lastOffset),
        nowMs: this.#run.nowMs,
        deleteRetentionMs: this.#run.settings.deleteRetentionMs,
      };
      compacted = rebuildBatch(batch.bytes, rules, maxExpandedBatchBytes);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      replacing.same(batch);
      return asItIs;
    }
    if (compacted.kind === 'gone') {
      replacing.gone(batch);
      return { bytes: 0, deleteHorizonMs: undefined };
    }
    if (compacted.kind === 'same') replacing.same(batch);
    else replacing.rebuilt(batch, compacted);
    const { deleteHorizonMs } = compacted;
    const byteLength = compacted.kind === 'same' ? batch.bytes.length : compacted.bytes.length;
    if (producerId < 0) return { bytes: byteLength, deleteHorizonMs };
    const { baseOffset, lastOffset } = batch;
    const header = compacted.count === 0 ? { baseOffset, lastOffset, byteLength } : undefined;
    const inVain = producers.passed(producerId, header);
    if (inVain !== undefined) replacing.remove(inVain);
    return { bytes: byteLength - (inVain?.byteLength ?? 0), deleteHorizonMs };
  }

  /** A batch that is damaged stays as it is: it comes with its offsets and without bytes. */
  async #read(fromOffset: number, maxBytes = this.#run.readBytes): Promise<StoredBatch[]> {
    try {
      return await this.#run.store.read(this.#run.partition.id, fromOffset, maxBytes);
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      const { baseOffset, lastOffset } = error;
      return [{ baseOffset, lastOffset, count: 0, maxTimestamp: -1, bytes: new Uint8Array(0) }];
    }
  }

  async #breathe(): Promise<void> {
    if (this.#run.isStopped()) throw new Stopped();
    if (this.#pace.isOver()) await this.#pace.rest();
  }
}
