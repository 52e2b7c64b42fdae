import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions/sessions.ts';
import { mqttPacketSlackBytes } from '../../limits/mqtt.ts';
import type { Logs } from '../../log/logs.ts';
import { Connections } from '../../observe/connections.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ClientConnections } from '../clients/client-connections.ts';
import type { Door } from '../door.ts';
import { MqttConnection, type MqttConnectionParts } from './connection.ts';

export interface MqttDoorParts {
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
  /** The longest keep-alive that clients of version 5 may have; 0: any. */
  keepAliveMs: number;
  /** The logs to replay, if the broker keeps any. */
  logs?: Logs;
}

/** A client may be silent for this many times its keep-alive [MQTT-3.1.2-22]. */
const KEEP_ALIVE_FACTOR = 1.5;
/** The largest packet that the remaining length can say. */
const LARGEST_PACKET_BYTES = 268_435_460;

/** The door of MQTT 3.1, 3.1.1 and 5.0 (docs/mqtt.md). */
export class MqttDoor implements Door {
  readonly name = 'mqtt';
  /** The same for all connections, of which there may be many. */
  readonly #parts: MqttConnectionParts;
  readonly #connections: ClientConnections<MqttConnection>;

  constructor(parts: MqttDoorParts) {
    const { broker, sessions, metrics, logger, maxMessageBytes, keepAliveMs, logs } = parts;
    const { admission = new Admission() } = parts;
    const maxPacketBytes = Math.min(maxMessageBytes + mqttPacketSlackBytes, LARGEST_PACKET_BYTES);
    const offer = { maxPacketBytes, keepAliveMs };
    const closed = (connection: MqttConnection) => this.#connections.delete(connection);
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
      offer,
      closed,
    };
    this.#connections = new ClientConnections({
      connectTimeoutMs: parts.connectTimeoutMs,
      silenceMs: (connection) => connection.keepAliveMs * KEEP_ALIVE_FACTOR,
      clock: parts.broker.clock,
      all: parts.connections ?? new Connections(parts.metrics),
    });
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened = new MqttConnection(connection, this.#parts);
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
