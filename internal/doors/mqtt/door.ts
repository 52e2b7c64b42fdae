import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions.ts';
import { mqttPacketSlackBytes } from '../../limits.ts';
import type { Logs } from '../../log/logs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import { ClientConnections } from '../client-connections.ts';
import type { Door } from '../door.ts';
import { MqttConnection } from './connection.ts';

export interface MqttSettings {
  maxMessageBytes: number;
  connectTimeoutMs: number;
  /** The longest keep-alive that clients of version 5 may have; 0: any. */
  keepAliveMs: number;
  /** What can be replayed, where the broker keeps anything. */
  logs?: Logs;
}

/** A client may be silent for this many times its keep-alive [MQTT-3.1.2-22]. */
const KEEP_ALIVE_FACTOR = 1.5;
/** The largest packet that the remaining length can say. */
const LARGEST_PACKET_BYTES = 268_435_460;

/** The door of MQTT 3.1, 3.1.1 and 5.0 (docs/mqtt.md). */
export class MqttDoor implements Door {
  readonly name = 'mqtt';
  readonly #broker: Broker;
  readonly #sessions: Sessions;
  readonly #settings: MqttSettings;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #connections: ClientConnections<MqttConnection>;

  constructor(broker: Broker, sessions: Sessions, settings: MqttSettings, metrics: Metrics, log: Logger) {
    this.#broker = broker;
    this.#sessions = sessions;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
    this.#connections = new ClientConnections({
      connectTimeoutMs: settings.connectTimeoutMs,
      silenceMs: (connection) => connection.keepAliveMs * KEEP_ALIVE_FACTOR,
    });
  }

  open(connection: Connection, first: Uint8Array): void {
    const { maxMessageBytes, keepAliveMs, logs } = this.#settings;
    const maxPacketBytes = Math.min(maxMessageBytes + mqttPacketSlackBytes, LARGEST_PACKET_BYTES);
    const opened: MqttConnection = new MqttConnection(connection, {
      broker: this.#broker,
      sessions: this.#sessions,
      logs,
      metrics: this.#metrics,
      log: this.#log,
      maxMessageBytes,
      offer: { maxPacketBytes, keepAliveMs },
      closed: () => this.#connections.delete(opened),
    });
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
