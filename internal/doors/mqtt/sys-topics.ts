import type { Broker } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions.ts';
import type { Metrics } from '../../metrics/metrics.ts';

export interface SysTopicsParts {
  broker: Broker;
  sessions: Sessions;
  metrics: Metrics;
  /** What `$SYS/broker/version` says. */
  version: string;
  everyMs: number;
}

/** Rates are told over these many minutes, as mosquitto does. */
const LOAD_MINUTES = [1, 5, 15] as const;

/** A counter of the metrics, and under which names `$SYS` tells its rate and its sum. */
const COUNTED: readonly { metric: string; sums: readonly string[]; load: string | undefined }[] = [
  {
    metric: 'messages_received_total',
    sums: ['publish/messages/received', 'messages/received'],
    load: 'publish/received',
  },
  {
    metric: 'messages_delivered_total',
    sums: ['publish/messages/sent', 'messages/sent'],
    load: 'publish/sent',
  },
  { metric: 'messages_dropped_total', sums: ['publish/messages/dropped'], load: 'publish/dropped' },
  {
    metric: 'message_bytes_received_total',
    sums: ['publish/bytes/received', 'bytes/received'],
    load: 'bytes/received',
  },
];

/**
 * What the broker tells about itself under `$SYS/broker`, with mosquitto's names, which monitoring programs know. A topic
 * is published when its value has changed.
 */
export class SysTopics {
  readonly #broker: Broker;
  readonly #sessions: Sessions;
  readonly #metrics: Metrics;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  readonly #told = new Map<string, string>();
  readonly #sums = new Map<string, number>();
  readonly #rates = new Map<string, number[]>();
  #lastAt = performance.now();
  #mostClients = 0;

  constructor(parts: SysTopicsParts) {
    this.#broker = parts.broker;
    this.#sessions = parts.sessions;
    this.#metrics = parts.metrics;
    this.#tell('version', parts.version);
    this.publish();
    this.#timer = setInterval(() => this.publish(), parts.everyMs).unref();
  }

  /** Publishes what has changed. */
  publish(): void {
    const now = performance.now();
    const values = this.#metrics.snapshot();
    const connected = this.#broker.clientCount;
    const away = Math.max(0, this.#sessions.count - this.#sessions.connectedCount);
    this.#mostClients = Math.max(this.#mostClients, connected);
    this.#tell('uptime', `${Math.floor((now - this.#startedAt) / 1000)} seconds`);
    this.#tell('clients/connected', connected);
    this.#tell('clients/active', connected);
    this.#tell('clients/disconnected', away);
    this.#tell('clients/inactive', away);
    this.#tell('clients/total', connected + away);
    this.#tell('clients/maximum', this.#mostClients);
    this.#tell('subscriptions/count', values.subscriptions ?? 0);
    this.#tell('retained messages/count', values.retained_messages ?? 0);
    this.#tell('store/messages/count', (values.retained_messages ?? 0) + (values.session_messages ?? 0));
    this.#tell('store/messages/bytes', values.retained_bytes ?? 0);
    this.#tell('heap/current', process.memoryUsage.rss());
    const minutes = (now - this.#lastAt) / 60_000;
    this.#lastAt = now;
    for (const { metric, sums, load } of COUNTED) {
      const sum = values[metric] ?? 0;
      for (const name of sums) this.#tell(name, sum);
      if (load !== undefined) this.#tellLoad(load, sum, minutes);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Averages that forget exponentially, per minute. */
  #tellLoad(name: string, sum: number, minutes: number): void {
    const before = this.#sums.get(name) ?? 0;
    this.#sums.set(name, sum);
    if (minutes <= 0) return;
    const rates = this.#rates.get(name) ?? LOAD_MINUTES.map(() => 0);
    for (const [index, span] of LOAD_MINUTES.entries()) {
      const weight = Math.exp(-minutes / span);
      rates[index] = rates[index]! * weight + ((sum - before) / minutes) * (1 - weight);
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
}
