import {
  damagedBatchesRemembered,
  storeGroupBytes,
  storeReopenAfterMs,
  storeReopenAtMostAfterMs,
  storeRoomBytes,
  storeRoomSoonMs,
} from '../limits/store.ts';
import type { StoredState, StoreEvent, StoreHealth } from './log-store.ts';
import {
  CorruptBatchError,
  StoreError,
  StoreUnavailableError,
  type UnavailableReason,
  unavailableReason,
} from './store-error.ts';

/** Whether a store can be used at the moment, who is told of it, and when it is opened again after a failure. */
export class Availability {
  readonly #reopen: () => Promise<StoredState>;
  readonly #demandRoom: (bytes: number) => Promise<void>;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #status: StoreHealth['status'] = 'closed';
  #problem: { reason: UnavailableReason; message: string } | undefined;
  #wasOpened = false;
  #isClosing = false;
  #corruptBatches = 0;
  /** Those that were told: a reader at the end of a log comes to one again and again. */
  readonly #toldBatches = new Set<string>();
  #reopenTimer: NodeJS.Timeout | undefined;
  #reopenAfterMs = storeReopenAfterMs;
  #reopening: Promise<void> | undefined;
  #roomBytes = storeRoomBytes;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param reopen makes the store what it was before it failed, and says what lasts; it may fail again
   * @param demandRoom throws where its disk has no room for so many bytes
   */
  constructor(reopen: () => Promise<StoredState>, demandRoom: (bytes: number) => Promise<void>) {
    this.#reopen = reopen;
    this.#demandRoom = demandRoom;
  }

  get status(): StoreHealth['status'] {
    return this.#status;
  }

  /** Opens the store for the first time. @throws StoreError `invalid` the second time; what `open` throws */
  async open(open: () => Promise<StoredState>): Promise<StoredState> {
    if (this.#wasOpened) throw new StoreError('invalid', 'a store is opened once');
    this.#wasOpened = true;
    const state = await open();
    this.#status = 'ready';
    return state;
  }

  /** @throws StoreUnavailableError unless changes are taken */
  demandReady(): void {
    if (this.#status !== 'ready' || this.#isClosing) throw this.refusal();
  }

  /** @throws StoreUnavailableError unless there is something to read, also while nothing can be written */
  demandOpen(): void {
    if (this.#isClosed) throw this.refusal();
  }

  /** The error of a change that is not made. */
  refusal(): StoreUnavailableError {
    if (this.#isClosed || this.#problem === undefined) {
      return new StoreUnavailableError('closed', 'the store is closed');
    }
    const { reason, message } = this.#problem;
    return new StoreUnavailableError(reason, `the store cannot be written to: ${message}`);
  }

  /**
   * Takes no changes any more until the store was opened again, which is tried from now on.
   *
   * @param bytes that could not be written
   */
  fail(reason: UnavailableReason, message: string, bytes = 0): void {
    if (this.#status === 'closed') return;
    const wasReady = this.#status === 'ready';
    if (wasReady) this.#roomBytes = this.#roomFor(bytes);
    this.#status = 'unavailable';
    this.#problem = { reason, message };
    if (wasReady) this.emit({ kind: 'unavailable', reason: message });
    this.#scheduleReopen();
  }

  /** Counts a damaged batch and tells of it, the first time. @returns what the reader is told */
  corrupt(partition: number, baseOffset: number, lastOffset: number): CorruptBatchError {
    const batch = `${partition}/${baseOffset}`;
    if (!this.#toldBatches.has(batch)) {
      if (this.#toldBatches.size < damagedBatchesRemembered) this.#toldBatches.add(batch);
      this.#corruptBatches++;
      this.emit({ kind: 'corrupt', partition, baseOffset, lastOffset });
    }
    return new CorruptBatchError(partition, baseOffset, lastOffset);
  }

  health(waiting: Pick<StoreHealth, 'waitingChanges' | 'waitingBytes'>): StoreHealth {
    return {
      status: this.#status,
      problem: this.#problem?.message ?? '',
      ...waiting,
      corruptBatches: this.#corruptBatches,
    };
  }

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Takes nothing new, and does not open again. Resolves when no attempt to do so is under way. */
  async beginClose(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#reopenTimer);
    await this.#reopening;
  }

  /** All is finished, well or not. @returns whether nothing was wrong until now */
  close(): boolean {
    const wasReady = this.#status === 'ready';
    this.#status = 'closed';
    this.#problem = undefined;
    return wasReady;
  }

  get #isClosed(): boolean {
    return this.#status === 'closed' || this.#isClosing;
  }

  /** What the disk has to have free before the store works again: more each time that it fails soon after that. */
  #roomFor(bytes: number): number {
    const isSoon = performance.now() - this.#recoveredAtMs < storeRoomSoonMs;
    const wanted = Math.max(bytes + storeRoomBytes, isSoon ? this.#roomBytes * 2 : 0);
    return Math.min(wanted, storeGroupBytes);
  }

  #scheduleReopen(): void {
    if (this.#isClosing || this.#reopenTimer) return;
    this.#reopenTimer = setTimeout(() => {
      this.#reopenTimer = undefined;
      this.#reopening = this.#tryAgain();
    }, this.#reopenAfterMs);
    this.#reopenAfterMs = Math.min(this.#reopenAfterMs * 2, storeReopenAtMostAfterMs);
  }

  async #tryAgain(): Promise<void> {
    const wasFull = this.#problem?.reason === 'disk-full';
    try {
      const state = await this.#reopen();
      // What a store writes to open is small, and says nothing of the next batch.
      if (wasFull) await this.#demandRoom(this.#roomBytes);
      if (this.#isClosing) return;
      this.#status = 'ready';
      this.#problem = undefined;
      this.#reopenAfterMs = storeReopenAfterMs;
      this.#recoveredAtMs = performance.now();
      this.emit({ kind: 'recovered', state });
    } catch (error) {
      this.#problem = { reason: unavailableReason(error), message: (error as Error).message };
      this.#scheduleReopen();
    }
  }
}
