import { spaceRetryMs } from '../limits/cluster.ts';
import type { Meta } from './meta.ts';
import type { Shards } from './open-shards.ts';

/**
 * Gives back the space of partitions whose topics were deleted. The owner of their shard does so: at once where there is one, and
 * otherwise whoever becomes it. What is gone is what a record of a deletion names: a topic that this node has not heard of yet is never
 * taken for one.
 */
export class GonePartitions {
  readonly #meta: Meta;
  readonly #shards: Shards;
  /** By shard, the last try. */
  readonly #tries = new Map<number, Promise<void>>();

  constructor(meta: Meta, shards: Shards) {
    this.#meta = meta;
    this.#shards = shards;
  }

  /** Resolves after one try, and does nothing where this node does not own the shard. What fails is tried again. */
  giveBack(shard: number): Promise<void> {
    const trying = (this.#tries.get(shard) ?? Promise.resolve()).then(() => this.#try(shard));
    this.#tries.set(shard, trying);
    return trying;
  }

  /** The same for all that is gone of topics of a name. */
  async giveBackOf(topic: string): Promise<void> {
    const numbers = (this.#meta.gone.get(topic) ?? []).map((id) => this.#shards.numberOf(id));
    await Promise.all([...new Set(numbers)].map((number) => this.giveBack(number)));
  }

  async #try(number: number): Promise<void> {
    try {
      // What was appended before the end of its topic is known when it is stored.
      await this.#shards.all[number]?.shard.settled();
      for (const id of this.#left(number)) await this.#delete(id);
    } catch {
      setTimeout(() => void this.giveBack(number), spaceRetryMs).unref();
    }
  }

  #left(number: number): number[] {
    const shard = this.#shards.all[number]?.shard;
    if (shard?.leader !== 'here') return [];
    const gone = [...this.#meta.gone.values()].flat();
    return gone.filter(
      (id) => this.#shards.numberOf(id) === number && shard.state.partition(id) !== undefined,
    );
  }

  /** The batches go first: what says that the partition is gone says that nothing is left of it. */
  async #delete(id: number): Promise<void> {
    const { shard, stream } = this.#shards.of(id);
    // Something stays behind them: whoever reads a shard anew waits for its last message.
    await shard.confirm();
    await stream.purge(id, shard.state.applied + 1);
    await shard.deletePartition(id);
  }
}
