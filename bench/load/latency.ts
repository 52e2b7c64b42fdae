import { performance } from 'node:perf_hooks';
import type { LatencyCase } from '../live-cases.ts';
import { percentile } from '../stats.ts';
import { connectAll } from './connect-all.ts';
import { BURSTS_PER_SECOND, burstsInTime } from './pace.ts';
import type { Scenario, Setting } from './scenario.ts';
import { trafficOf } from './traffic.ts';

/** A burst's bytes are written again after so many others: long after the kernel has taken them. */
const BURST_BUFFERS = 256;
const RUN_UP_SECONDS = 0.5;
const ARRIVAL_TIMEOUT_MS = 2_000;

/**
 * How long messages are on their way at a fixed rate. Each carries the time of its burst; sender and receiver are
 * one process, and so have one clock.
 */
export async function latency(
  { workload, messagesPerSecond }: LatencyCase,
  setting: Setting,
): Promise<Scenario> {
  const { wire } = setting.peer;
  const traffic = trafficOf(workload, wire);
  const { publishers, subscribers } = await connectAll(setting, traffic);
  const bursts = burstsOf(
    wire.publish(traffic.subscriptions[0][0], payloadMark, traffic.publisherIds[0]),
    messagesPerSecond / BURSTS_PER_SECOND,
  );
  const arrivals = new Arrivals(traffic.delivery.bytes, traffic.delivery.payloadOffset);
  let ended: string | undefined;
  subscribers[0].onEnd = (reason) => (ended ??= reason);
  subscribers[0].onBytes = (length, bytes) => arrivals.take(length, bytes);

  return {
    async round(seconds) {
      const sent = await send(RUN_UP_SECONDS);
      await arrivals.untilCount(sent);
      arrivals.forget();
      const measured = await send(seconds);
      const lost = measured - (await arrivals.untilCount(measured));
      if (ended !== undefined) throw new Error(ended);
      const sorted = arrivals.takeSorted();
      return {
        p50Us: percentile(sorted, 0.5) * 1000,
        p99Us: percentile(sorted, 0.99) * 1000,
        p999Us: percentile(sorted, 0.999) * 1000,
        lost,
      };
    },
  };

  /** Sends for a while and returns the number of messages. */
  async function send(seconds: number): Promise<number> {
    const burstCount = await burstsInTime(seconds, () => publishers[0].write(bursts(performance.now())));
    return (burstCount * messagesPerSecond) / BURSTS_PER_SECOND;
  }
}

/** A payload that is found again in an encoded message. */
const payloadMark = new TextEncoder().encode('0123456789abcdef');

/** Makes bursts of messages whose payload begins with a time. */
function burstsOf(message: Uint8Array, messages: number): (timeMs: number) => Uint8Array {
  const payloadOffset = Buffer.from(message).indexOf(payloadMark);
  const buffers = Array.from({ length: BURST_BUFFERS }, () =>
    Buffer.concat(Array.from({ length: messages }, () => message)),
  );
  let next = 0;
  return (timeMs) => {
    const burst = buffers[next];
    next = (next + 1) % BURST_BUFFERS;
    for (let at = payloadOffset; at < burst.length; at += message.length) burst.writeDoubleLE(timeMs, at);
    return burst;
  };
}

/** Reads the times out of what arrives, whose messages are all of one size. */
class Arrivals {
  readonly #messageBytes: number;
  readonly #payloadOffset: number;
  readonly #partial: Buffer;
  #partialLength = 0;
  #latenciesMs: number[] = [];

  constructor(messageBytes: number, payloadOffset: number) {
    this.#messageBytes = messageBytes;
    this.#payloadOffset = payloadOffset;
    this.#partial = Buffer.alloc(messageBytes);
  }

  take(length: number, bytes: Uint8Array): void {
    const now = performance.now();
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, length);
    let at = 0;
    if (this.#partialLength > 0) {
      at = view.copy(this.#partial, this.#partialLength, 0, this.#messageBytes - this.#partialLength);
      this.#partialLength += at;
      if (this.#partialLength < this.#messageBytes) return;
      this.#latenciesMs.push(now - this.#partial.readDoubleLE(this.#payloadOffset));
    }
    for (; at + this.#messageBytes <= length; at += this.#messageBytes) {
      this.#latenciesMs.push(now - view.readDoubleLE(at + this.#payloadOffset));
    }
    this.#partialLength = view.copy(this.#partial, 0, at);
  }

  /** Waits for so many messages, or until they do not come any more; returns how many there are. */
  async untilCount(count: number): Promise<number> {
    const deadlineMs = performance.now() + ARRIVAL_TIMEOUT_MS;
    while (this.#latenciesMs.length < count && performance.now() < deadlineMs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#latenciesMs.length;
  }

  forget(): void {
    this.#latenciesMs.length = 0;
  }

  takeSorted(): Float64Array {
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    this.forget();
    return sorted;
  }
}
