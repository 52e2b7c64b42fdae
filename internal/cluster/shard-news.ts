import type { StoreEvent } from '../store/log-store.ts';
import type { Facts } from './messages.ts';
import type { Shard } from './shard.ts';
import { sizeOf, storedPartition } from './shard-state.ts';

export interface ShardNewsParts {
  readonly shard: () => Shard;
  /** The number of a partition in its topic; undefined for one that this node does not know yet, or any more. */
  readonly numberOf: (partition: number) => number | undefined;
  /** The partitions of the shard that this node knows. */
  readonly partitions: () => Iterable<number>;
  readonly tell: (event: StoreEvent) => void;
}

/**
 * Tells the log above what happens in a shard. What others write is told between two turns, once for each partition: by then
 * whoever waited for what this node wrote itself has heard of that.
 */
export class ShardNews {
  readonly #parts: ShardNewsParts;
  readonly #advanced = new Set<number>();
  readonly #truncated = new Set<number>();
  #hasNewOwner = false;
  #isScheduled = false;

  constructor(parts: ShardNewsParts) {
    this.#parts = parts;
  }

  /** A message was taken up. */
  note(facts: Facts): void {
    if (this.#parts.shard().leader === 'here') return;
    if (facts.kind === 'batch') this.#advanced.add(facts.partition);
    else if (facts.kind === 'floor') this.#truncated.add(facts.partition);
    else if (facts.kind === 'marker') this.#hasNewOwner = true;
    else return;
    this.#schedule();
  }

  /** This node owns the shard from now on: all that lasts in it is told at once. */
  tellLeads(): void {
    this.#advanced.clear();
    this.#truncated.clear();
    this.#hasNewOwner = false;
    const { shard, partitions, numberOf, tell } = this.#parts;
    const { state } = shard();
    for (const id of partitions()) {
      const partition = storedPartition(id, numberOf(id)!, state.partition(id), state.epoch);
      tell({ kind: 'leads', partition });
    }
  }

  /** This node owns it no longer, or says so for a while. */
  noteFollows(): void {
    this.#hasNewOwner = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#tellAll());
  }

  #tellAll(): void {
    this.#isScheduled = false;
    const { tell, shard, numberOf, partitions } = this.#parts;
    const { state } = shard();
    for (const id of take(this.#advanced)) {
      const known = state.partition(id);
      if (known === undefined || numberOf(id) === undefined) continue;
      const { nextOffset, maxTimestamp } = known;
      tell({ kind: 'advanced', partition: id, nextOffset, maxTimestamp, sizeBytes: sizeOf(known) });
    }
    for (const id of take(this.#truncated)) {
      const known = state.partition(id);
      if (known === undefined || numberOf(id) === undefined) continue;
      tell({ kind: 'truncated', partition: id, firstOffset: known.firstOffset, sizeBytes: sizeOf(known) });
    }
    if (!this.#hasNewOwner) return;
    this.#hasNewOwner = false;
    for (const id of partitions()) tell({ kind: 'follows', partition: id, leaderEpoch: state.epoch });
  }
}

function take(ids: Set<number>): number[] {
  const taken = [...ids];
  ids.clear();
  return taken;
}
