import { setTimeout as pause } from 'node:timers/promises';
import { readBytes, replicaRetries, replicaRetryMs } from '../limits/cluster.ts';
import type { BatchSpan, StoredBatch } from '../store/log-store.ts';
import { CorruptBatchError } from '../store/store-error.ts';
import type { JetStreamShard } from './jetstream-shard.ts';
import { type BatchFacts, type Facts, factsOf } from './messages.ts';
import { batchesOf, isBodyOf } from './packed-batches.ts';
import type { ShardState } from './shard-state.ts';
import type { StoredMessage } from './stream.ts';

/** A batch with where it lies. */
export interface FoundBatch extends StoredBatch {
  readonly sequence: number;
  /** Bytes of all batches before it, also of those that are gone. */
  readonly bytesBefore: number;
}

/** A message with one batch or several. */
interface FoundMessage extends BatchFacts {
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
    const batches: StoredBatch[] = [];
    let bytes = 0;
    let messages = [await this.#messageHolding(partition, from)];
    while (messages.length > 0) {
      for (const message of messages) {
        const found = soundBatchesIn(message);
        if (found === undefined) {
          // What is before it is given first.
          if (batches.length > 0) return batches;
          throw corrupt(message);
        }
        for (const batch of found) {
          if (batch.lastOffset < from) continue;
          bytes += batch.bytes.length;
          if (batches.length > 0 && bytes > maxBytes) {
            this.#remember(partition, batch.baseOffset, batch.sequence);
            return batches;
          }
          batches.push(storedBatch(batch));
        }
      }
      const { sequence, lastOffset } = messages.at(-1)!;
      this.#remember(partition, lastOffset + 1, sequence + 1);
      if (bytes >= maxBytes || lastOffset + 1 >= known!.nextOffset) break;
      messages = await this.#following(partition, sequence + 1, lastOffset + 1, maxBytes - bytes);
    }
    return batches;
  }

  /** The batch that holds an offset which there is. @throws CorruptBatchError */
  async holding(partition: number, offset: number): Promise<FoundBatch> {
    const message = await this.#messageHolding(partition, offset);
    return batchesIn(message).find(({ lastOffset }) => lastOffset >= offset)!;
  }

  async #messageHolding(partition: number, offset: number): Promise<FoundMessage> {
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
    const { firstOffset = 0, nextOffset: end = 0 } = this.#state.partition(partition) ?? {};
    let message = await this.#first(partition, ({ runningMaxTimestamp }) => runningMaxTimestamp >= timestamp);
    while (message !== undefined) {
      const found = batchesIn(message).find(
        ({ lastOffset, maxTimestamp }) => lastOffset >= firstOffset && maxTimestamp >= timestamp,
      );
      if (found !== undefined) return found;
      // A batch that is gone may have been ahead of those that stay.
      if (message.lastOffset + 1 >= end) return undefined;
      message = await this.#messageHolding(partition, message.lastOffset + 1);
    }
    return undefined;
  }

  async offsetForSize(partition: number, keepBytes: number): Promise<number> {
    const known = this.#state.partition(partition);
    if (known === undefined) return 0;
    const keepFrom = known.bytesEver - keepBytes;
    if (keepFrom <= known.bytesBefore) return known.firstOffset;
    const message = await this.#first(
      partition,
      ({ bytesBefore, byteLength }) => bytesBefore + byteLength > keepFrom,
    );
    if (message === undefined) return known.nextOffset;
    const found = batchesIn(message).find(({ bytesBefore }) => bytesBefore >= keepFrom);
    return found?.baseOffset ?? message.lastOffset + 1;
  }

  /** The first message for which something holds that holds for all behind it. */
  async #first(
    partition: number,
    holds: (message: FoundMessage) => boolean,
  ): Promise<FoundMessage | undefined> {
    const { firstOffset = 0 } = this.#state.partition(partition) ?? {};
    let low = 1;
    let high = this.#state.applied + 1;
    let best: FoundMessage | undefined;
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

  async #next(partition: number, sequence: number): Promise<FoundMessage | undefined> {
    const message = await this.#stream.nextOf(partition, sequence);
    return message && foundMessage(message);
  }

  /** Messages from a sequence on, of which the first begins at an offset; fewer where a replica does not have all. */
  async #following(
    partition: number,
    sequence: number,
    offset: number,
    maxBytes: number,
  ): Promise<FoundMessage[]> {
    const messages = await this.#stream.batchesOf(
      partition,
      sequence,
      Math.min(maxBytes + readBytes, 2 * readBytes),
    );
    const found: FoundMessage[] = [];
    let next = offset;
    for (const each of messages) {
      const message = foundMessage(each);
      if (message === undefined || message.baseOffset !== next) break;
      found.push(message);
      next = message.lastOffset + 1;
    }
    return found;
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

function foundMessage(message: StoredMessage): FoundMessage | undefined {
  const facts = factsOf(message);
  if (facts?.kind !== 'batch') return undefined;
  const { sequence, body } = message;
  return { ...facts, sequence, body };
}

/** @throws CorruptBatchError where the body is not what the message says of it */
function batchesIn(message: FoundMessage): FoundBatch[] {
  const found = soundBatchesIn(message);
  if (found === undefined) throw corrupt(message);
  return found;
}

function corrupt({ partition, baseOffset, lastOffset }: FoundMessage): CorruptBatchError {
  return new CorruptBatchError(partition, baseOffset, lastOffset);
}

/** Undefined where the body is not what the message says of it. */
function soundBatchesIn(message: FoundMessage): FoundBatch[] | undefined {
  if (!isBodyOf(message, message.body)) return undefined;
  const { sequence } = message;
  let { bytesBefore } = message;
  return batchesOf(message, message.body).map((batch) => {
    const found = { ...batch, sequence, bytesBefore };
    bytesBefore += batch.bytes.length;
    return found;
  });
}

export function batchSpan({ baseOffset, lastOffset, maxTimestamp }: BatchSpan): BatchSpan {
  return { baseOffset, lastOffset, maxTimestamp };
}

function storedBatch(batch: FoundBatch): StoredBatch {
  return { ...batchSpan(batch), count: batch.count, bytes: new Uint8Array(batch.bytes) };
}
