import type { Broker } from '../broker/broker.ts';
import type { Clock, ClockTimer } from '../lib/clock.ts';
import { historySamples, historyStepMs, storeBytesEverySamples } from '../limits/admin.ts';
import type { Connections } from '../observe/connections.ts';
import type { Metrics } from '../observe/metrics.ts';
import { doorTotals } from './door-totals.ts';

export interface HistoryParts {
  readonly broker: Pick<Broker, 'clock' | 'fates'>;
  readonly connections: Connections;
  readonly metrics: Metrics;
}

/** The last hour, as whoever draws curves wants it. */
export interface HistoryFacts {
  readonly stepMs: number;
  /** When each sample was taken, the oldest first. */
  readonly times: readonly number[];
  /** By name, a value for each sample; null where there was none. */
  readonly series: Readonly<Record<string, readonly (number | null)[]>>;
}

const MS_PER_SECOND = 1_000;

/**
 * Samples of what the broker does, in memory, of the last hour. A sample costs a look at each connection, in slices; between
 * them nothing is measured.
 */
export class History {
  readonly #parts: HistoryParts;
  readonly #clock: Clock;
  readonly #timer: ClockTimer;
  readonly #times: number[] = [];
  readonly #series = new Map<string, Float64Array>();
  /** What only grows, as it was in the sample before. */
  #before = new Map<string, number>();
  #beforeMs: number | undefined;
  #taken = 0;
  #isSampling = false;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
    this.#clock = parts.broker.clock;
    this.#timer = this.#clock.every(historyStepMs, () => void this.sample());
    void this.sample();
  }

  close(): void {
    this.#timer.cancel();
  }

  /** Takes a sample, unless one is being taken. */
  async sample(): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    try {
      const doors = await doorTotals(this.#parts.connections);
      const grown = new Map<string, number>();
      for (const { name, messagesIn, messagesOut, requests, bytesIn, bytesOut } of doors) {
        grown.set(`messagesInPerSecond.${name}`, messagesIn);
        grown.set(`messagesOutPerSecond.${name}`, messagesOut);
        grown.set(`requestsPerSecond.${name}`, requests);
        grown.set(`bytesInPerSecond.${name}`, bytesIn);
        grown.set(`bytesOutPerSecond.${name}`, bytesOut);
      }
      const { fates } = this.#parts.broker;
      grown.set('droppedPerSecond', fates.sum('dropped'));
      grown.set('refusedPerSecond', fates.sum('refused'));
      this.#place();
      for (const { name, connections } of doors) this.#put(`connections.${name}`, connections);
      this.#putRates(grown);
      this.#putGauges();
      this.#taken++;
    } finally {
      this.#isSampling = false;
    }
  }

  read(): HistoryFacts {
    const count = this.#times.length;
    const first = this.#taken - count;
    const order = Array.from({ length: count }, (_, index) => (first + index) % historySamples);
    const series: Record<string, (number | null)[]> = {};
    for (const [name, values] of this.#series) {
      series[name] = order.map((at) => (Number.isNaN(values[at]!) ? null : values[at]!));
    }
    return { stepMs: historyStepMs, times: order.map((at) => this.#times[at]!), series };
  }

  /** Begins the sample in the place of the oldest one. */
  #place(): void {
    const at = this.#taken % historySamples;
    this.#times[at] = this.#clock.now();
    for (const values of this.#series.values()) values[at] = Number.NaN;
  }

  #putRates(grown: Map<string, number>): void {
    const nowMs = this.#clock.elapsedMs();
    if (this.#beforeMs !== undefined) {
      const seconds = (nowMs - this.#beforeMs) / MS_PER_SECOND;
      for (const [name, value] of grown) {
        const growth = value - (this.#before.get(name) ?? 0);
        if (seconds > 0) this.#put(name, Math.max(0, growth) / seconds);
      }
    }
    this.#before = grown;
    this.#beforeMs = nowMs;
  }

  #putGauges(): void {
    const { metrics } = this.#parts;
    this.#put('waitingMessages', metrics.sum('session_messages_waiting'));
    this.#put('waitingBytes', metrics.sum('channel_bytes_waiting'));
    this.#put('sessions', metrics.sum('sessions'));
    this.#put('retained', metrics.sum('retained_messages'));
    this.#put('heapBytes', metrics.sum('process_heap_bytes'));
    const delaySeconds = metrics.value('event_loop_delay_seconds', { statistic: 'p99' });
    this.#put('eventLoopDelayMs', MS_PER_SECOND * delaySeconds);
    // The folder is looked through for that.
    if (this.#taken % storeBytesEverySamples === 0) this.#put('storeBytes', metrics.value('store_bytes'));
  }

  #put(name: string, value: number): void {
    let values = this.#series.get(name);
    if (values === undefined) {
      values = new Float64Array(historySamples).fill(Number.NaN);
      this.#series.set(name, values);
    }
    values[this.#taken % historySamples] = value;
  }
}
