import { maxCompactionProducers } from '../../limits/log.ts';

/** A batch without records that was kept for its header. */
export interface KeptHeader {
  baseOffset: number;
  lastOffset: number;
  byteLength: number;
}

/**
 * Which batch of an idempotent producer is its last one: that stays even if none of its records does, because it has
 * the producer's last sequence. Kafka knows that from the state of its producers; here one look over the log is enough,
 * for a batch that was kept in vain is told when the next one of its producer comes by.
 */
export class LastBatches {
  /** The last offsets in what is compacted for the first time. */
  readonly #ends = new Map<number, number>();
  /** Batches without records that were kept, and no later one of their producer came by yet. */
  readonly #kept = new Map<number, KeptHeader>();

  /** A batch in the part whose keys are collected. */
  saw(producerId: number, lastOffset: number): void {
    if (this.#ends.size < maxCompactionProducers || this.#ends.has(producerId)) {
      this.#ends.set(producerId, lastOffset);
    }
  }

  /** Whether no later batch of the producer is known. */
  mayBeLast(producerId: number, lastOffset: number): boolean {
    return lastOffset >= (this.#ends.get(producerId) ?? -1);
  }

  /** A batch comes by that stays, `header` if without records. Returns the one before it that was kept in vain. */
  passed(producerId: number, header: KeptHeader | undefined): KeptHeader | undefined {
    const before = this.#kept.get(producerId);
    if (header !== undefined && (before !== undefined || this.#kept.size < maxCompactionProducers)) {
      this.#kept.set(producerId, header);
    } else {
      this.#kept.delete(producerId);
    }
    return before;
  }
}
