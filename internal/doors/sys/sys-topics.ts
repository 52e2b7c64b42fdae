import type { Broker } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { residentBytes } from '../../lib/resident-bytes.ts';
import type { MetricName } from '../../observe/metric-table.ts';
import type { Metrics } from '../../observe/metrics.ts';

export interface SysTopicsParts {
  broker: Broker;
  sessions: Sessions;
  metrics: Metrics;
  /** The value of `$SYS/broker/version`. */
  version: string;
  everyMs: number;
}

/** Rates are told over these many minutes, as mosquitto does. */
const LOAD_MINUTES = [1, 5, 15] as const;

/** Counters: the value of the metrics, and under which names `$SYS` tells its sum and its rate. */
const COUNTED: readonly { metric: MetricName; sums: readonly string[]; loads: readonly string[] }[] = [
  { metric: 'bytes_received_total', sums: ['bytes/received'], loads: ['bytes/received'] },
  { metric: 'bytes_sent_total', sums: ['bytes/sent'], loads: ['bytes/sent'] },
  {
    metric: 'messages_received_total',
    sums: ['publish/messages/received', 'messages/received'],
    loads: ['publish/received', 'messages/received'],
  },
  {
    metric: 'messages_delivered_total',
    sums: ['publish/messages/sent', 'messages/sent'],
    loads: ['publish/sent', 'messages/sent'],
  },
  { metric: 'messages_dropped_total', sums: ['publish/messages/dropped'], loads: ['publish/dropped'] },
  { metric: 'message_bytes_received_total', sums: ['publish/bytes/received'], loads: [] },
  { metric: 'message_bytes_delivered_total', sums: ['publish/bytes/sent'], loads: [] },
  { metric: 'sessions_expired_total', sums: ['clients/expired'], loads: [] },
  { metric: 'clients_connected_total', sums: [], loads: ['connections'] },
  { metric: 'connections_accepted_total', sums: [], loads: ['sockets'] },
];

const STORED_MESSAGES: readonly MetricName[] = [
  'retained_messages',
  'session_messages_waiting',
  'session_messages_unacknowledged',
];

/** Gauges: a sum of values of the metrics. */
const MEASURED: Readonly<Record<string, readonly MetricName[]>> = {
  'messages/inflight': ['session_messages_unacknowledged'],
  'messages/stored': STORED_MESSAGES,
  'retained messages/count': ['retained_messages'],
  'shared_subscriptions/count': ['shared_subscriptions'],
  'store/messages/bytes': ['retained_bytes', 'session_bytes_waiting'],
  'store/messages/count': STORED_MESSAGES,
  'subscriptions/count': ['subscriptions'],
};

/**
 * What the broker tells about itself under `$SYS/broker`, with mosquitto's names (mosquitto(8), "Broker status"), which
 * monitoring programs know. A topic is published when its value has changed. Mosquitto's `messages/received` and
 * `messages/sent` count packets of every kind; here they count messages.
 */
export class SysTopics {
  readonly #broker: Broker;
  readonly #sessions: Sessions;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #timer: ClockTimer;
  readonly #startedAt: number;
  readonly #told = new Map<string, string>();
  readonly #sums = new Map<string, number>();
  readonly #rates = new Map<string, number[]>();
  #lastAt: number;
  #mostClients = 0;
  #mostHeapBytes = 0;

  constructor(parts: SysTopicsParts) {
    this.#broker = parts.broker;
    this.#clock = parts.broker.clock;
    this.#startedAt = this.#lastAt = this.#clock.elapsedMs();
    this.#sessions = parts.sessions;
    this.#metrics = parts.metrics;
    this.#tell('version', parts.version);
    this.publish();
    this.#timer = this.#clock.every(parts.everyMs, () => this.publish());
  }

  /** Publishes what has changed. */
  publish(): void {
    const now = this.#clock.elapsedMs();
    this.#tell('uptime', `${Math.floor((now - this.#startedAt) / 1000)} seconds`);
    this.#tellClients();
    this.#tellHeap();
    for (const [name, metrics] of Object.entries(MEASURED)) this.#tell(name, this.#sumOf(metrics));
    const minutes = (now - this.#lastAt) / 60_000;
    this.#lastAt = now;
    for (const { metric, sums, loads } of COUNTED) {
      const sum = this.#metrics.sum(metric);
      for (const name of sums) this.#tell(name, sum);
      for (const name of loads) this.#tellLoad(name, sum, minutes);
    }
  }

  close(): void {
    this.#timer.cancel();
  }

  /** Each under its name of today and the one it had in older versions of mosquitto. */
  #tellClients(): void {
    const connected = this.#broker.clientCount;
    const away = Math.max(0, this.#sessions.count - this.#sessions.connectedCount);
    this.#mostClients = Math.max(this.#mostClients, connected);
    this.#tell('clients/connected', connected);
    this.#tell('clients/active', connected);
    this.#tell('clients/disconnected', away);
    this.#tell('clients/inactive', away);
    this.#tell('clients/total', connected + away);
    this.#tell('clients/maximum', this.#mostClients);
  }

  #tellHeap(): void {
    const bytes = residentBytes();
    if (Number.isNaN(bytes)) return;
    this.#mostHeapBytes = Math.max(this.#mostHeapBytes, bytes);
    this.#tell('heap/current', bytes);
    this.#tell('heap/maximum', this.#mostHeapBytes);
  }

  /** Averages that forget exponentially, per minute. */
  #tellLoad(name: string, sum: number, minutes: number): void {
    const before = this.#sums.get(name) ?? 0;
    this.#sums.set(name, sum);
    const rates = this.#rates.get(name) ?? LOAD_MINUTES.map(() => 0);
    for (const [index, span] of LOAD_MINUTES.entries()) {
      const weight = Math.exp(-minutes / span);
      if (minutes > 0) rates[index] = rates[index]! * weight + ((sum - before) / minutes) * (1 - weight);
      this.#tell(`load/${name}/${span}min`, rates[index]!.toFixed(2));
    }
    this.#rates.set(name, rates);
  }

  #tell(name: string, value: string | number): void {
    const text = String(value);
    if (this.#told.get(name) === text) return;
    this.#told.set(name, text);
    this.#broker.publishOwn(`$SYS/broker/${name}`, text);
  }

  /** Only these are read: others take longer to look at, or look at what was since they were read before. */
  #sumOf(metrics: readonly MetricName[]): number {
    return metrics.reduce((sum, metric) => sum + this.#metrics.sum(metric), 0);
  }
}
