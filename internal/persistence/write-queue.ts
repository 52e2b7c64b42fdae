import type { Logger } from '../broker/broker.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import { BrokerError } from '../errors.ts';
import { Fifo } from '../lib/fifo.ts';
import { HeldSources } from '../lib/held-sources.ts';
import {
  acknowledgementWaitAtMostMs,
  acknowledgementWaitMs,
  sessionChangesBusy,
  sessionChangesWaiting,
} from '../limits/persistence.ts';
import type { EntryChange, EntryStore } from '../store/entry-store.ts';

/** What work waits for. */
interface Part {
  /** Of the work that it is a part of. */
  receipt: Receipt | undefined;
  /** Of more such work, if it was changed again. */
  moreReceipts: Receipt[] | undefined;
}

/** The latest change of a key, until it is written or no longer needed. */
export interface Change extends Part {
  readonly key: string;
  /** The bytes to write, as they are at the time of the write; undefined deletes the key. */
  bytes(): Uint8Array | undefined;
}

/** What acknowledgements may make needless. */
interface OnItsWay extends Part {
  readonly messages: number;
  state: 'waits' | 'written' | 'needless';
  /** Since when it is on its way to somebody who is expected to acknowledge it soon, by `performance.now()`. */
  hopefulSinceMs: number;
}

/** A message that is written if it is not acknowledged. Nothing else changes its key until then. */
export interface Delivery extends Change, OnItsWay {}

/** Several messages, which are deliveries before they are written. */
export interface Awaited extends OnItsWay {
  /** Has {@link WriteQueue.replace} called with those that are not acknowledged. */
  unfold(): void;
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
  readonly #deliveries: (Delivery | Awaited)[] = [];
  /** Those that wait for their acknowledgement first, in the order in which they were sent. */
  readonly #hopeful = new Fifo<Delivery | Awaited>();
  /** How many messages of both are not needless. */
  #waitingDeliveries = 0;
  /** Transactions that are not done: each has a receipt that is held until then; and the changes in them. */
  readonly #running = new Set<Receipt>();
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

  /**
   * Changes a key; in a change that is not written yet, the newest counts.
   *
   * @param receipt of the work that this is a part of; held until the key is written, or need not be.
   */
  put(key: string, bytes: () => Uint8Array | undefined, receipt?: Receipt): void {
    let change = this.#pending.get(key);
    if (change === undefined) {
      change = { key, bytes, receipt: undefined, moreReceipts: undefined, isRetry: false };
      this.#pending.set(key, change);
      this.#countPending(key, 1);
    } else {
      change.bytes = bytes;
      change.isRetry = false;
    }
    join(change, receipt);
    this.#schedule();
  }

  /** A change that is needed no longer: what it would have kept safe has arrived. */
  forget(key: string): void {
    const change = this.#pending.get(key);
    if (change === undefined) return;
    this.#pending.delete(key);
    this.#countPending(key, -1);
    letGo(change, undefined);
    this.#releaseFeeders();
  }

  /** Takes a delivery, or several in one, in state `waits`. */
  add(delivery: Delivery | Awaited, receipt: Receipt | undefined): void {
    this.#deliveries.push(delivery);
    this.#waitingDeliveries += delivery.messages;
    join(delivery, receipt);
    this.#schedule();
  }

  /** Takes deliveries in the place of what they were before. */
  replace(awaited: Awaited, deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.add(delivery, awaited.receipt);
      for (const receipt of awaited.moreReceipts ?? []) join(delivery, receipt);
    }
    this.drop(awaited);
  }

  /** A delivery that waits has changed, for some other work. */
  change(delivery: Delivery, receipt: Receipt | undefined): void {
    join(delivery, receipt);
    this.#schedule();
  }

  /** What waits has arrived. */
  drop(delivery: Delivery | Awaited): void {
    delivery.state = 'needless';
    this.#waitingDeliveries -= delivery.messages;
    letGo(delivery, undefined);
    this.#releaseFeeders();
  }

  /** Resolves when everything that was put is durable, or could not be written. */
  flush(): Promise<void> {
    const everything = new Receipt();
    for (const change of this.#pending.values()) join(change, everything);
    for (const delivery of this.#allDeliveries()) {
      delivery.hopefulSinceMs = NOT_DEFERRED;
      if (delivery.state === 'waits') join(delivery, everything);
    }
    for (const transaction of this.#running) {
      everything.hold();
      transaction.whenSettled(() => everything.letGo());
    }
    // Nothing else may keep the process alive until the store is tried again.
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    if (this.#hasWork) this.#schedule();
    return everything.settled();
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
    const kind = key[0]!;
    this.#pendingByKind.set(kind, (this.#pendingByKind.get(kind) ?? 0) + change);
  }

  get #hasWork(): boolean {
    return this.#pending.size > 0 || this.#deliveries.length > 0 || this.#hopeful.length > 0;
  }

  #allDeliveries(): (Delivery | Awaited)[] {
    return [...this.#hopeful, ...this.#deliveries];
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running.size === MOST_RUNNING || this.#retryTimer !== undefined) return;
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
    const transaction = new Receipt();
    transaction.hold();
    this.#running.add(transaction);
    const startMs = performance.now();
    this.#runningChanges += written.length;
    this.#store
      .putEntries(changes)
      .finally(() => {
        this.#running.delete(transaction);
        this.#runningChanges -= written.length;
      })
      .then(
        () => this.#written(written, performance.now() - startMs),
        (error: Error) => this.#failed(changes, written, error),
      )
      .finally(() => transaction.letGo());
  }

  /** Adds the deliveries whose time has come; the others wait for their acknowledgement a little longer. */
  #takeDeliveries(written: Change[]): void {
    if (this.#waitingDeliveries === 0) {
      this.#deliveries.length = 0;
      this.#hopeful.clear();
      return;
    }
    const hopefulAfterMs = performance.now() - this.waitMs;
    this.#takeNewest(hopefulAfterMs, written);
    // Each is looked at when it comes and when it goes, however many wait.
    for (let first = this.#hopeful.first; first !== undefined; first = this.#hopeful.first) {
      const leftMs = first.hopefulSinceMs - hopefulAfterMs;
      if (first.state === 'waits' && leftMs > 0) {
        this.#hopeTimer ??= setTimeout(this.#deferralExpired, Math.ceil(leftMs));
        break;
      }
      this.#take(this.#hopeful.shift()!, written);
    }
    // Those that were several in one.
    this.#takeNewest(hopefulAfterMs, written);
  }

  #takeNewest(hopefulAfterMs: number, written: Change[]): void {
    for (const delivery of this.#deliveries) {
      if (delivery.hopefulSinceMs > hopefulAfterMs) this.#hopeful.push(delivery);
      else this.#take(delivery, written);
    }
    this.#deliveries.length = 0;
  }

  #take(delivery: Delivery | Awaited, written: Change[]): void {
    if (delivery.state !== 'waits') return;
    if ('unfold' in delivery) {
      delivery.unfold();
      return;
    }
    delivery.state = 'written';
    this.#waitingDeliveries--;
    written.push(delivery);
  }

  readonly #deferralExpired = (): void => {
    this.#hopeTimer = undefined;
    if (this.#hasWork) this.#schedule();
  };

  #written(written: readonly Change[], tookMs: number): void {
    this.#transactionMs += (tookMs - this.#transactionMs) * NEWEST_SHARE;
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#logger.info({}, 'sessions reach the store again');
    }
    for (const change of written) letGo(change, undefined);
    this.#releaseFeeders();
    if (this.#hasWork) this.#schedule();
  }

  #failed(changes: readonly EntryChange[], written: readonly Change[], error: Error): void {
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
      this.#pending.set(key, { key, bytes, receipt: undefined, moreReceipts: undefined, isRetry: true });
    }
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      if (this.#hasWork) this.#schedule();
    }, RETRY_AFTER_MS).unref();
    // The failure is told to all who wait now. Whoever is told may change more, which waits until the store is tried again.
    const problem = new BrokerError('store-unavailable', error.message);
    for (const change of [...written, ...this.#pending.values(), ...this.#allDeliveries()]) {
      letGo(change, problem);
    }
  }

  /** Lets publishers go on once the store has come after. */
  #releaseFeeders(): void {
    if (!this.#feeders.isEmpty && this.#waiting < sessionChangesWaiting / 2) this.#feeders.release();
  }
}

/** Work waits for this change. */
function join(change: Part, receipt: Receipt | undefined): void {
  if (receipt === undefined) return;
  if (change.receipt === undefined) {
    change.receipt = receipt;
  } else if (change.receipt === receipt || change.moreReceipts?.at(-1) === receipt) {
    return;
  } else {
    change.moreReceipts ??= [];
    change.moreReceipts.push(receipt);
  }
  receipt.hold();
}

/** No work waits for this change any more. */
function letGo(change: Part, problem: BrokerError | undefined): void {
  const { receipt, moreReceipts } = change;
  if (receipt === undefined) return;
  change.receipt = undefined;
  change.moreReceipts = undefined;
  receipt.letGo(problem);
  if (moreReceipts === undefined) return;
  for (const more of moreReceipts) more.letGo(problem);
}

interface KeyedChange extends Change {
  bytes: () => Uint8Array | undefined;
  /** Whether it was written and failed; any newer change is put in its place. */
  isRetry: boolean;
}
