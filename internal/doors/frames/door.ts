import type { Broker, Logger } from '../../broker/broker.ts';
import type { Logs } from '../../log/logs.ts';
import { Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ClientConnections } from '../clients/client-connections.ts';
import type { Door } from '../door.ts';
import { FrameConnection } from './connection.ts';

export interface FramesSettings {
  /** Admission of clients. Default: every client is let in. */
  admission?: Admission;
  maxMessageBytes: number;
  connectTimeoutMs: number;
  /** A client that says nothing for this long is disconnected; 0: never. */
  keepAliveMs: number;
  /** The logs to replay, if the broker keeps any. */
  logs?: Logs;
}

/** The door of tinymq's own frames (docs/frames.md). */
export class FramesDoor implements Door {
  readonly name = 'frames';
  readonly #admission: Admission;
  readonly #broker: Broker;
  readonly #settings: FramesSettings;
  readonly #metrics: Metrics;
  readonly #fates: Fates;
  readonly #log: Logger;
  readonly #connections: ClientConnections<FrameConnection>;

  constructor(broker: Broker, settings: FramesSettings, metrics: Metrics, log: Logger) {
    this.#admission = settings.admission ?? new Admission();
    this.#broker = broker;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#fates = new Fates(metrics, log);
    this.#log = log;
    this.#connections = new ClientConnections({
      connectTimeoutMs: settings.connectTimeoutMs,
      silenceMs: () => settings.keepAliveMs,
    });
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened: FrameConnection = new FrameConnection(connection, {
      admission: this.#admission,
      broker: this.#broker,
      logs: this.#settings.logs,
      metrics: this.#metrics,
      fates: this.#fates,
      log: this.#log,
      maxMessageBytes: this.#settings.maxMessageBytes,
      closed: () => this.#connections.delete(opened),
    });
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
