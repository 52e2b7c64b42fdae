import type { Logger } from '../../broker/broker.ts';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { deadlineSweepMs } from '../../limits/doors.ts';
import { kafkaIdleTimeoutMs } from '../../limits/kafka.ts';
import { Connections } from '../../observe/connections.ts';
import { Fates } from '../../observe/fates.ts';
import type { Counter, Metrics } from '../../observe/metrics.ts';
import type { Connection, HostAndPort } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ConnectionSet } from '../clients/connection-set.ts';
import { LostTime } from '../clients/lost-time.ts';
import type { Door } from '../door.ts';
import { ForeignProtocols } from '../foreign-protocol.ts';
import type { OpenAddresses } from '../open-addresses.ts';
import { KafkaConnection } from './connection.ts';
import type { KafkaParts } from './handler.ts';

export interface KafkaDoorOptions {
  /** Where it tells what became of connections. Default: a place of its own. */
  readonly fates?: Fates;
  /** The open connections of all doors. Default: of this one. */
  readonly connections?: Connections;
  /** Admission of clients. Default: every client is let in. */
  readonly admission?: Admission;
  /** The address that clients get for the broker; the one that each client dialled, unless it is set. */
  readonly advertised: HostAndPort | undefined;
  /** The time that a connection has to send its first request and, if clients must, to log in. */
  readonly connectTimeoutMs: number;
  /** The other addresses of the broker. Default: none. */
  readonly addresses?: OpenAddresses;
}

/** The door of Kafka's clients (docs/kafka.md). */
export class KafkaDoor implements Door {
  readonly name = 'kafka';
  readonly #parts: KafkaParts;
  readonly #options: KafkaDoorOptions;
  readonly #admission: Admission;
  readonly #fates: Fates;
  readonly #logger: Logger;
  readonly #foreign: ForeignProtocols;
  readonly #requests: Counter;
  readonly #all: Connections;
  readonly #connections = new ConnectionSet<KafkaConnection>();
  readonly #outside = new Set<KafkaConnection>();
  readonly #clock: Clock;
  readonly #sweep: ClockTimer;
  readonly #lostTime: LostTime;

  constructor(parts: KafkaParts, options: KafkaDoorOptions, metrics: Metrics, logger: Logger) {
    this.#parts = parts;
    this.#options = options;
    this.#all = options.connections ?? new Connections(metrics);
    this.#admission = options.admission ?? new Admission();
    this.#fates = options.fates ?? new Fates(metrics, logger);
    this.#logger = logger;
    this.#foreign = new ForeignProtocols({
      door: this.name,
      spoken: "Kafka's protocol",
      fates: this.#fates,
      addresses: options.addresses,
    });
    this.#requests = metrics.counter('kafka_requests_total');
    metrics.gauge('kafka_connections', () => this.#all.countOf(this.name));
    this.#clock = parts.logs.clock;
    this.#lostTime = new LostTime(this.#clock);
    this.#sweep = this.#clock.every(deadlineSweepMs, () => this.#closeOverdue());
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened: KafkaConnection = new KafkaConnection(connection, {
      kafka: this.#parts,
      admission: this.#admission,
      advertised: this.#options.advertised,
      requests: this.#requests,
      fates: this.#fates,
      logger: this.#logger,
      foreign: this.#foreign,
      closed: () => {
        this.#connections.delete(opened);
        this.#all.delete(opened);
        this.#outside.delete(opened);
      },
    });
    this.#connections.add(opened);
    this.#all.add(opened);
    this.#outside.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#sweep.cancel();
    for (const connection of this.#connections) connection.finish();
    await this.#connections.untilEmpty(performance.now() + timeoutMs);
    for (const connection of this.#connections) connection.destroy();
  }

  #closeOverdue(): void {
    const now = this.#clock.elapsedMs();
    const { connectTimeoutMs } = this.#options;
    const lostMs = this.#lostTime.sinceLastSweep();
    for (const connection of this.#connections) {
      connection.openedAt += lostMs;
      connection.lastHeardAt += lostMs;
    }
    for (const connection of this.#outside) {
      if (connection.isIn) this.#outside.delete(connection);
      else if (!connection.isWaiting && connection.openedAt + connectTimeoutMs <= now) {
        connection.refuse('connect-timeout', 'no request came, or no login where one is needed');
      }
    }
    for (const connection of this.#connections) {
      if (connection.lastHeardAt + kafkaIdleTimeoutMs <= now && !connection.isWaiting) connection.finish();
    }
  }
}
