import type { StoredProducer } from '../store/log-store.ts';
import {
  decodeProducer,
  encodeProducer,
  type KeptBatch,
  laterBatches,
  sequenceAfter,
} from '../store/producer-state.ts';

/** The numbers that an idempotent producer gave to a batch. */
export interface ProducerBatch {
  id: number;
  epoch: number;
  /** Of the first record; each record has the next one, and 0 follows on 2^31 - 1. */
  firstSequence: number;
}

/** `out-of-order`: batches before this one are missing. `stale-epoch`: a newer instance of the producer has begun. */
export type SequenceErrorCode = 'out-of-order' | 'stale-epoch';

/** A batch of an idempotent producer that does not follow on its last one. */
export class SequenceError extends Error {
  override readonly name = 'SequenceError';
  readonly code: SequenceErrorCode;

  constructor(code: SequenceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A batch that a producer sent, kept to recognise it when it comes again. */
export interface RememberedBatch extends KeptBatch {
  /** Settles when the batch lasts, or was refused; undefined for one that lasts. */
  writing: Promise<void> | undefined;
}

interface Producer {
  epoch: number;
  /** In milliseconds since 1970. */
  lastSeenMs: number;
  /** The newest last; never empty. */
  batches: RememberedBatch[];
}

/**
 * The idempotent producers of one partition: the last five batches of each, so that one that comes again is
 * written once and one that comes too early is refused (Kafka's ProducerStateManager). The first batch of a producer
 * that is not known is taken with any sequence: it may have been forgotten.
 */
export class ProducerStates {
  readonly #maxProducers: number;
  /** Those that were heard of last come last. */
  readonly #producers = new Map<number, Producer>();

  constructor(maxProducers: number) {
    this.#maxProducers = maxProducers;
  }

  get size(): number {
    return this.#producers.size;
  }

  /**
   * Whether a batch is one that came before; undefined where it is new and follows on.
   *
   * @throws SequenceError.
   */
  check({ id, epoch, firstSequence }: ProducerBatch, count: number): RememberedBatch | undefined {
    const producer = this.#producers.get(id);
    if (producer === undefined) return undefined;
    if (epoch < producer.epoch) {
      throw new SequenceError(
        'stale-epoch',
        `producer ${id} has epoch ${producer.epoch}, and this is ${epoch}`,
      );
    }
    if (epoch > producer.epoch) {
      if (firstSequence === 0) return undefined;
      throw new SequenceError('out-of-order', `producer ${id} begins epoch ${epoch} with ${firstSequence}`);
    }
    const lastSequence = sequenceAfter(firstSequence, count - 1);
    const known = producer.batches.find(
      (batch) => batch.firstSequence === firstSequence && batch.lastSequence === lastSequence,
    );
    if (known !== undefined) return known;
    const expected = sequenceAfter(producer.batches.at(-1)!.lastSequence, 1);
    if (firstSequence === expected) return undefined;
    throw new SequenceError(
      'out-of-order',
      `producer ${id} sent sequence ${firstSequence}, where ${expected} comes next`,
    );
  }

  /** Remembers a batch that is going to be written, with what the store is to keep beside it. */
  add(
    { id, epoch, firstSequence }: ProducerBatch,
    count: number,
    baseOffset: number,
    nowMs: number,
  ): { remembered: RememberedBatch; stored: StoredProducer } {
    const before = this.#producers.get(id);
    const lastSequence = sequenceAfter(firstSequence, count - 1);
    const remembered: RememberedBatch = { firstSequence, lastSequence, baseOffset, writing: undefined };
    const batches = laterBatches(before?.epoch === epoch ? before.batches : [], remembered);
    const producer = { epoch, lastSeenMs: nowMs, batches };
    this.#producers.delete(id);
    this.#producers.set(id, producer);
    return { remembered, stored: { id: BigInt(id), state: encodeProducer(producer) } };
  }

  /** Forgets a batch that was refused, and those behind it, which are refused too. */
  remove(id: number, baseOffset: number): void {
    const producer = this.#producers.get(id);
    if (producer === undefined) return;
    producer.batches = producer.batches.filter((batch) => batch.baseOffset < baseOffset);
    if (producer.batches.length === 0) this.#producers.delete(id);
  }

  /** The producers to forget: those not heard of since a time, and the quietest where there are too many. */
  takeExpired(beforeMs: number): bigint[] {
    const expired: bigint[] = [];
    for (const [id, producer] of this.#producers) {
      if (producer.lastSeenMs >= beforeMs && this.#producers.size <= this.#maxProducers) break;
      this.#producers.delete(id);
      expired.push(BigInt(id));
    }
    return expired;
  }

  /** Begins anew with what lasts. State that cannot be read is left out: its producer is then not known. */
  restore(stored: readonly StoredProducer[]): void {
    this.#producers.clear();
    const producers: [number, Producer][] = [];
    for (const { id, state } of stored) {
      if (id < 0n) continue;
      const producer = decodeProducer(state);
      if (producer === undefined) continue;
      const batches = producer.batches.map((batch) => ({ ...batch, writing: undefined }));
      producers.push([Number(id), { ...producer, batches }]);
    }
    producers.sort(([, a], [, b]) => a.lastSeenMs - b.lastSeenMs);
    for (const [id, producer] of producers) this.#producers.set(id, producer);
  }
}
