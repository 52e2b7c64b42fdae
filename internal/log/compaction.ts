import {
  compactionKeysBytes,
  compactionLookBytesPerSecond,
  compactionReadBytes,
  maxExpandedBatchBytes,
  producerExpirationMs,
} from '../limits.ts';
import type { LogStore, StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError, StoreError } from '../store/store-error.ts';
import type { CompactedBatch, CompactionFormat } from './compaction-format.ts';
import { KeyOffsets } from './compaction-keys.ts';
import { Pace } from './compaction-pace.ts';
import { LastBatches } from './compaction-producers.ts';
import { Replacing } from './compaction-replacing.ts';
import {
  type CompactionState,
  forgetCompactionState,
  readCompactionState,
  writeCompactionState,
} from './compaction-state.ts';

/** What compaction knows of a partition. */
export interface CompactedPartition {
  readonly id: number;
  readonly firstOffset: number;
  readonly highWatermark: number;
  /** What ends before an offset is read from the store from now on. */
  dropCached(untilOffset: number): void;
}

/** The settings of a topic that compaction follows; Infinity for without end. */
export interface CompactionSettings {
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly deleteRetentionMs: number;
}

export interface CompactorOptions {
  store: LogStore;
  format: CompactionFormat;
  /** Memory for the keys of one pass. */
  keysBytes?: number;
  /** What is read at once, in bytes. */
  readBytes?: number;
  /** For a store that writes much for one change: how much to change at once, in bytes; 0: only what changes. */
  gatherBytes?: number;
}

/** What compaction did. */
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

/**
 * Compaction by key (`cleanup.policy=compact`), as Kafka's log cleaner does it: of each key the last record stays, in
 * its place. Every pass collects the last offset of each key in the part that was never compacted (dirty), as far as
 * memory goes, then looks at the log from its first offset on and replaces batches without what is not the last of
 * its key. Readers meanwhile see a batch as it was or as it is; a kill in between leaves a log that is compacted in
 * part, which the next time begins with again.
 *
 * Kafka leaves its active segment alone. There are no segments here; what stands for it is the last batch, so that the
 * log always has a batch that ends at the high watermark. Older records of its keys go.
 */
export class Compactor {
  readonly #store: LogStore;
  readonly #format: CompactionFormat;
  readonly #keysBytes: number;
  readonly #readBytes: number;
  readonly #gatherBytes: number;
  /** Where looking again is of no use before something happens. */
  readonly #quiet = new Map<number, Quiet>();
  #isStopped = false;
  #isUnsupported = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor({ store, format, keysBytes, readBytes, gatherBytes }: CompactorOptions) {
    this.#store = store;
    this.#format = format;
    this.#keysBytes = keysBytes ?? compactionKeysBytes;
    this.#readBytes = readBytes ?? compactionReadBytes;
    this.#gatherBytes = gatherBytes ?? 0;
  }

  /**
   * Compacts a partition if it is worth it; after those that were asked for before. Never fails because of what is in
   * the log, nor because the partition is gone.
   *
   * @throws StoreUnavailableError.
   */
  compact(
    partition: CompactedPartition,
    settings: CompactionSettings,
    nowMs: number,
  ): Promise<CompactionResult> {
    const compacting = this.#running.then(() => this.#compact(partition, settings, nowMs));
    this.#running = compacting.catch(() => {});
    return compacting;
  }

  /** Forgets a partition that is gone. @throws StoreUnavailableError */
  async forget(partition: number): Promise<void> {
    this.#quiet.delete(partition);
    await forgetCompactionState(this.#store, partition);
  }

  /** Ends what is running between two steps; what is asked for after this does nothing. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #compact(
    partition: CompactedPartition,
    settings: CompactionSettings,
    nowMs: number,
  ): Promise<CompactionResult> {
    const result: CompactionResult = {
      outcome: 'idle',
      passes: 0,
      bytesBefore: 0,
      bytesAfter: 0,
      unreadableBatches: 0,
    };
    const run: Run = { partition, settings, nowMs, result, pace: new Pace() };
    try {
      if (!this.#isUnsupported && !this.#isQuiet(run)) await this.#passes(run);
    } catch (error) {
      if (error instanceof Stopped) {
        result.outcome = 'stopped';
      } else if (error instanceof StoreError && error.code === 'unsupported') {
        this.#isUnsupported = true;
        result.outcome = 'unsupported';
      } else if (error instanceof StoreError && GONE.has(error.code)) {
        result.outcome = 'stopped';
      } else {
        throw error;
      }
    }
    return result;
  }

  async #passes(run: Run): Promise<void> {
    const { partition, settings, nowMs } = run;
    const end = partition.highWatermark;
    let state = await this.#stateOf(partition);
    const hasExpired = (state.nextHorizonMs ?? Infinity) <= nowMs;
    const isOverdue = await this.#isOverdue(run, state);
    const isCertain = hasExpired || isOverdue;
    if (!isCertain) {
      const dirtyBytes = (await this.#store.sizeBytes(partition.id)) - state.cleanBytes;
      if (!isWorthIt(dirtyBytes, state, settings)) {
        this.#beQuiet(run, state, end, 0);
        return;
      }
    }
    const keys = new KeyOffsets(this.#keysBytes);
    for (;;) {
      const found = await this.#collect(run, keys, state.cleanUntil, end);
      if (
        run.result.passes === 0 &&
        !isCertain &&
        !found.isFull &&
        !isWorthIt(found.bytes, state, settings)
      ) {
        this.#beQuiet(run, state, end, found.bytes);
        return;
      }
      if (found.untilOffset === state.cleanUntil && !(hasExpired && run.result.passes === 0)) break;
      run.result.passes++;
      const { cleanBytes, nextHorizonMs } = await this.#rewrite(run, keys, found);
      state = {
        cleanUntil: found.untilOffset,
        cleanBytes,
        firstOffset: partition.firstOffset,
        nextHorizonMs,
      };
      await writeCompactionState(this.#store, partition.id, state);
      run.result.outcome = 'done';
      if (!found.isFull) break;
      keys.clear();
    }
    this.#beQuiet(run, state, end, 0);
  }

  async #stateOf(partition: CompactedPartition): Promise<CompactionState> {
    const state = await readCompactionState(this.#store, partition.id);
    const { firstOffset } = partition;
    if (firstOffset <= state.firstOffset) return state;
    if (firstOffset >= state.cleanUntil)
      return { cleanUntil: firstOffset, cleanBytes: 0, firstOffset, nextHorizonMs: undefined };
    // Retention took some of the clean part; how much is guessed by the offsets.
    const share = (state.cleanUntil - firstOffset) / (state.cleanUntil - state.firstOffset);
    return { ...state, cleanBytes: state.cleanBytes * share, firstOffset };
  }

  /** Whether a record waits for compaction longer than it may. */
  async #isOverdue({ partition, settings, nowMs }: Run, { cleanUntil }: CompactionState): Promise<boolean> {
    if (!Number.isFinite(settings.maxCompactionLagMs)) return false;
    const [first] = await this.#read(partition, cleanUntil, 1);
    return first !== undefined && first.maxTimestamp < nowMs - settings.maxCompactionLagMs;
  }

  /**
   * Collects the last offset of each key from an offset on, until a batch is too new or there is no room. Keys of the
   * last batch count, but it is not one of those that are compacted.
   */
  async #collect(run: Run, keys: KeyOffsets, fromOffset: number, endOffset: number): Promise<Found> {
    const { partition, settings, nowMs } = run;
    const producers = new LastBatches();
    const found: Found = { untilOffset: fromOffset, bytes: 0, isFull: false, producers };
    const tooNewMs = settings.minCompactionLagMs > 0 ? nowMs - settings.minCompactionLagMs : Infinity;
    const lastOffset = endOffset - 1;
    for (let next = fromOffset; next <= lastOffset; ) {
      const batches = await this.#read(partition, next, this.#readBytes);
      if (batches.length === 0) break;
      for (const batch of batches) {
        if (batch.maxTimestamp > tooNewMs) return found;
        const fullAt = this.#collectFrom(batch, run, keys, fromOffset, producers);
        if (batch.lastOffset >= lastOffset) return found;
        found.bytes += batch.bytes.length;
        found.isFull = fullAt !== undefined;
        found.untilOffset = fullAt ?? batch.lastOffset + 1;
        if (found.isFull) return found;
        await this.#breathe(run);
      }
      next = batches.at(-1)!.lastOffset + 1;
    }
    return found;
  }

  /** Returns the offset of the first record whose key found no room. */
  #collectFrom(
    batch: StoredBatch,
    run: Run,
    keys: KeyOffsets,
    fromOffset: number,
    producers: LastBatches,
  ): number | undefined {
    let fullAt: number | undefined;
    try {
      const { producerId, isFixed } = this.#format.compactionFacts(batch.bytes);
      if (producerId >= 0) producers.saw(producerId, batch.lastOffset);
      if (isFixed) return undefined;
      this.#format.visitKeys(batch.bytes, maxExpandedBatchBytes, (offset, bytes, start, end) => {
        if (offset < fromOffset || keys.put(bytes, start, end, offset)) return true;
        fullAt = offset;
        return false;
      });
    } catch (error) {
      if (!this.#format.isUnreadable(error)) throw error;
      run.result.unreadableBatches++;
    }
    return fullAt;
  }

  /** Replaces what is below an offset by what stays of it. */
  async #rewrite(run: Run, keys: KeyOffsets, { untilOffset, producers }: Found): Promise<Cleaned> {
    const { partition } = run;
    const cleaned: Cleaned = { cleanBytes: 0, nextHorizonMs: undefined };
    partition.dropCached(untilOffset);
    const replacing = new Replacing(this.#store, partition.id, this.#gatherBytes);
    let isLast = false;
    for (let next = partition.firstOffset; next < untilOffset && !isLast; ) {
      const batches = await this.#read(partition, next, this.#readBytes);
      if (batches.length === 0) break;
      for (const batch of batches) {
        isLast = batch.baseOffset >= untilOffset;
        if (isLast) break;
        if (batch.bytes.length === 0) {
          replacing.send();
          continue;
        }
        run.result.bytesBefore += batch.bytes.length;
        const left = this.#leftOf(batch, run, keys, untilOffset, producers, replacing);
        cleaned.cleanBytes += left.bytes;
        const horizonMs = left.deleteHorizonMs;
        if (horizonMs !== undefined)
          cleaned.nextHorizonMs = Math.min(cleaned.nextHorizonMs ?? Infinity, horizonMs);
        await this.#breathe(run);
      }
      await replacing.pieceEnds();
      next = batches.at(-1)!.lastOffset + 1;
    }
    await replacing.done();
    run.result.bytesAfter += cleaned.cleanBytes;
    return cleaned;
  }

  /** What stays of one batch, which is handed to the store; its bytes and when its tombstones may go. */
  #leftOf(
    batch: StoredBatch,
    run: Run,
    keys: KeyOffsets,
    untilOffset: number,
    producers: LastBatches,
    replacing: Replacing,
  ): { bytes: number; deleteHorizonMs: number | undefined } {
    const asItIs = { bytes: batch.bytes.length, deleteHorizonMs: undefined };
    let compacted: CompactedBatch;
    let producerId: number;
    try {
      const facts = this.#format.compactionFacts(batch.bytes);
      producerId = facts.producerId;
      if (facts.isFixed) {
        replacing.same(batch);
        return asItIs;
      }
      const isActive = producerId >= 0 && batch.maxTimestamp > run.nowMs - producerExpirationMs;
      const rules = {
        isLatest: (offset: number, bytes: Uint8Array, start: number, end: number) =>
          offset >= keys.get(bytes, start, end),
        untilOffset,
        keepsHeader: isActive && producers.mayBeLast(producerId, batch.lastOffset),
        nowMs: run.nowMs,
        deleteRetentionMs: run.settings.deleteRetentionMs,
      };
      compacted = this.#format.rebuildBatch(batch.bytes, rules, maxExpandedBatchBytes);
    } catch (error) {
      if (!this.#format.isUnreadable(error)) throw error;
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
  async #read(partition: CompactedPartition, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    try {
      return await this.#store.read(partition.id, fromOffset, maxBytes);
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      const { baseOffset, lastOffset } = error;
      return [{ baseOffset, lastOffset, count: 0, maxTimestamp: -1, bytes: new Uint8Array(0) }];
    }
  }

  async #breathe(run: Run): Promise<void> {
    if (this.#isStopped) throw new Stopped();
    if (run.pace.isOver()) await run.pace.rest();
  }

  #isQuiet({ partition, settings, nowMs }: Run): boolean {
    if (this.#isStopped) throw new Stopped();
    const quiet = this.#quiet.get(partition.id);
    if (quiet === undefined) return false;
    if (quiet.settings !== textOf(settings)) return false;
    if (nowMs < quiet.notBeforeMs) return true;
    return quiet.highWatermark === partition.highWatermark && nowMs < quiet.wakeAtMs;
  }

  /** Nothing is to do until more is appended, or until a time. */
  #beQuiet(
    { partition, settings, nowMs }: Run,
    state: CompactionState,
    end: number,
    lookedAtBytes: number,
  ): void {
    const waitsForTime = settings.minCompactionLagMs > 0 || Number.isFinite(settings.maxCompactionLagMs);
    this.#quiet.set(partition.id, {
      settings: textOf(settings),
      highWatermark: end,
      wakeAtMs: waitsForTime ? nowMs : (state.nextHorizonMs ?? Infinity),
      notBeforeMs: nowMs + (lookedAtBytes / compactionLookBytesPerSecond) * 1000,
    });
  }
}

/** One call of compact. */
interface Run {
  partition: CompactedPartition;
  settings: CompactionSettings;
  nowMs: number;
  result: CompactionResult;
  pace: Pace;
}

interface Quiet {
  settings: string;
  highWatermark: number;
  wakeAtMs: number;
  notBeforeMs: number;
}

/** What was collected: the keys of records up to an offset. */
interface Found {
  untilOffset: number;
  bytes: number;
  /** Whether there was no room for another key. */
  isFull: boolean;
  producers: LastBatches;
}

interface Cleaned {
  cleanBytes: number;
  nextHorizonMs: number | undefined;
}

/** Thrown to end a run in the middle. */
class Stopped extends Error {}

/** Retention, DeleteRecords or the end of a topic came in between. */
const GONE: ReadonlySet<string> = new Set(['not-found', 'invalid', 'conflict']);

function isWorthIt(
  dirtyBytes: number,
  { cleanBytes }: CompactionState,
  { minCleanableDirtyRatio }: CompactionSettings,
): boolean {
  return dirtyBytes > 0 && dirtyBytes > minCleanableDirtyRatio * (cleanBytes + dirtyBytes);
}

function textOf(settings: CompactionSettings): string {
  const { minCleanableDirtyRatio, minCompactionLagMs, maxCompactionLagMs, deleteRetentionMs } = settings;
  return [minCleanableDirtyRatio, minCompactionLagMs, maxCompactionLagMs, deleteRetentionMs].join();
}
