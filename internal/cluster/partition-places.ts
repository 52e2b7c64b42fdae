import type { TopicRecord } from './meta.ts';

/** Which partitions the topics have that this node knows, and under which numbers. */
export class PartitionPlaces {
  readonly #numbers = new Map<number, number>();

  place({ partitions }: Pick<TopicRecord, 'partitions'>): void {
    for (const [number, id] of partitions.entries()) this.#numbers.set(id, number);
  }

  displace({ partitions }: Pick<TopicRecord, 'partitions'>): void {
    for (const id of partitions) this.#numbers.delete(id);
  }

  has(partition: number): boolean {
    return this.#numbers.has(partition);
  }

  /** The number of a partition in its topic. */
  numberOf(partition: number): number | undefined {
    return this.#numbers.get(partition);
  }

  ids(): number[] {
    return [...this.#numbers.keys()];
  }
}
