import { compactionKeysBytes, compactionLookBytesPerSecond, compactionReadBytes } from '../../limits/log.ts';
import type { LogStore } from '../../store/log-store.ts';
import { StoreError } from '../../store/store-error.ts';
import { KeyOffsets } from './keys.ts';
import {
  type CompactedPartition,
  CompactionPasses,
  type CompactionResult,
  type CompactionRun,
  type CompactionSettings,
  Stopped,
} from './passes.ts';
import {
  type CompactionState,
  forgetCompactionState,
  readCompactionState,
  writeCompactionState,
} from './state.ts';

export interface CompactorOptions {
  store: LogStore;
  /** Memory for the keys of one pass. */
  keysBytes?: number;
  /** The bytes that are read at once. */
  readBytes?: number;
  /** For a store that writes much for one change: how much to change at once, in bytes; 0: only what changes. */
  gatherBytes?: number;
}

/**
 * Compaction by key (`cleanup.policy=compact`), as Kafka's log cleaner does it: of each key the last record stays, in
 * its place. Every pass collects the last offset of each key in the part that was never compacted (dirty), as far as
 * memory goes, then looks at the log from its first offset on and replaces batches without what is not the last of
 * its key. Readers meanwhile see a batch as it was or as it is; a kill in between leaves a log that is compacted in
 * part, which the next time begins with again.
 *
 * Kafka leaves its active segment alone. There are no segments here; what stands for it is the last batch, so that the
 * log always has a batch that ends where what is compacted ends. Older records of its keys go.
 */
export class Compactor {
  readonly #store: LogStore;
  readonly #keysBytes: number;
  readonly #readBytes: number;
  readonly #gatherBytes: number;
  /** Partitions that need no other look before something happens. */
  readonly #quiet = new Map<number, Quiet>();
  #isStopped = false;
  #isUnsupported = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor({ store, keysBytes, readBytes, gatherBytes }: CompactorOptions) {
    this.#store = store;
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
    const run: CompactionRun = {
      store: this.#store,
      readBytes: this.#readBytes,
      gatherBytes: this.#gatherBytes,
      partition,
      settings,
      nowMs,
      result,
      isStopped: () => this.#isStopped,
    };
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

  async #passes(run: CompactionRun): Promise<void> {
    const { partition, settings, nowMs } = run;
    const end = partition.readableEnd('committed');
    const passes = new CompactionPasses(run);
    let state = await this.#stateOf(partition);
    const hasExpired = (state.nextHorizonMs ?? Infinity) <= nowMs;
    const isOverdue = await this.#isOverdue(run, passes, state.cleanUntil);
    const isCertain = hasExpired || isOverdue;
    if (!isCertain) {
      const dirtyBytes = partition.sizeBytes - state.cleanBytes;
      if (!isWorthIt(dirtyBytes, state, settings)) {
        this.#beQuiet(run, state, end, 0);
        return;
      }
    }
    const keys = new KeyOffsets(this.#keysBytes);
    for (;;) {
      const found = await passes.collect(keys, state.cleanUntil, end);
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
      const { cleanBytes, nextHorizonMs } = await passes.rewrite(keys, found);
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
  async #isOverdue(
    { settings, nowMs }: CompactionRun,
    passes: CompactionPasses,
    cleanUntil: number,
  ): Promise<boolean> {
    if (!Number.isFinite(settings.maxCompactionLagMs)) return false;
    const timestamp = await passes.firstTimestamp(cleanUntil);
    return timestamp !== undefined && timestamp < nowMs - settings.maxCompactionLagMs;
  }

  #isQuiet({ partition, settings, nowMs }: CompactionRun): boolean {
    if (this.#isStopped) throw new Stopped();
    const quiet = this.#quiet.get(partition.id);
    if (quiet === undefined) return false;
    if (quiet.settings !== textOf(settings)) return false;
    if (nowMs < quiet.notBeforeMs) return true;
    return quiet.end === partition.readableEnd('committed') && nowMs < quiet.wakeAtMs;
  }

  /** Nothing is to do until more is appended, or until a time. */
  #beQuiet(
    { partition, settings, nowMs }: CompactionRun,
    state: CompactionState,
    end: number,
    lookedAtBytes: number,
  ): void {
    const waitsForTime = settings.minCompactionLagMs > 0 || Number.isFinite(settings.maxCompactionLagMs);
    this.#quiet.set(partition.id, {
      settings: textOf(settings),
      end,
      wakeAtMs: waitsForTime ? nowMs : (state.nextHorizonMs ?? Infinity),
      notBeforeMs: nowMs + (lookedAtBytes / compactionLookBytesPerSecond) * 1000,
    });
  }
}

interface Quiet {
  settings: string;
  end: number;
  wakeAtMs: number;
  notBeforeMs: number;
}

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
