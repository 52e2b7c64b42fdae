import { setTimeout as pause } from 'node:timers/promises';
import { readBytes, replicaRetries, replicaRetryMs } from '../limits/cluster.ts';
import type { BatchSpan, StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import type { JetStreamShard } from './jetstream-shard.ts';
import { type BatchFacts, type Facts, factsOf } from './messages.ts';
import type { ShardState } from './shard-state.ts';
import type { StoredMessage } from './stream.ts';

/** A batch with where it lies. */
export interface FoundBatch extends BatchFacts {
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** Places of partitions that are remembered, so that who reads on need not search. */
const REMEMBERED = 4_096;

/**
 * Finds batches of a shard. Offsets and running timestamps of a partition grow with the sequence, so each search halves what
 * is left. Any replica answers, and one may be behind or damaged: offsets follow on each other, so that is seen, and asked again.
 */
export class BatchSearch {
  readonly #stream: JetStreamShard;
  readonly #state: ShardState;
  /** By partition and base offset: a sequence at which the batch is, or below it with none of the partition between. */
  readonly #places = new Map<string, number>();

  constructor(stream: JetStreamShard, state: ShardState) {
    this.#stream = stream;
    this.#state = state;
  }

  /** A message of the shard was taken up. */
  note(sequence: number, facts: Facts): void {
    if (facts.kind === 'batch') this.#remember(facts.partition, facts.baseOffset, sequence);
  }

  /** @throws CorruptBatchError where no replica has what is next */
  async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    const known = this.#state.partition(partition);
    const from = Math.max(fromOffset, known?.firstOffset ?? 0);
    if (from >= (known?.nextOffset ?? 0)) return [];
    const first = await this.holding(partition, from);
    const batches: StoredBatch[] = [storedBatch(first)];
    let bytes = first.byteLength;
    let { sequence, lastOffset } = first;
    while (bytes < maxBytes && lastOffset + 1 < known!.nextOffset) {
      const more = await this.#following(partition, sequence + 1, lastOffset + 1, maxBytes - bytes);
      if (more.length === 0) break;
      for (const batch of more) {
        bytes += batch.byteLength;
        if (bytes > maxBytes) return batches;
        batches.push(storedBatch(batch));
        ({ sequence, lastOffset } = batch);
      }
      this.#remember(partition, lastOffset + 1, sequence + 1);
    }
    return batches;
  }

  /** The batch that holds an offset which there is. @throws CorruptBatchError */
  async holding(partition: number, offset: number): Promise<FoundBatch> {
    for (let tries = 0; tries < replicaRetries; tries++) {
      if (tries > 0) await pause(replicaRetryMs);
      const place = this.#places.get(placeKey(partition, offset));
      const found =
        place !== undefined && tries === 0
          ? await this.#next(partition, place)
          : await this.#first(partition, ({ lastOffset }) => lastOffset >= offset);
      if (found !== undefined && found.baseOffset <= offset && offset <= found.lastOffset) return found;
    }
    throw new CorruptBatchError(partition, offset, offset);
  }

  /** The first batch with a record at or after a time. */
  async forTime(partition: number, timestamp: number): Promise<FoundBatch | undefined> {
    const end = this.#state.partition(partition)?.nextOffset ?? 0;
    let found = await this.#first(partition, ({ runningMaxTimestamp }) => runningMaxTimestamp >= timestamp);
    // A batch that is gone may have been ahead of those that stay.
    while (found !== undefined && found.maxTimestamp < timestamp) {
      if (found.lastOffset + 1 >= end) return undefined;
      found = await this.holding(partition, found.lastOffset + 1);
    }
    return found;
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    const known = this.#state.partition(partition);
    if (known === undefined) return 0;
    const keepFrom = known.bytesEver - keepBytes;
    if (keepFrom <= known.bytesBefore) return known.firstOffset;
    const found = await this.#first(partition, ({ bytesBefore }) => bytesBefore >= keepFrom);
    return found?.baseOffset ?? known.nextOffset;
  }

  /** The first batch for which something holds that holds for all behind it. */
  async #first(partition: number, holds: (batch: FoundBatch) => boolean): Promise<FoundBatch | undefined> {
    const { firstOffset = 0 } = this.#state.partition(partition) ?? {};
    let low = 1;
    let high = this.#state.applied + 1;
    let best: FoundBatch | undefined;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const found = await this.#next(partition, middle);
      if (found === undefined || found.sequence >= high) high = middle;
      else if (found.lastOffset >= firstOffset && holds(found)) {
        best = found;
        high = middle;
      } else low = found.sequence + 1;
    }
    return best;
  }

  async #next(partition: number, sequence: number): Promise<FoundBatch | undefined> {
    const message = await this.#stream.nextOf(partition, sequence);
    return message && foundBatch(message);
  }

  /** Batches from a sequence on, of which the first begins at an offset; fewer where a replica does not have all. */
  async #following(
    partition: number,
    sequence: number,
    offset: number,
    maxBytes: number,
  ): Promise<FoundBatch[]> {
    const messages = await this.#stream.batchesOf(
      partition,
      sequence,
      Math.min(maxBytes + readBytes, 2 * readBytes),
    );
    const batches: FoundBatch[] = [];
    let next = offset;
    for (const message of messages) {
      const batch = foundBatch(message);
      if (batch === undefined || batch.baseOffset !== next) break;
      batches.push(batch);
      next = batch.lastOffset + 1;
    }
    return batches;
  }

  #remember(partition: number, offset: number, sequence: number): void {
    const key = placeKey(partition, offset);
    this.#places.delete(key);
    this.#places.set(key, sequence);
    if (this.#places.size <= REMEMBERED) return;
    const [oldest] = this.#places.keys();
    this.#places.delete(oldest!);
  }
}

function placeKey(partition: number, offset: number): string {
  return `${partition}/${offset}`;
}

function foundBatch(message: StoredMessage): FoundBatch | undefined {
  const facts = factsOf(message);
  if (facts.kind !== 'batch') return undefined;
  const { sequence, body } = message;
  return { ...facts, sequence, body };
}

export function batchSpan({ baseOffset, lastOffset, maxTimestamp }: BatchSpan): BatchSpan {
  return { baseOffset, lastOffset, maxTimestamp };
}

function storedBatch(batch: FoundBatch): StoredBatch {
  return { ...batchSpan(batch), count: batch.count, bytes: new Uint8Array(batch.body) };
}
