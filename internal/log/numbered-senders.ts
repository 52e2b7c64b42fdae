import type { StoredProducer } from '../store/log-store.ts';

/** What a batch has of a client that numbers its messages: the number of the last of them. */
export interface NumberedBatch {
  /** Below 0: those of Kafka's producers are not. */
  id: bigint;
  number: number;
}

interface Sender {
  number: number;
  lastSeenMs: number;
}

const STATE_BYTES = 16;

/**
 * The clients that number their messages, whose messages came into one partition: the number of the last one of each, which is
 * kept in the transaction that appends it. A message of that number or less is in the partition.
 */
export class NumberedSenders {
  readonly #most: number;
  /** Those that were heard of last come last. */
  readonly #senders = new Map<bigint, Sender>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The last number that lasts; 0 where none does. */
  lastNumberOf(id: bigint): number {
    return this.#senders.get(id)?.number ?? 0;
  }

  /** A batch lasts. */
  add({ id, number }: NumberedBatch, nowMs: number): void {
    this.#senders.delete(id);
    this.#senders.set(id, { number, lastSeenMs: nowMs });
  }

  /** What is kept together with a batch. */
  stored({ id, number }: NumberedBatch, nowMs: number): StoredProducer {
    const state = new Uint8Array(STATE_BYTES);
    const view = new DataView(state.buffer);
    view.setBigUint64(0, BigInt(number));
    view.setBigUint64(8, BigInt(Math.floor(nowMs)));
    return { id, state };
  }

  /** Takes out those that were quiet since a time, and the quietest of too many. */
  takeExpired(beforeMs: number): bigint[] {
    const expired: bigint[] = [];
    for (const [id, { lastSeenMs }] of this.#senders) {
      if (lastSeenMs >= beforeMs && this.#senders.size <= this.#most) break;
      this.#senders.delete(id);
      expired.push(id);
    }
    return expired;
  }

  /** Begins anew with what lasts. */
  restore(stored: readonly StoredProducer[]): void {
    this.#senders.clear();
    const found: [bigint, Sender][] = [];
    for (const { id, state } of stored) {
      if (id >= 0n || state.length !== STATE_BYTES) continue;
      const view = new DataView(state.buffer, state.byteOffset, STATE_BYTES);
      found.push([id, { number: Number(view.getBigUint64(0)), lastSeenMs: Number(view.getBigUint64(8)) }]);
    }
    found.sort(([, a], [, b]) => a.lastSeenMs - b.lastSeenMs);
    for (const [id, sender] of found) this.#senders.set(id, sender);
  }
}
