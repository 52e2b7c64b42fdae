import type { JournalEntry, JournalState } from './journal-state.ts';
import type { KafkaPartition } from './partition.ts';

/** Facts that are not in the journal yet: they go there with the next entry, or by themselves when they must not wait. */
export class WaitingNotes {
  readonly #state: JournalState;
  #entries: JournalEntry[] = [];
  #areDue = false;

  constructor(state: JournalState) {
    this.#state = state;
  }

  /** Whether they are to be written though nothing else is. */
  get areDue(): boolean {
    return this.#areDue;
  }

  /** Takes a fact that holds already. */
  add(entry: JournalEntry): void {
    this.#state.apply(entry);
    this.#entries.push(entry);
  }

  /** Takes the state of the producers of a partition up to where it ends now; it is written with the next change. */
  addProducers(partition: KafkaPartition): void {
    const { producers } = this.#state;
    this.#entries.push(...producers.unsaved(partition.id, partition.nextOffset));
    producers.saved(partition.id);
    partition.unnotedBatches = 0;
    this.#areDue = true;
  }

  /**
   * Takes what is known of a partition up to where it ends now, so that a start after a crash looks only at what came behind that;
   * it is written with the next change.
   */
  addEnd(partition: KafkaPartition): void {
    const { id, nextOffset, transactions } = partition;
    this.add({ kind: 'transactions', id, offset: nextOffset, open: transactions.stored().open });
    // Without such an offset all is known already.
    if (this.#state.producers.until(id) !== undefined) this.addProducers(partition);
    this.#areDue = true;
  }

  /** Those to be written with so many other entries. */
  forGroup(entryCount: number): readonly JournalEntry[] {
    return entryCount > 0 || this.#areDue ? [...this.#entries] : [];
  }

  /** So many of them last. */
  last(count: number): void {
    this.#entries.splice(0, count);
    this.#areDue &&= this.#entries.length > 0;
  }
}
