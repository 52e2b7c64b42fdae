import type { Broker, Logger } from '../../broker/broker.ts';
import { BrokerError } from '../../errors.ts';
import { deadlineSweepMs, shutdownQuietMs } from '../../limits.ts';
import type { Logs } from '../../log/logs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Connection } from '../../transport/connection.ts';
import type { Door } from '../door.ts';
import { FrameConnection } from './connection.ts';

export interface FramesSettings {
  maxMessageBytes: number;
  connectTimeoutMs: number;
  /** A client that says nothing for this long is disconnected; 0: never. */
  keepAliveMs: number;
  /** What can be replayed, where the broker keeps anything. */
  logs?: Logs;
}

/** The door of tinymq's own frames (docs/frames.md). */
export class FramesDoor implements Door {
  readonly name = 'frames';
  readonly #broker: Broker;
  readonly #settings: FramesSettings;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #connections = new Set<FrameConnection>();
  readonly #sweep: NodeJS.Timeout;
  #whenEmpty: (() => void) | undefined;

  constructor(broker: Broker, settings: FramesSettings, metrics: Metrics, log: Logger) {
    this.#broker = broker;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#log = log;
    this.#sweep = setInterval(() => this.#closeOverdue(), deadlineSweepMs).unref();
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened: FrameConnection = new FrameConnection(connection, {
      broker: this.#broker,
      logs: this.#settings.logs,
      metrics: this.#metrics,
      log: this.#log,
      maxMessageBytes: this.#settings.maxMessageBytes,
      closed: () => {
        this.#connections.delete(opened);
        if (this.#connections.size === 0) this.#whenEmpty?.();
      },
    });
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  /**
   * First those who only publish are told, and what they had already sent is still taken; then the subscribers,
   * each after the last of its messages.
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

  #closeOverdue(): void {
    const now = performance.now();
    const { connectTimeoutMs, keepAliveMs } = this.#settings;
    for (const connection of this.#connections) {
      if (!connection.isConnected) {
        if (connection.openedAt + connectTimeoutMs <= now)
          connection.refuse(new BrokerError('connect-timeout'));
      } else if (keepAliveMs > 0 && !connection.isHeldBack && connection.lastHeardAt + keepAliveMs <= now) {
        connection.refuse(new BrokerError('keepalive-timeout'));
      }
    }
  }
}
