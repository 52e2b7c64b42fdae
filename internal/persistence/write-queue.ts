import type { Logger } from '../broker/broker.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { Fifo } from '../lib/fifo.ts';
import { HeldSources } from '../lib/held-sources.ts';
import {
  acknowledgementWaitAtMostMs,
  acknowledgementWaitMs,
  sessionChangesBusy,
  sessionChangesWaiting,
} from '../limits/persistence.ts';
import type { EntryChange, EntryStore } from '../store/entry-store.ts';

/** The latest change of a key, until it is written or no longer needed. */
export interface Change {
  readonly key: string;
  /** The caller that waits for it. */
  promised: Promised | undefined;
  /** More callers that wait for it, if it was changed again. */
  moreWaiters: Promised[] | undefined;
  /** The bytes to write, as they are at the time of the write; undefined deletes the key. */
  bytes(): Uint8Array | undefined;
}

/** A change that an acknowledgement may make needless. Nothing else changes its key until it is written. */
export interface Delivery extends Change {
  state: 'waits' | 'written' | 'needless';
  /** Since when it is on its way to somebody who is expected to acknowledge it soon, by `performance.now()`. */
  hopefulSinceMs: number;
}

/** Somebody who waits until some changes last, or are needed no longer. */
interface Promised {
  open: number;
  done: ((error?: Error) => void) | undefined;
  error: Error | undefined;
  /** The range of their question: the writes behind `since`, up to `at`. */
  since: number;
  at: number;
}

/** The value of {@link Delivery.hopefulSinceMs} of what is written as soon as possible. */
export const NOT_DEFERRED = Number.NEGATIVE_INFINITY;
/** Transactions at once: one that runs, and one so that the store never waits. */
const MOST_RUNNING = 2;
/** How much the newest transaction counts among those before it. */
const NEWEST_SHARE = 0.2;
/** A store that failed is written to again after this long, with what it lacks. */
const RETRY_AFTER_MS = 1_000;

/**
 * Writes changes to the store, one transaction after the other: what changes while one is written is the next one, without
 * what came and went in the meantime. What is expected to be acknowledged soon waits for that, for a short time.
 */
export class WriteQueue {
  readonly #store: EntryStore;
  readonly #logger: Logger;
  #pending = new Map<string, KeyedChange>();
  /** How many of them there are of each kind, the first letter of their keys. */
  readonly #pendingByKind = new Map<string, number>();
  /** Those that came since the last transaction began. */
  readonly #deliveries: Delivery[] = [];
  /** Those that wait for their acknowledgement first, in the order in which they were sent. */
  readonly #hopeful = new Fifo<Delivery>();
  /** How many of both are not needless. */
  #waitingDeliveries = 0;
  /** The callers that wait, in order. */
  readonly #promised = new Fifo<Promised>();
  /** The callers that will wait for the changes that are made now. */
  #next = newPromised();
  /** The last caller that a failed write was reported to. */
  #failedLast: Promised | undefined;
  /** Transactions that are not done, and the changes in them. */
  #running = 0;
  #runningChanges = 0;
  /** Publishers that wait until the store has come after. */
  readonly #feeders = new HeldSources();
  #isScheduled = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #hopeTimer: NodeJS.Timeout | undefined;
  #isFailing = false;
  /** How long a transaction takes of late. */
  #transactionMs = 0;

  constructor(store: EntryStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** How long a hopeful delivery waits to be acknowledged. */
  get waitMs(): number {
    return Math.min(Math.max(this.#transactionMs, acknowledgementWaitMs), acknowledgementWaitAtMostMs);
  }

  /**
   * Whether more waits for the store than it soon writes. One that fails makes nobody wait: what it lacks is kept for
   * it, and publishers are told.
   */
  get isBehind(): boolean {
    return !this.#isFailing && this.#waiting > sessionChangesWaiting;
  }

  /** Whether that is so of one kind of keys alone. */
  isBehindWith(kind: string): boolean {
    return !this.#isFailing && (this.#pendingByKind.get(kind) ?? 0) > sessionChangesWaiting;
  }

  /** Whether so much waits that what can be sent later should be; true before {@link isBehind} is. */
  get isBusy(): boolean {
    return !this.#isFailing && this.#waiting > sessionChangesBusy;
  }

  /** Pauses a publisher until the store has come after. */
  holdBack(feeder: Source): void {
    this.#feeders.hold(feeder);
  }

  /** Changes a key; in a change that is not written yet, the newest counts. */
  put(key: string, bytes: () => Uint8Array | undefined): void {
    let change = this.#pending.get(key);
    if (change === undefined) {
      change = { key, bytes, promised: undefined, moreWaiters: undefined, isRetry: false };
      this.#pending.set(key, change);
      this.#countPending(key, 1);
    } else {
      change.bytes = bytes;
      change.isRetry = false;
    }
    this.#join(change);
    this.#schedule();
  }

  /** A change that is needed no longer: what it would have kept safe has arrived. */
  forget(key: string): void {
    const change = this.#pending.get(key);
    if (change === undefined) return;
    this.#pending.delete(key);
    this.#countPending(key, -1);
    this.#letGo(change, undefined);
    this.#settle();
  }

  /** Takes a delivery, which is then in state `waits`. */
  add(delivery: Delivery): void {
    this.#deliveries.push(delivery);
    this.#waitingDeliveries++;
    this.#join(delivery);
    this.#schedule();
  }

  /** The next caller waits for a delivery as it is now. */
  change(delivery: Delivery): void {
    this.#join(delivery);
    this.#schedule();
  }

  /** A delivery that waits has arrived. */
  drop(delivery: Delivery): void {
    delivery.state = 'needless';
    this.#waitingDeliveries--;
    this.#letGo(delivery, undefined);
    this.#settle();
  }

  /**
   * Calls back when every write that no caller asked about yet is durable, after the callers that asked before.
   *
   * @param since so many writes there were before the ones that are asked about; an error of those is told, also where
   *   somebody else asked about them first.
   * @param at so many there are now.
   */
  whenDurable(done: (error?: Error) => void, since: number, at: number): void {
    const promised = this.#next;
    if (promised.open === 0 && this.#promised.length === 0) {
      done();
      return;
    }
    promised.done = done;
    promised.since = since;
    promised.at = at;
    this.#promised.push(promised);
    this.#next = newPromised();
  }

  /** Resolves when everything that was put is durable, or could not be written. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      for (const change of this.#pending.values()) this.#join(change);
      for (const delivery of this.#allDeliveries()) {
        delivery.hopefulSinceMs = NOT_DEFERRED;
        if (delivery.state === 'waits') this.#join(delivery);
      }
      // Nothing else may keep the process alive until the store is tried again.
      clearTimeout(this.#retryTimer);
      this.#retryTimer = undefined;
      if (this.#hasWork) this.#schedule();
      this.whenDurable(() => resolve(), 0, 0);
    });
  }

  close(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#hopeTimer);
    this.#feeders.release();
  }

  get #waiting(): number {
    return this.#pending.size + this.#waitingDeliveries + this.#runningChanges;
  }

  #countPending(key: string, change: 1 | -1): void {
    this.#pendingByKind.set(key[0], (this.#pendingByKind.get(key[0]) ?? 0) + change);
  }

  get #hasWork(): boolean {
    return this.#pending.size > 0 || this.#deliveries.length > 0 || this.#hopeful.length > 0;
  }

  #allDeliveries(): Delivery[] {
    return [...this.#hopeful, ...this.#deliveries];
  }

  /** The next caller waits for this change. */
  #join(change: Change): void {
    const next = this.#next;
    if (change.promised === undefined) {
      change.promised = next;
    } else if (change.promised === next || change.moreWaiters?.at(-1) === next) {
      return;
    } else {
      change.moreWaiters ??= [];
      change.moreWaiters.push(next);
    }
    next.open++;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running === MOST_RUNNING || this.#retryTimer !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  #write(): void {
    const written: Change[] = [...this.#pending.values()];
    this.#pending.clear();
    this.#pendingByKind.clear();
    this.#takeDeliveries(written);
    if (written.length === 0) return;
    const changes: EntryChange[] = written.map((change) => ({ key: change.key, value: change.bytes() }));
    this.#running++;
    const startMs = performance.now();
    this.#runningChanges += written.length;
    this.#store.putEntries(changes).then(
      () => this.#written(written, performance.now() - startMs),
      (error: Error) => this.#failed(changes, written, error),
    );
  }

  /** Adds the deliveries whose time has come; the others wait for their acknowledgement a little longer. */
  #takeDeliveries(written: Change[]): void {
    if (this.#waitingDeliveries === 0) {
      this.#deliveries.length = 0;
      this.#hopeful.clear();
      return;
    }
    const hopefulAfterMs = performance.now() - this.waitMs;
    for (const delivery of this.#deliveries) {
      if (delivery.hopefulSinceMs > hopefulAfterMs) this.#hopeful.push(delivery);
      else this.#take(delivery, written);
    }
    this.#deliveries.length = 0;
    // Each is looked at when it comes and when it goes, however many wait.
    for (let first = this.#hopeful.first; first !== undefined; first = this.#hopeful.first) {
      const leftMs = first.hopefulSinceMs - hopefulAfterMs;
      if (first.state === 'waits' && leftMs > 0) {
        this.#hopeTimer ??= setTimeout(this.#deferralExpired, Math.ceil(leftMs));
        return;
      }
      this.#take(this.#hopeful.shift()!, written);
    }
  }

  #take(delivery: Delivery, written: Change[]): void {
    if (delivery.state !== 'waits') return;
    delivery.state = 'written';
    this.#waitingDeliveries--;
    written.push(delivery);
  }

  readonly #deferralExpired = (): void => {
    this.#hopeTimer = undefined;
    if (this.#hasWork) this.#schedule();
  };

  #written(written: readonly Change[], tookMs: number): void {
    this.#running--;
    this.#transactionMs += (tookMs - this.#transactionMs) * NEWEST_SHARE;
    this.#runningChanges -= written.length;
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#logger.info({}, 'sessions reach the store again');
    }
    for (const change of written) this.#letGo(change, undefined);
    this.#settle();
    if (this.#hasWork) this.#schedule();
  }

  #failed(changes: readonly EntryChange[], written: readonly Change[], error: Error): void {
    this.#running--;
    this.#runningChanges -= written.length;
    this.#feeders.release();
    if (!this.#isFailing) {
      this.#isFailing = true;
      const fields = { code: 'store-unavailable', error: error.message };
      this.#logger.error(fields, 'sessions do not reach the store');
    }
    for (const { key, value } of changes) {
      const newer = this.#pending.get(key);
      if (newer !== undefined && !newer.isRetry) continue;
      const bytes = () => value;
      if (newer === undefined) this.#countPending(key, 1);
      this.#pending.set(key, { key, bytes, promised: undefined, moreWaiters: undefined, isRetry: true });
    }
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      if (this.#hasWork) this.#schedule();
    }, RETRY_AFTER_MS).unref();
    // The failure is reported to all callers now, and to those that ask before the store is tried again.
    for (const change of written) this.#letGo(change, error);
    for (const change of this.#pending.values()) this.#letGo(change, error);
    for (const delivery of this.#allDeliveries()) this.#letGo(delivery, error);
    this.#settle();
  }

  /** Nobody waits for this change any more. */
  #letGo(change: Change, error: Error | undefined): void {
    if (change.promised === undefined) return;
    settleOne(change.promised, error);
    change.promised = undefined;
    if (change.moreWaiters === undefined) return;
    for (const promised of change.moreWaiters) settleOne(promised, error);
    change.moreWaiters = undefined;
  }

  /** Tells those whose changes are all settled, in the order in which they asked, and lets publishers go on. */
  #settle(): void {
    if (!this.#feeders.isEmpty && this.#waiting < sessionChangesWaiting / 2) this.#feeders.release();
    while (this.#promised.first?.open === 0) {
      const promised = this.#promised.shift()!;
      if (promised.error !== undefined) this.#failedLast = promised;
      const failed = this.#failedLast;
      const isConcerned = failed !== undefined && (failed === promised || failed.at > promised.since);
      promised.done!(isConcerned ? failed.error : undefined);
    }
  }
}

function newPromised(): Promised {
  return { open: 0, done: undefined, error: undefined, since: 0, at: 0 };
}

function settleOne(promised: Promised, error: Error | undefined): void {
  promised.open--;
  // Nobody waits for a change that failed before somebody asked.
  if (promised.done !== undefined) promised.error ??= error;
}

interface KeyedChange extends Change {
  bytes: () => Uint8Array | undefined;
  /** Whether it was written and failed; any newer change is put in its place. */
  isRetry: boolean;
}
