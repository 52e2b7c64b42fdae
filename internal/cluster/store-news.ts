import type { StoreEvent } from '../store/log-store.ts';

/** Who listens to the store of a cluster, and what they are told. */
export class StoreNews {
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #ownersListeners = new Set<() => void>();
  /** Damaged batches that were told of. */
  corruptBatches = 0;

  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` when a shard may have another owner. Returns what ends that. */
  onOwners(listener: () => void): () => void {
    this.#ownersListeners.add(listener);
    return () => this.#ownersListeners.delete(listener);
  }

  tell(event: StoreEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  tellCorrupt(partition: number, baseOffset: number, lastOffset: number): void {
    this.corruptBatches++;
    this.tell({ kind: 'corrupt', partition, baseOffset, lastOffset });
  }

  tellOwners(): void {
    for (const listener of [...this.#ownersListeners]) listener();
  }
}
