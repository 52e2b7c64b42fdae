import type { StoredPartition } from '../store/log-store.ts';
import { type BatchFacts, type Facts, type FloorFacts, factsOf, NOBODY } from './messages.ts';
import type { StoredMessage } from './stream.ts';

/** Where a partition ends. */
export interface PartitionEnd {
  nextOffset: number;
  maxTimestamp: number;
  /** Bytes of all batches that there ever were. */
  bytesEver: number;
}

/** What is known of a partition without its batches. */
export interface KnownPartition extends PartitionEnd {
  firstOffset: number;
  /** Bytes of all batches before the first one that is there. */
  bytesBefore: number;
  /** The states of producers, as base64. */
  producers: Map<bigint, string>;
}

/** What the messages of a shard say, up to one of them. Every node knows that of every shard. */
export class ShardState {
  /** The sequence of the last message that is in it. */
  applied = 0;
  /** Who owns the shard: whom the last marker names. */
  owner = NOBODY;
  epoch = 0;
  readonly #partitions = new Map<number, KnownPartition>();

  /** Undefined where nothing was written to it. */
  partition(id: number): Readonly<KnownPartition> | undefined {
    return this.#partitions.get(id);
  }

  /**
   * Takes up the next message; one that is in it already changes nothing.
   *
   * @returns its facts; `known` for one that is in it; `foreign` for one that no broker wrote, which is passed over; `gap` where a
   * message before it is missing: offsets follow on each other.
   */
  apply(message: StoredMessage): Facts | 'known' | 'foreign' | 'gap' {
    if (message.sequence <= this.applied) return 'known';
    const facts = factsOf(message);
    if (facts === undefined) {
      this.applied = message.sequence;
      return 'foreign';
    }
    if (facts.kind === 'batch' && this.#isBehindGap(facts)) return 'gap';
    if (facts.epoch > this.epoch) this.#missMarker(facts.epoch);
    this.#take(facts);
    this.applied = message.sequence;
    return facts;
  }

  /** Takes up the last messages of all subjects, in their order: what lies between them is not there any more, or not needed. */
  restore(messages: readonly StoredMessage[]): void {
    this.#partitions.clear();
    for (const message of messages) {
      const facts = factsOf(message);
      if (facts === undefined) continue;
      if (facts.epoch > this.epoch) this.#missMarker(facts.epoch);
      this.#take(facts);
      this.applied = message.sequence;
    }
  }

  forgetProducers(partition: number, producerIds: readonly bigint[]): void {
    const known = this.#partitions.get(partition);
    for (const id of producerIds) known?.producers.delete(id);
  }

  /** The marker of an epoch was rolled up, or a replica lacks it: who comes next needs another epoch all the same. */
  #missMarker(epoch: number): void {
    this.epoch = epoch;
    this.owner = NOBODY;
  }

  #isBehindGap({ partition, baseOffset }: BatchFacts): boolean {
    return baseOffset !== (this.#partitions.get(partition)?.nextOffset ?? 0);
  }

  #take(facts: Facts): void {
    switch (facts.kind) {
      case 'batch':
        this.#takeBatch(facts);
        return;
      case 'marker':
        this.owner = facts.node;
        this.epoch = facts.epoch;
        return;
      case 'floor':
        this.#takeFloor(facts);
        return;
      case 'deleted':
        this.#partitions.delete(facts.partition);
        return;
      case 'group':
    }
  }

  #takeBatch(batch: BatchFacts): void {
    const partition = this.#at(batch.partition);
    partition.nextOffset = batch.lastOffset + 1;
    partition.maxTimestamp = batch.runningMaxTimestamp;
    partition.bytesEver = batch.bytesBefore + batch.byteLength;
    if (batch.producer !== undefined) partition.producers.set(batch.producer.id, batch.producer.state);
  }

  #takeFloor(floor: FloorFacts): void {
    const partition = this.#at(floor.partition);
    partition.firstOffset = floor.firstOffset;
    partition.bytesBefore = floor.bytesBefore;
    partition.nextOffset = Math.max(partition.nextOffset, floor.nextOffset);
    partition.maxTimestamp = Math.max(partition.maxTimestamp, floor.maxTimestamp);
    partition.bytesEver = Math.max(partition.bytesEver, floor.bytesEver);
  }

  #at(id: number): KnownPartition {
    let partition = this.#partitions.get(id);
    if (partition === undefined) {
      partition = {
        ...{ firstOffset: 0, nextOffset: 0, maxTimestamp: -1, bytesBefore: 0, bytesEver: 0 },
        producers: new Map(),
      };
      this.#partitions.set(id, partition);
    }
    return partition;
  }
}

/** Bytes of the batches that are there. */
export function sizeOf({ bytesEver, bytesBefore }: Readonly<KnownPartition>): number {
  return bytesEver - bytesBefore;
}

/** A partition in the words of the stores. */
export function storedPartition(
  id: number,
  number: number,
  known: Readonly<KnownPartition> | undefined,
  leaderEpoch: number,
): StoredPartition {
  const producers = [...(known?.producers ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...{ id, number, leaderEpoch },
    firstOffset: known?.firstOffset ?? 0,
    nextOffset: known?.nextOffset ?? 0,
    maxTimestamp: known?.maxTimestamp ?? -1,
    sizeBytes: known === undefined ? 0 : sizeOf(known),
    producers: producers.map(([producer, state]) => ({
      id: producer,
      state: new Uint8Array(Buffer.from(state, 'base64')),
    })),
  };
}
