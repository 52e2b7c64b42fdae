import { firstIndex } from '../lib/first-index.ts';
/** A transaction in a partition that neither was committed nor aborted. */
export interface OpenTransaction {
  readonly producerId: number;
  /** Of its first record. */
  readonly firstOffset: number;
}

/** A transaction whose records do not count, as Kafka's `.txnindex` files have it. */
export interface AbortedTransaction extends OpenTransaction {
  /** Of the mark that ends it. */
  readonly lastOffset: number;
  /** Nothing that was open when it ended begins before this offset. */
  readonly lastStableOffset: number;
}

/** The transactions of a partition. Those that were committed leave no trace. */
export interface StoredTransactions {
  /** In the order of their first offsets. */
  readonly open: readonly OpenTransaction[];
  /** In the order of their last offsets. */
  readonly aborted: readonly AbortedTransaction[];
}

/** The step of a transaction that a batch makes. */
export interface TransactionStep {
  readonly producerId: number;
  readonly kind: 'records' | 'commit' | 'abort';
}

/** The part of a batch's header that is about transactions. */
export interface TransactionFacts {
  readonly producerId: number;
  readonly baseOffset: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
}

/**
 * The transactions of one partition: which are open, so that nobody who wants committed records reads beyond the first
 * of them, and which were aborted, so that their records are passed over. Steps are told in the order of their offsets.
 */
export class TransactionIndex {
  /** The first offset by producer id. A producer has one at a time, so the oldest one comes first. */
  readonly #open = new Map<number, number>();
  #aborted: AbortedTransaction[] = [];

  constructor(stored?: StoredTransactions) {
    if (stored !== undefined) this.restore(stored);
  }

  restore({ open, aborted }: StoredTransactions): void {
    this.#open.clear();
    for (const { producerId, firstOffset } of open) this.#open.set(producerId, firstOffset);
    this.#aborted = [...aborted];
  }

  stored(): StoredTransactions {
    const open = Array.from(this.#open, ([producerId, firstOffset]) => ({ producerId, firstOffset }));
    return { open, aborted: [...this.#aborted] };
  }

  /** The first offset of the oldest open transaction; undefined if none is open. */
  get firstOpenOffset(): number | undefined {
    return this.#open.size === 0 ? undefined : this.#open.values().next().value;
  }

  /** Takes up a batch at an offset. Returns the transaction that it commits, if there is one. */
  apply({ producerId, kind }: TransactionStep, offset: number): OpenTransaction | undefined {
    const firstOffset = this.#open.get(producerId);
    if (kind === 'records') {
      if (firstOffset === undefined) this.#open.set(producerId, offset);
      return undefined;
    }
    this.#open.delete(producerId);
    // The end of a transaction without records here says nothing.
    if (firstOffset === undefined) return undefined;
    if (kind === 'commit') return { producerId, firstOffset };
    const lastStableOffset = this.firstOpenOffset ?? offset + 1;
    this.#aborted.push({ producerId, firstOffset, lastOffset: offset, lastStableOffset });
    return undefined;
  }

  /** The aborted transactions with records or a mark from one offset to before another. */
  abortedBetween(fromOffset: number, untilOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = [];
    for (let index = this.#firstEndingAt(fromOffset); index < this.#aborted.length; index++) {
      const transaction = this.#aborted[index]!;
      if (transaction.firstOffset < untilOffset) found.push(transaction);
      // All later ones begin behind this.
      if (transaction.lastStableOffset >= untilOffset) break;
    }
    return found;
  }

  /** Those whose mark lies from one offset to before another. */
  abortedEndingIn(fromOffset: number, untilOffset: number): AbortedTransaction[] {
    return this.#aborted.slice(this.#firstEndingAt(fromOffset), this.#firstEndingAt(untilOffset));
  }

  /** Whether what lies in a batch counts, as long as it lies before {@link firstOpenOffset}. */
  isCommitted({ producerId, baseOffset, isTransactional, isControl }: TransactionFacts): boolean {
    if (isControl) return false;
    if (!isTransactional) return true;
    const around = this.abortedBetween(baseOffset, baseOffset + 1);
    return !around.some((transaction) => transaction.producerId === producerId);
  }

  /** Whether a batch belongs to a transaction that has no end yet. */
  isOpen({ producerId, baseOffset }: TransactionFacts): boolean {
    const firstOffset = this.#open.get(producerId);
    return firstOffset !== undefined && baseOffset >= firstOffset;
  }

  /** Everything before an offset is gone. */
  forgetBefore(offset: number): void {
    const count = this.#firstEndingAt(offset);
    if (count > 0) this.#aborted = this.#aborted.slice(count);
  }

  /** The place of the first aborted transaction whose mark has this offset or a later one. */
  #firstEndingAt(offset: number): number {
    return firstIndex(this.#aborted, ({ lastOffset }) => lastOffset >= offset);
  }
}
