import type { StoredPartition, StoredState, StoredTopic } from '../log-store.ts';
import type { Change } from './messages.ts';
import type { Waiting } from './transaction-packer.ts';

/**
 * The next offset of each partition by what was acknowledged: the file may hold more, which a failed transaction left until
 * it was opened again.
 */
export class Acknowledged {
  readonly #ends = new Map<number, number>();
  /** The ends of partitions where a failed group may have left batches. */
  readonly #keepUntil = new Map<number, number>();

  endOf(partition: number): number {
    return this.#ends.get(partition) ?? 0;
  }

  /** What has to go when the file is opened again: batches of these partitions from these offsets on. */
  get keepUntil(): Map<number, number> {
    return this.#keepUntil;
  }

  /** The file was opened: this is what lasts. */
  opened({ topics }: StoredState): void {
    this.#keepUntil.clear();
    for (const topic of topics) {
      for (const { id, nextOffset } of topic.partitions) this.#ends.set(id, nextOffset);
    }
  }

  /** A change lasts. */
  made(entry: Waiting, answer: unknown): void {
    if (entry.kind === 'append') this.#ends.set(entry.partition, entry.batch.lastOffset + 1);
    else this.#learn(entry.change, answer);
  }

  /** A group failed, and may last or not. */
  failed(group: readonly Waiting[]): void {
    for (const entry of group) {
      if (entry.kind !== 'append') continue;
      const end = this.#ends.get(entry.partition);
      if (end !== undefined) this.#keepUntil.set(entry.partition, end);
    }
  }

  #learn(change: Change, answer: unknown): void {
    if (change.kind === 'skip-to') this.#ends.set(change.partition, change.offset);
    else if (change.kind === 'create-topic') this.#begin((answer as StoredTopic).partitions);
    else if (change.kind === 'add-partitions') this.#begin(answer as StoredPartition[]);
  }

  #begin(partitions: readonly StoredPartition[]): void {
    for (const { id } of partitions) this.#ends.set(id, 0);
  }
}
