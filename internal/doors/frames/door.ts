import type { Broker, Logger } from '../../broker/broker.ts';
import type { Logs } from '../../log/logs.ts';
import { Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ClientConnections } from '../clients/client-connections.ts';
import type { Door } from '../door.ts';
import { FrameConnection } from './connection.ts';

export interface FramesDoorParts {
  broker: Broker;
  metrics: Metrics;
  logger: Logger;
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
  readonly #parts: FramesDoorParts;
  readonly #fates: Fates;
  readonly #connections: ClientConnections<FrameConnection>;

  constructor(parts: FramesDoorParts) {
    this.#admission = parts.admission ?? new Admission();
    this.#parts = parts;
    this.#fates = new Fates(parts.metrics, parts.logger);
    this.#connections = new ClientConnections(
      {
        connectTimeoutMs: parts.connectTimeoutMs,
        silenceMs: () => parts.keepAliveMs,
      },
      parts.broker.clock,
    );
  }

  open(connection: Connection, first: Uint8Array): void {
    const { broker, logs, metrics, logger, maxMessageBytes } = this.#parts;
    const opened: FrameConnection = new FrameConnection(connection, {
      admission: this.#admission,
      broker,
      logs,
      metrics,
      fates: this.#fates,
      logger,
      maxMessageBytes,
      closed: () => this.#connections.delete(opened),
    });
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
