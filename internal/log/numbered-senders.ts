import type { StoredProducer } from '../store/log-store.ts';
import { StoreUnavailableError } from '../store/store-error.ts';

/** Numbers that follow on each other. */
export interface NumberRun {
  readonly first: number;
  count: number;
}

/** A batch whose records are messages that one client numbered. */
export interface NumberedBatch {
  /** Below 0: those of Kafka's producers are not. */
  readonly id: bigint;
  /** The numbers of all its records, each above the one before. There are others between them where the client sends to other logs. */
  readonly runs: readonly NumberRun[];
  /** The number of the last message before it that the same node gave to the log; undefined where it gave none, or all comes again. */
  readonly after?: number | undefined;
}

interface Sender {
  /** Of the last message that lasts. */
  number: number;
  /** Of the last message that is written, or under way. */
  placed: number;
  /** Settles when that one lasts, or was refused. */
  writing: Promise<void> | undefined;
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
  /** By client, the number of the last message that this node gave to the log, whoever leads. */
  readonly #given = new Map<bigint, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The last number that lasts; 0 where none does. */
  lastNumberOf(id: bigint): number {
    return this.#senders.get(id)?.number ?? 0;
  }

  /** The batch with what this node has given to the log before it. */
  given({ id, runs }: NumberedBatch): NumberedBatch {
    const before = this.#given.get(id);
    this.#given.delete(id);
    this.#given.set(id, lastNumber(runs));
    if (this.#given.size > this.#most) this.#given.delete(this.#given.keys().next().value!);
    // What comes again was not safe, so that all behind it comes again too.
    return before === undefined || runs[0]!.first <= before ? { id, runs } : { id, runs, after: before };
  }

  /**
   * How many records of a batch came before: as numbers grow, these are its first ones.
   *
   * @throws StoreUnavailableError where messages before it are missing. They were refused, and it must not be there without them: what
   * has a lower number than the last one would be taken for written when it comes again.
   */
  knownOf({ id, runs, after = 0 }: NumberedBatch): number {
    const placed = this.#senders.get(id)?.placed ?? 0;
    if (after > placed)
      throw new StoreUnavailableError('failed', 'messages before these could not be written');
    let known = 0;
    for (const { first, count } of runs) known += Math.min(count, Math.max(0, placed - first + 1));
    return known;
  }

  /** Resolves when the last message of a client lasts; rejects where it was refused. */
  async lasts(id: bigint): Promise<void> {
    await this.#senders.get(id)?.writing;
  }

  /** A batch is going to be written. */
  add({ id, runs }: NumberedBatch, writing: Promise<void>, nowMs: number): void {
    const number = this.lastNumberOf(id);
    this.#senders.delete(id);
    this.#senders.set(id, { number, placed: lastNumber(runs), writing, lastSeenMs: nowMs });
  }

  /** It lasts. */
  added({ id, runs }: NumberedBatch): void {
    const sender = this.#senders.get(id);
    if (sender === undefined) return;
    sender.number = lastNumber(runs);
    if (sender.number === sender.placed) sender.writing = undefined;
  }

  /** A batch was refused, and those behind it are refused too. */
  remove(id: bigint): void {
    const sender = this.#senders.get(id);
    if (sender === undefined) return;
    if (sender.number === 0) this.#senders.delete(id);
    sender.placed = sender.number;
    sender.writing = undefined;
  }

  /** What is kept together with a batch. */
  stored({ id, runs }: NumberedBatch, nowMs: number): StoredProducer {
    const state = new Uint8Array(STATE_BYTES);
    const view = new DataView(state.buffer);
    view.setBigUint64(0, BigInt(lastNumber(runs)));
    view.setBigUint64(8, BigInt(Math.floor(nowMs)));
    return { id, state };
  }

  /** Takes out those that were quiet since a time, and the quietest of too many. */
  takeExpired(beforeMs: number): bigint[] {
    const expired: bigint[] = [];
    for (const [id, { lastSeenMs }] of this.#senders) {
      if (lastSeenMs >= beforeMs && this.#senders.size <= this.#most) break;
      this.#senders.delete(id);
      this.#given.delete(id);
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
      const number = Number(view.getBigUint64(0));
      const lastSeenMs = Number(view.getBigUint64(8));
      found.push([id, { number, placed: number, writing: undefined, lastSeenMs }]);
    }
    found.sort(([, a], [, b]) => a.lastSeenMs - b.lastSeenMs);
    for (const [id, sender] of found) this.#senders.set(id, sender);
  }
}

/** The number of the last record. */
function lastNumber(runs: readonly NumberRun[]): number {
  const { first, count } = runs.at(-1)!;
  return first + count - 1;
}

/** The numbers of a batch without its first records. */
export function runsBehind(runs: readonly NumberRun[], known: number): NumberRun[] {
  const rest: NumberRun[] = [];
  for (const { first, count } of runs) {
    const gone = Math.min(count, known);
    known -= gone;
    if (gone < count) rest.push({ first: first + gone, count: count - gone });
  }
  return rest;
}
