import { setTimeout as delay } from 'node:timers/promises';
import { Fifo } from '../../../internal/lib/fifo.ts';
import { Latencies } from './latencies.ts';
import type { Meeting, Party, Publisher, Speech } from './parties.ts';

/** What is to be measured. */
export interface Plan {
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly sizeBytes: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Messages a second of all together; undefined for as fast as they arrive. */
  readonly rate: number | undefined;
  /** Messages of a publisher that may be on their way, where there is no rate. */
  readonly window: number;
}

/** What came of it. */
export interface Measured {
  readonly seconds: number;
  readonly published: number;
  readonly received: number;
  /** Deliveries that did not come. */
  readonly lost: number;
  /** From when a message was due until a subscriber had it. */
  readonly latencies: Latencies;
  /** Until its publisher knew that it is safe; nothing where nobody is told that. */
  readonly acknowledgements: Latencies;
}

/** How long the last messages are waited for, after which they count as lost. */
const LAST_PATIENCE_MS = 5_000;
/** How often is looked whether they are there. */
const LOOK_EVERY_MS = 5;
const MICROSECONDS = 1_000;

/** Connects everybody, publishes and measures, and closes. @throws what ends a connection; the reason of the stop. */
export async function measure(
  speech: Speech,
  meeting: Meeting,
  plan: Plan,
  onSecond: (received: number) => void,
): Promise<Measured> {
  await using _place = await speech.prepare?.(meeting);
  const parties: Party[] = [];
  const load = new Load(plan);
  const timer = setInterval(() => onSecond(load.received), 1_000);
  try {
    const prefix = `tinymq-bench-${process.pid}`;
    for (let index = 0; index < plan.subscribers; index++) {
      parties.push(await speech.subscriber(`${prefix}-sub-${index}`, meeting, (bytes) => load.take(bytes)));
    }
    const publishers: Publisher[] = [];
    for (let index = 0; index < plan.publishers; index++) {
      const acknowledged = (count: number) => load.acknowledged(index, count);
      publishers.push(await speech.publisher(`${prefix}-pub-${index}`, index, meeting, acknowledged));
      parties.push(publishers[index]!);
    }
    const broken = parties.map(({ ended }) => ended);
    return await Promise.race([load.run(publishers, meeting.stop), ...broken]);
  } finally {
    clearInterval(timer);
    await Promise.allSettled(parties.map((party) => party.close()));
  }
}

/**
 * The load itself. A message says when it was due, and is counted from then on, also where its publisher was held up: else those
 * that had to wait would be missing among the slow ones.
 */
class Load {
  received = 0;
  readonly #plan: Plan;
  readonly #payload: Buffer;
  readonly #receivedOf: Float64Array;
  readonly #wake: (() => void)[] = [];
  /** When the messages were due that are on their way to the broker, of each publisher. */
  readonly #unacknowledged: readonly Fifo<number>[];
  readonly #latencies = new Latencies();
  readonly #acknowledgements = new Latencies();
  #published = 0;
  #measuredFromMs = Number.POSITIVE_INFINITY;
  #measuredUntilMs = Number.POSITIVE_INFINITY;
  #counted = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#payload = Buffer.alloc(plan.sizeBytes, '0123456789abcdef');
    this.#receivedOf = new Float64Array(plan.publishers);
    this.#unacknowledged = Array.from({ length: plan.publishers }, () => new Fifo<number>());
  }

  async run(publishers: readonly Publisher[], stop: AbortSignal): Promise<Measured> {
    const { warmUpMs, durationMs, rate } = this.#plan;
    const beganMs = performance.now();
    this.#measuredFromMs = beganMs + warmUpMs;
    // Added up as the times of messages are: another rounding would put one message more, or one less, before it.
    this.#measuredUntilMs = beganMs + (warmUpMs + durationMs);
    const publish = (publisher: Publisher, index: number) =>
      rate === undefined
        ? this.#fast(publisher, index, stop)
        : this.#paced(publisher, index, rate, beganMs, stop);
    await Promise.all(publishers.map(publish));
    stop.throwIfAborted();
    await this.#last();
    const expected = this.#published * this.#plan.subscribers;
    return {
      seconds: durationMs / 1_000,
      published: this.#published,
      received: this.#counted,
      lost: expected - this.#counted,
      ...{ latencies: this.#latencies, acknowledgements: this.#acknowledgements },
    };
  }

  /** Takes what a subscriber got. */
  take(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset);
    const dueMs = view.getFloat64(0);
    const publisher = view.getUint32(8);
    this.received++;
    this.#receivedOf[publisher]!++;
    if (this.#isMeasured(dueMs)) {
      this.#counted++;
      addSince(this.#latencies, dueMs);
    }
    this.#wake[publisher]?.();
  }

  /** Takes note of the next messages of a publisher that are safe. */
  acknowledged(publisher: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const dueMs = this.#unacknowledged[publisher]!.shift();
      if (dueMs !== undefined && this.#isMeasured(dueMs)) addSince(this.#acknowledgements, dueMs);
    }
  }

  #isMeasured(dueMs: number): boolean {
    return dueMs >= this.#measuredFromMs && dueMs < this.#measuredUntilMs;
  }

  /** The messages of one publisher, each when it is due, however late the one before was. */
  async #paced(
    publisher: Publisher,
    index: number,
    rate: number,
    beganMs: number,
    stop: AbortSignal,
  ): Promise<void> {
    const { publishers } = this.#plan;
    let sent = 0;
    let dueMs = beganMs + dueAfterMs(rate, publishers, index, sent);
    while (dueMs < this.#measuredUntilMs && !stop.aborted) {
      const aheadMs = dueMs - performance.now();
      if (aheadMs > 1) await delay(aheadMs - 1);
      else if (aheadMs > 0) await new Promise(setImmediate);
      while (dueMs <= performance.now() && dueMs < this.#measuredUntilMs) {
        const room = this.#publish(publisher, index, dueMs);
        dueMs = beganMs + dueAfterMs(rate, publishers, index, ++sent);
        if (room !== undefined) await room;
      }
    }
  }

  /** As many as arrive, with a window of them on the way. */
  async #fast(publisher: Publisher, index: number, stop: AbortSignal): Promise<void> {
    const { window, subscribers } = this.#plan;
    let sent = 0;
    while (!stop.aborted) {
      const nowMs = performance.now();
      if (nowMs >= this.#measuredUntilMs) return;
      if (sent * subscribers - this.#receivedOf[index]! >= window * subscribers) {
        await this.#moreOf(index);
        continue;
      }
      const room = this.#publish(publisher, index, nowMs);
      sent++;
      if (room !== undefined) await room;
    }
  }

  #publish(publisher: Publisher, index: number, dueMs: number): Promise<unknown> | undefined {
    if (dueMs >= this.#measuredFromMs) this.#published++;
    if (publisher.isAcknowledged) this.#unacknowledged[index]!.push(dueMs);
    // Whoever sends it may keep it until it is written.
    const payload = Buffer.from(this.#payload);
    payload.writeDoubleBE(dueMs, 0);
    payload.writeUInt32BE(index, 8);
    return publisher.publish(payload);
  }

  /** Resolves when something of a publisher has arrived, or the time is over. */
  #moreOf(index: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.max(1, this.#measuredUntilMs - performance.now()));
      this.#wake[index] = done;

      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  async #last(): Promise<void> {
    const expected = this.#published * this.#plan.subscribers;
    let lastSeen = performance.now();
    const isUnanswered = () => this.#unacknowledged.some(({ length }) => length > 0);
    for (let seen = -1; this.#counted < expected || isUnanswered(); ) {
      if (this.#counted !== seen) lastSeen = performance.now();
      seen = this.#counted;
      if (performance.now() - lastSeen > LAST_PATIENCE_MS) return;
      await delay(LOOK_EVERY_MS);
    }
  }
}

/**
 * After how many milliseconds a message of one of several publishers is due; they take turns, so that not all of them send at the same moment.
 *
 * @param sent how many that one has sent before. The time is no sum of steps, whose rounding would put one message more, or one less, before the end.
 */
export function dueAfterMs(rate: number, publishers: number, index: number, sent: number): number {
  return (1_000 * (sent * publishers + index)) / rate;
}

function addSince(latencies: Latencies, dueMs: number): void {
  latencies.add(Math.max(0, performance.now() - dueMs) * MICROSECONDS);
}
