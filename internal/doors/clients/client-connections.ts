import type { Access } from '../../access/access.ts';
import { BrokerError } from '../../errors.ts';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { deadlineSweepMs, shutdownQuietMs } from '../../limits/doors.ts';
import type { Connections, OpenConnection } from '../../observe/connections.ts';
import { ConnectionSet } from './connection-set.ts';
import type { Intake } from './intake.ts';
import { LostTime } from './lost-time.ts';

/** A connection of a client that introduces itself, and then publishes, subscribes and says that it is still there. */
export interface ClientConnection extends OpenConnection {
  readonly intake: Intake;
  /** Whether the client has introduced itself. */
  readonly isConnected: boolean;
  /** What the client may do; undefined until it was let in. */
  readonly access: Access | undefined;
  readonly hasSubscriptions: boolean;
  /** Whether nothing waits to be sent to this client. */
  readonly isDrained: boolean;
  /** Tells the client why, and closes. */
  refuse(reason: BrokerError): void;
  /** Tells the client to go, and still takes what it had already sent. */
  dismiss(reason: BrokerError): void;
  destroy(): void;
  cut(): void;
}

export interface ClientDeadlines<C> {
  /** How long a client may take to introduce itself. */
  connectTimeoutMs: number;
  /** How long this client may say nothing after that; 0: for ever. */
  silenceMs(connection: C): number;
}

export interface ClientConnectionsParts<C> extends ClientDeadlines<C> {
  clock: Clock;
  /** Those of all doors. */
  all: Connections;
}

/** The clients of a door: refuses those that are overdue, and parts from all of them in good order. */
export class ClientConnections<C extends ClientConnection> {
  readonly #connections = new ConnectionSet<C>();
  readonly #deadlines: ClientDeadlines<C>;
  readonly #all: Connections;
  readonly #clock: Clock;
  readonly #sweep: ClockTimer;
  readonly #lostTime: LostTime;

  constructor({ clock, all, ...deadlines }: ClientConnectionsParts<C>) {
    this.#deadlines = deadlines;
    this.#all = all;
    this.#clock = clock;
    this.#lostTime = new LostTime(clock);
    this.#sweep = clock.every(deadlineSweepMs, () => this.#refuseOverdue());
  }

  add(connection: C): void {
    this.#connections.add(connection);
    this.#all.add(connection);
  }

  delete(connection: C): void {
    this.#connections.delete(connection);
    this.#all.delete(connection);
  }

  /**
   * First those who only publish are told, and what they had already sent is still taken; then the subscribers, each
   * after the last of its messages.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#sweep.cancel();
    const deadline = performance.now() + timeoutMs;
    const reason = new BrokerError('server-shutdown');
    for (const connection of this.#connections) {
      if (!connection.hasSubscriptions) connection.dismiss(reason);
    }
    await until(() => this.#isQuiet(), performance.now() + timeoutMs / 2);
    for (const connection of this.#connections) connection.intake.discardInput();
    await until(() => this.#connections.every((connection) => connection.isDrained), deadline);
    for (const connection of this.#connections) connection.refuse(reason);
    await this.#connections.untilEmpty(deadline);
    for (const connection of this.#connections) connection.destroy();
  }

  #isQuiet(): boolean {
    const since = this.#clock.elapsedMs() - shutdownQuietMs;
    return this.#connections.every((connection) => {
      return connection.intake.lastHeardAt < since && !connection.intake.hasPostponed;
    });
  }

  /** One look at all connections, instead of a timer for each. */
  #refuseOverdue(): void {
    const now = this.#clock.elapsedMs();
    const timeOfDayMs = this.#clock.now();
    const lostMs = this.#lostTime.sinceLastSweep();
    for (const connection of this.#connections) {
      if (lostMs > 0) connection.intake.allow(lostMs);
      const expiry = connection.access?.expiry(timeOfDayMs);
      if (expiry !== undefined) connection.refuse(expiry);
      else if (connection.isConnected) this.#refuseSilent(connection, now);
      else if (connection.intake.openedAt + this.#deadlines.connectTimeoutMs <= now) {
        connection.refuse(new BrokerError('connect-timeout'));
      }
    }
  }

  #refuseSilent(connection: C, now: number): void {
    const silenceMs = this.#deadlines.silenceMs(connection);
    if (silenceMs === 0 || connection.intake.isHeldBack || connection.intake.lastHeardAt + silenceMs > now)
      return;
    connection.refuse(new BrokerError('keepalive-timeout', `nothing came for ${silenceMs / 1000} s`));
  }
}

async function until(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, shutdownQuietMs / 10));
  }
}
