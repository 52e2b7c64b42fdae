import type { Broker, Logger } from '../../broker/broker.ts';
import type { Sessions } from '../../broker/sessions.ts';
import { BrokerError } from '../../errors.ts';
import { deadlineSweepMs, mqttPacketSlackBytes, shutdownQuietMs } from '../../limits.ts';
import type { Logs } from '../../log/logs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
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
  readonly #connections = new Set<MqttConnection>();
  readonly #sweep: NodeJS.Timeout;
  #whenEmpty: (() => void) | undefined;

  constructor(broker: Broker, sessions: Sessions, settings: MqttSettings, metrics: Metrics, log: Logger) {
    this.#broker = broker;
    this.#sessions = sessions;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
    this.#sweep = setInterval(() => this.#closeOverdue(), deadlineSweepMs).unref();
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
      closed: () => {
        this.#connections.delete(opened);
        if (this.#connections.size === 0) this.#whenEmpty?.();
      },
    });
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  /**
   * First those who only publish are told, and what they had already sent is still taken; then the subscribers, each
   * after the last of its messages.
   */
  async close(timeoutMs: number): Promise<void> {
    clearInterval(this.#sweep);
    const deadline = performance.now() + timeoutMs;
    const reason = new BrokerError('server-shutdown');
    for (const connection of this.#connections) {
      if (!connection.hasSubscriptions) connection.dismiss(reason);
    }
    await this.#until(() => this.#isQuiet(), performance.now() + timeoutMs / 2);
    for (const connection of this.#connections) connection.stopReading();
    await this.#until(() => [...this.#connections].every((connection) => connection.isDrained), deadline);
    for (const connection of this.#connections) connection.refuse(reason);
    await this.#untilEmpty(deadline);
    for (const connection of this.#connections) connection.destroy();
  }

  #isQuiet(): boolean {
    const since = performance.now() - shutdownQuietMs;
    return [...this.#connections].every(
      (connection) => connection.lastHeardAt < since && !connection.hasPostponed,
    );
  }

  async #until(condition: () => boolean, deadline: number): Promise<void> {
    while (!condition() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, shutdownQuietMs / 10));
    }
  }

  async #untilEmpty(deadline: number): Promise<void> {
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One look at all connections, instead of a timer for each. */
  #closeOverdue(): void {
    const now = performance.now();
    const { connectTimeoutMs } = this.#settings;
    for (const connection of this.#connections) {
      if (!connection.isConnected) {
        if (connection.openedAt + connectTimeoutMs <= now)
          connection.refuse(new BrokerError('connect-timeout'));
        continue;
      }
      const silenceMs = connection.keepAliveMs * KEEP_ALIVE_FACTOR;
      if (silenceMs > 0 && !connection.isHeldBack && connection.lastHeardAt + silenceMs <= now) {
        connection.refuse(new BrokerError('keepalive-timeout', `nothing came for ${silenceMs / 1000} s`));
      }
    }
  }
}
