import type { BrokerError } from '../errors.ts';
import type { Metrics } from './metrics.ts';

/** What is known of an open connection, at the moment in which somebody asks. */
export interface ConnectionFacts {
  /** The URL of the listener that accepted it. */
  readonly listener: string;
  readonly remote: string;
  /** When it was accepted, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Undefined where the client is anonymous, or was not let in yet. */
  readonly user: string | undefined;
  /** What the client calls itself; empty where it has not said it, or its protocol has no such name. */
  readonly clientId: string;
  /** Bytes on the wire, below TLS not counted. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Messages of a live client, requests of Kafka's, calls of gRPC. */
  readonly received: number;
  /** Messages that a live client got; answers of the others. */
  readonly sent: number;
  /** What of that waits because the client takes no more: messages, requests or calls. */
  readonly waiting: number;
}

/** An open connection of any door, as whoever looks after the broker sees it. */
export interface OpenConnection {
  /** The name of its door. */
  readonly door: string;
  /** Put together when somebody asks: a connection that nobody looks at costs nothing. */
  facts(): ConnectionFacts;
  /** Tells the client why, as far as its protocol has words for it, and closes. */
  end(reason: BrokerError): void;
  /** The rules have changed: ends what is no longer allowed. Without it the broker does that for its clients. */
  recheckAccess?(): void;
  /** Limits have changed, or are the first ones: they hold for this connection too. */
  holdToLimits?(): void;
}

/** Every open connection of every door. Doors add and remove theirs; whoever lists, ends or counts connections asks here. */
export class Connections implements Iterable<OpenConnection> {
  readonly #metrics: Metrics;
  readonly #byDoor = new Map<string, Set<OpenConnection>>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Says that a door is there, which has no connections yet. */
  addDoor(door: string): void {
    if (this.#byDoor.has(door)) return;
    const connections = new Set<OpenConnection>();
    this.#byDoor.set(door, connections);
    this.#metrics.gauge('connections', () => connections.size, { door });
  }

  add(connection: OpenConnection): void {
    this.addDoor(connection.door);
    this.#byDoor.get(connection.door)!.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#byDoor.get(connection.door)?.delete(connection);
  }

  countOf(door: string): number {
    return this.#byDoor.get(door)?.size ?? 0;
  }

  *[Symbol.iterator](): Iterator<OpenConnection> {
    for (const connections of this.#byDoor.values()) yield* connections;
  }

  /** Limits have changed. */
  holdToLimits(): void {
    for (const connection of this) connection.holdToLimits?.();
  }

  /** The rules have changed. */
  recheckAccess(): void {
    for (const connection of [...this]) connection.recheckAccess?.();
  }
}
