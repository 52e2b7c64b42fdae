import type { Worker } from 'node:worker_threads';
import { storeGroupsInFlight } from '../../limits/store.ts';
import type { Availability } from '../availability.ts';
import { checkBatch } from '../batch-rules.ts';
import type { FsyncPolicy, NewBatch, StoredState, StoreHealth } from '../log-store.ts';
import { StoreUnavailableError, type UnavailableReason } from '../store-error.ts';
import type { WriteTimes } from '../write-times.ts';
import { Acknowledged } from './acknowledged.ts';
import type { Change, FromWriter, GroupTimes, ToWriter } from './messages.ts';
import { endThread, errorOf, startThread } from './thread.ts';
import { TransactionPacker, type Waiting } from './transaction-packer.ts';

export interface SqliteStoreOptions {
  /** Created if it is missing, for its owner only. */
  directory: string;
  fsync: FsyncPolicy;
  times?: WriteTimes;
}

/**
 * The changes that the thread which writes is asked for, in groups: what is asked in one turn, and what comes while the disk
 * works, goes there together. After a failure nothing is taken until the file was opened again.
 */
export class SqliteWrites {
  readonly acknowledged = new Acknowledged();
  readonly #options: SqliteStoreOptions;
  readonly #availability: Availability;
  readonly #packer = new TransactionPacker();
  #writer: Worker | undefined;
  #opening: PromiseWithResolvers<StoredState> | undefined;
  #waiting: Waiting[] = [];
  /** Groups that the writer has, oldest first. */
  #inFlight: Waiting[][] = [];
  #waitingBytes = 0;
  #isFlushScheduled = false;

  constructor(options: SqliteStoreOptions, availability: Availability) {
    this.#options = options;
    this.#availability = availability;
  }

  /** The changes that are not acknowledged yet. */
  get waiting(): Pick<StoreHealth, 'waitingChanges' | 'waitingBytes'> {
    const inFlight = this.#inFlight.reduce((sum, group) => sum + group.length, 0);
    return { waitingChanges: this.#waiting.length + inFlight, waitingBytes: this.#waitingBytes };
  }

  /** @param isFirst whether a damaged file may be set aside: a running broker knows more than an empty one would. */
  open(isFirst: boolean): Promise<StoredState> {
    this.#opening = Promise.withResolvers();
    this.#writer ??= this.#startWriter();
    this.#tellWriter({ kind: 'open', isFirst, keepUntil: this.acknowledged.keepUntil });
    return this.#opening.promise;
  }

  /** Makes a change; resolves with its answer after it lasts. @throws StoreError */
  change(change: Change): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'change', change, byteLength: byteLengthOf(change), resolve, reject });
    });
  }

  /** Appends a batch; resolves after it lasts. @throws StoreError */
  append(partition: number, batch: NewBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      checkBatch(batch);
      this.#enqueue({
        kind: 'append',
        partition,
        batch,
        byteLength: batch.bytes.length,
        resolve: resolve as (answer: unknown) => void,
        reject,
      });
    });
  }

  /** Resolves when all that was asked before lasts, or has failed: those who asked are told. */
  async finish(): Promise<void> {
    await new Promise<unknown>((resolve) => {
      const change: Change = { kind: 'barrier' };
      this.#waiting.push({ kind: 'change', change, byteLength: 0, resolve, reject: resolve });
      setImmediate(() => this.#sendGroups());
    });
  }

  /** Ends the thread, whatever it does. */
  async terminate(): Promise<void> {
    await this.#writer?.terminate();
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await endThread(this.#writer);
  }

  #enqueue(entry: Waiting): void {
    this.#availability.demandReady();
    this.#waitingBytes += entry.byteLength;
    this.#waiting.push(entry);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    // After all sockets of this turn were read, so that what they brought goes to the disk together.
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#sendGroups();
    });
  }

  #sendGroups(): void {
    while (this.#waiting.length > 0 && this.#inFlight.length < storeGroupsInFlight) {
      const count = this.#packer.count(this.#waiting);
      const group = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
      this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
      const packed = this.#packer.pack(group);
      this.#inFlight.push(group);
      this.#tellWriter(packed, [packed.slab, packed.appends.buffer as ArrayBuffer]);
    }
  }

  #startWriter(): Worker {
    const { directory, fsync } = this.#options;
    return startThread<FromWriter>(
      { role: 'writer', directory, fsync },
      (message) => this.#fromWriter(message),
      (thread, message) => this.#writerEnded(thread, message),
    );
  }

  #tellWriter(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#writer!.postMessage(message, transfer);
  }

  #fromWriter(message: FromWriter): void {
    switch (message.kind) {
      case 'opened':
        this.acknowledged.opened(message.state);
        if (message.setAside) this.#availability.emit({ kind: 'set-aside', ...message.setAside });
        this.#opening?.resolve(message.state);
        return;
      case 'open-failed': {
        const { refusal, reason } = message;
        this.#opening?.reject(errorOf(refusal, reason));
        return;
      }
      case 'group-done':
        this.#packer.giveBack(message.slab);
        this.#measure(message.took);
        this.#settle(this.#inFlight.shift()!, message.outcomes);
        this.#sendGroups();
        return;
      case 'failed':
        this.#fail(message.reason, message.message);
        return;
    }
  }

  /** A COMMIT waits for the disk with `commit` only. */
  #measure({ seconds, commitSeconds }: GroupTimes): void {
    const { times, fsync } = this.#options;
    times?.groups?.observe(seconds);
    if (fsync === 'commit') times?.syncs?.observe(commitSeconds);
  }

  #settle(group: Waiting[], outcomes: Extract<FromWriter, { kind: 'group-done' }>['outcomes']): void {
    let next = 0;
    for (const [position, entry] of group.entries()) {
      this.#waitingBytes -= entry.byteLength;
      const outcome = outcomes[next]?.position === position ? outcomes[next++] : undefined;
      if (outcome?.kind === 'refused') {
        entry.reject(errorOf(outcome.refusal, 'failed'));
        continue;
      }
      this.acknowledged.made(entry, outcome?.answer);
      entry.resolve(outcome?.answer);
    }
  }

  /** Nothing that waits is acknowledged any more, until the file was opened and recovered anew. */
  #fail(reason: UnavailableReason, message: string): void {
    for (const group of this.#inFlight) this.acknowledged.failed(group);
    const bytes = (this.#inFlight[0] ?? []).reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#availability.fail(reason, message, bytes);
    const rejected = [...this.#inFlight.flat(), ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const entry of rejected) entry.reject(this.#availability.refusal());
  }

  #writerEnded(worker: Worker, message: string): void {
    if (this.#writer !== worker) return;
    this.#writer = undefined;
    this.#opening?.reject(new StoreUnavailableError('failed', message));
    if (this.#availability.status === 'ready') this.#fail('failed', message);
  }
}

/** The bytes of values and batches in a change, of which only so many wait together. */
function byteLengthOf(change: Change): number {
  switch (change.kind) {
    case 'put-meta':
      return change.value?.length ?? 0;
    case 'put-entries':
      return change.entries.values.length;
    case 'replace':
      return change.batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
    default:
      return 0;
  }
}
