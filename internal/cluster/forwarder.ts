import { setTimeout as pause } from 'node:timers/promises';
import { forwardBytes, forwardedPerPartition, forwardRetryMs, writePatienceMs } from '../limits/cluster.ts';
import type { Leader } from '../log/leadership.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import { SequenceError, type SequenceErrorCode } from '../log/producer-states.ts';
import { StoreError, type StoreErrorCode, StoreUnavailableError } from '../store/store-error.ts';
import type { ForwardedBatch, ForwardedOutcome, Refusal } from './forwarded-batches.ts';

export interface ForwarderParts {
  readonly shardOf: (partition: number) => number;
  readonly leaderOf: (partition: number) => Leader;
  /** The number of a producer that no other one has. */
  readonly producerId: () => Promise<number>;
  /** Gives batches to a node; undefined where its answer did not come. */
  readonly exchange: (
    node: number,
    batches: readonly ForwardedBatch[],
  ) => Promise<ForwardedOutcome[] | undefined>;
  /** Appends them where this node itself leads by now. */
  readonly append: (batches: readonly ForwardedBatch[]) => Promise<ForwardedOutcome[]>;
}

interface Waiting {
  readonly partition: number;
  readonly batch: UnplacedBatch;
  readonly sinceMs: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: Error) => void;
  /** The numbers under which it was sent; undefined before that, and for batches that are known by numbers of their own. */
  producer: UnplacedBatch['producer'];
  /** Why it is not stored yet. */
  problem: Refusal | undefined;
  isSettled: boolean;
}

/** Where this node is as a producer of a partition. */
interface Producer {
  readonly id: number;
  nextSequence: number;
}

/**
 * Gives what clients send here to the nodes that lead. Whatever waits for a shard goes in rounds, one at a time, so that the order
 * stays; and this node is an idempotent producer, so that what is sent again, to another leader too, is written once.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  readonly #lanes = new Map<number, Lane>();

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** @throws StoreUnavailableError; SequenceError; StoreError */
  forward(partition: number, batch: UnplacedBatch): Promise<number> {
    const shard = this.#parts.shardOf(partition);
    let lane = this.#lanes.get(shard);
    if (lane === undefined) {
      lane = new Lane(this.#parts);
      this.#lanes.set(shard, lane);
    }
    return lane.forward(partition, batch);
  }
}

/** What waits for the leader of one shard. */
class Lane {
  readonly #parts: ForwarderParts;
  readonly #producers = new Map<number, Producer>();
  #queue: Waiting[] = [];
  #isRunning = false;

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  forward(partition: number, batch: UnplacedBatch): Promise<number> {
    return new Promise((resolve, reject) => {
      const sinceMs = performance.now();
      const unsent = { producer: undefined, problem: undefined, isSettled: false };
      this.#queue.push({ partition, batch, sinceMs, resolve, reject, ...unsent });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // Later in this turn there may be more of it.
      queueMicrotask(() => this.#run());
    });
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#giveUpOld();
      const [first] = this.#queue;
      if (first === undefined) break;
      if (!(await this.#round(this.#parts.leaderOf(first.partition)))) await pause(forwardRetryMs);
    }
    this.#isRunning = false;
  }

  /** @returns whether something came of it. */
  async #round(leader: Leader): Promise<boolean> {
    if (leader === 'nobody') return false;
    const round = this.#nextRound();
    const batches: ForwardedBatch[] = [];
    try {
      for (const waiting of round) batches.push(await this.#numbered(waiting));
    } catch (error) {
      // No numbers are to be had at the moment: nothing was sent.
      for (const waiting of round)
        waiting.problem = { code: 'unavailable', message: (error as Error).message };
      return false;
    }
    const { append, exchange } = this.#parts;
    const outcomes = await (leader === 'here' ? append(batches) : exchange(leader, batches));
    if (outcomes === undefined) return false;
    return this.#settle(round, outcomes);
  }

  #nextRound(): Waiting[] {
    const counts = new Map<number, number>();
    const round: Waiting[] = [];
    let bytes = 0;
    for (const waiting of this.#queue) {
      const count = (counts.get(waiting.partition) ?? 0) + 1;
      bytes += waiting.batch.bytes.length;
      if (count > forwardedPerPartition || (round.length > 0 && bytes > forwardBytes)) break;
      counts.set(waiting.partition, count);
      round.push(waiting);
    }
    return round;
  }

  async #numbered(waiting: Waiting): Promise<ForwardedBatch> {
    const { partition, batch } = waiting;
    if (batch.producer !== undefined || batch.numbered !== undefined) return { partition, batch };
    if (waiting.producer === undefined) {
      let producer = this.#producers.get(partition);
      if (producer === undefined || producer.nextSequence > LAST_SEQUENCE) {
        producer = { id: await this.#parts.producerId(), nextSequence: 0 };
        this.#producers.set(partition, producer);
      }
      waiting.producer = { id: producer.id, epoch: 0, firstSequence: producer.nextSequence };
      producer.nextSequence += batch.count;
    }
    return { partition, batch: { ...batch, producer: waiting.producer } };
  }

  #settle(round: readonly Waiting[], outcomes: readonly ForwardedOutcome[]): boolean {
    const unsettled = new Set<number>();
    for (const [index, waiting] of round.entries()) {
      const outcome = outcomes[index]!;
      if ('offset' in outcome) waiting.resolve(outcome.offset);
      else if (this.#isForLater(waiting, outcome, unsettled)) {
        waiting.problem = outcome;
        unsettled.add(waiting.partition);
        continue;
      } else waiting.reject(errorOf(outcome));
      waiting.isSettled = true;
    }
    this.#dropSettled();
    return round.some(({ isSettled }) => isSettled);
  }

  /** Whether a refusal is one of now. */
  #isForLater(waiting: Waiting, { code }: Refusal, unsettled: ReadonlySet<number>): boolean {
    if (LATER.has(code)) return true;
    if (waiting.producer === undefined || code !== 'out-of-order') return false;
    // One before it was refused, or its leader has forgotten this producer: what waits is that of a new one.
    if (!unsettled.has(waiting.partition)) this.#beginAnew(waiting.partition);
    return true;
  }

  #beginAnew(partition: number): void {
    this.#producers.delete(partition);
    for (const waiting of this.#queue) if (waiting.partition === partition) waiting.producer = undefined;
  }

  /** Whoever waits for so long is told to ask again. */
  #giveUpOld(): void {
    const beforeMs = performance.now() - writePatienceMs;
    for (const waiting of this.#queue) {
      if (waiting.sinceMs > beforeMs) continue;
      waiting.reject(errorOf(waiting.problem ?? NOBODY_ANSWERED));
      waiting.isSettled = true;
    }
    this.#dropSettled();
  }

  #dropSettled(): void {
    if (this.#queue.some(({ isSettled }) => isSettled)) {
      this.#queue = this.#queue.filter(({ isSettled }) => !isSettled);
    }
  }
}

/** Refusals that another try may not find: a new leader, or a topic of which it has not heard yet. */
const LATER = new Set<Refusal['code']>(['not-leader', 'unavailable', 'not-found', 'conflict']);
const NOBODY_ANSWERED: Refusal = { code: 'unavailable', message: 'no node that leads has answered in time' };
/** The last one that leaves room for a batch: numbers of Kafka's producers have 31 bits. */
const LAST_SEQUENCE = 2 ** 30;

/** How a refusal is told here. */
export function errorOf({ code, message }: Refusal): Error {
  if (code === 'out-of-order' || code === 'stale-epoch') return new SequenceError(code, message);
  if (code === 'unavailable') return new StoreUnavailableError('no-majority', message);
  return new StoreError(code, message);
}

/** How an error of the leader is told to whom it answers. */
export function refusalOf(error: unknown): Refusal {
  const message = (error as Error).message;
  const code: StoreErrorCode | SequenceErrorCode =
    error instanceof StoreError || error instanceof SequenceError ? error.code : 'unavailable';
  return { code, message };
}
