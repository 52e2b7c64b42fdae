import { checkBatch, checkBatchSize, checkFirst, checkOffset } from '../store/batch-rules.ts';
import type { BatchSpan, NewBatch, StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import { batchSpan } from './batch-search.ts';
import type { Shards } from './open-shards.ts';
import type { StoreNews } from './store-news.ts';

/** The batches of partitions: they are appended, read, looked for, and deleted from the first one on. */
export class PartitionBatches {
  readonly #shards: Shards;
  readonly #news: StoreNews;
  #lastDeletion: Promise<unknown> = Promise.resolve();

  constructor(shards: Shards, news: StoreNews) {
    this.#shards = shards;
    this.#news = news;
  }

  async append(partition: number, batch: NewBatch, maxBytes: number): Promise<void> {
    checkBatch(batch);
    checkBatchSize(batch.bytes.length, maxBytes);
    await this.#shards.ofPlaced(partition).shard.append(partition, batch);
  }

  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    checkOffset(fromOffset);
    const { search } = this.#shards.ofPlaced(partition);
    try {
      return await search.read(partition, fromOffset, maxBytes);
    } catch (error) {
      if (error instanceof CorruptBatchError)
        this.#news.tellCorrupt(partition, error.baseOffset, error.lastOffset);
      throw error;
    }
  }

  async forTime(partition: number, timestamp: number): Promise<BatchSpan | undefined> {
    const found = await this.#shards.ofPlaced(partition).search.forTime(partition, timestamp);
    return found && batchSpan(found);
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    return this.#shards.ofPlaced(partition).search.offsetForSize(partition, keepBytes);
  }

  async deleteUntil(partition: number, offset: number): Promise<number> {
    checkOffset(offset);
    checkFirst(offset, this.#shards.ofPlaced(partition).shard.endOf(partition).nextOffset);
    // One after the other: each says how much was there before it.
    const deleting = this.#lastDeletion.then(() => this.#deleteUntil(partition, offset));
    this.#lastDeletion = deleting.catch(() => {});
    return deleting;
  }

  async #deleteUntil(partition: number, offset: number): Promise<number> {
    const { shard, stream, search } = this.#shards.ofPlaced(partition);
    // What was appended before is found when it is stored.
    await shard.settled();
    const known = shard.state.partition(partition);
    if (known === undefined || offset <= known.firstOffset) return 0;
    const { bytesBefore, bytesEver, nextOffset } = known;
    const all = { bytesBefore: bytesEver, sequence: shard.state.applied + 1 };
    const first = offset < nextOffset ? await search.holding(partition, offset) : all;
    await shard.raiseFloor(partition, offset, first.bytesBefore);
    await stream.purge(partition, first.sequence);
    return first.bytesBefore - bytesBefore;
  }
}
