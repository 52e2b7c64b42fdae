import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import type { Logs } from '../../log/logs.ts';
import { Connections } from '../../observe/connections.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ClientConnections } from '../clients/client-connections.ts';
import type { Door } from '../door.ts';
import { FrameConnection, type FrameConnectionParts } from './connection.ts';

export interface FramesDoorParts {
  broker: Broker;
  sessions: Sessions;
  metrics: Metrics;
  /** The open connections of all doors. Default: of this one. */
  connections?: Connections;
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
  /** The same for all connections, of which there may be many. */
  readonly #parts: FrameConnectionParts;
  readonly #connections: ClientConnections<FrameConnection>;

  constructor(parts: FramesDoorParts) {
    const { broker, sessions, logs, metrics, logger, maxMessageBytes, admission = new Admission() } = parts;
    const closed = (connection: FrameConnection) => this.#connections.delete(connection);
    const fates = broker.fates.logging(logger);
    this.#parts = {
      admission,
      broker,
      sessions,
      logs,
      metrics,
      fates,
      logger,
      maxMessageBytes,
      closed,
    };
    const { connectTimeoutMs, keepAliveMs } = parts;
    const { clock } = broker;
    const all = parts.connections ?? new Connections(metrics);
    this.#connections = new ClientConnections({ connectTimeoutMs, silenceMs: () => keepAliveMs, clock, all });
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened = new FrameConnection(connection, this.#parts);
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
