import type { BrokerError } from '../errors.ts';
import { lookedAtOnce } from '../limits/observe.ts';
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
  /** Messages that the client published or produced. */
  readonly received: number;
  /** Messages that it got. */
  readonly sent: number;
  /** Requests of Kafka and HTTP, calls of gRPC; none of the others. */
  readonly requests: number;
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
  /** Closes at once and without a word, as a connection that breaks off. */
  cut?(): void;
  /** The rules have changed: ends what is no longer allowed. Without it the broker does that for its clients. */
  recheckAccess?(): void;
  /** Limits have changed, or are the first ones: they hold for this connection too. */
  holdToLimits?(): void;
  /** Who is at its other end, as far as that is known. */
  readonly identity?: ConnectionIdentity | undefined;
  /** The filters that stand for it; nothing where its protocol has none. */
  standingFilters?(): Iterable<string>;
}

/** What an authenticator found out, as far as it is shown. */
export interface ConnectionIdentity extends Pick<ConnectionFacts, 'listener' | 'remote' | 'clientId'> {
  readonly door: string;
  readonly user: string | undefined;
  readonly groups: readonly string[];
  readonly certificateName: string | undefined;
  readonly expiresAtMs: number | undefined;
}

/** What connections of a door did, open ones and those that are gone. */
export type DoorTotals = {
  -readonly [Name in 'received' | 'sent' | 'requests' | 'receivedBytes' | 'sentBytes']: ConnectionFacts[Name];
};

interface OpenDoor {
  readonly connections: Map<OpenConnection, number>;
  /** Of connections that are gone. */
  readonly before: DoorTotals;
  /** What all of them did, when somebody looked. */
  measured?: DoorTotals;
}

const NO_TRAFFIC: Readonly<DoorTotals> = {
  received: 0,
  sent: 0,
  requests: 0,
  receivedBytes: 0,
  sentBytes: 0,
};
const TRAFFIC = [
  ['door_messages_received_total', 'received'],
  ['door_messages_sent_total', 'sent'],
  ['door_requests_total', 'requests'],
  ['door_bytes_received_total', 'receivedBytes'],
  ['door_bytes_sent_total', 'sentBytes'],
] as const;

/** Every open connection of every door. Doors add and remove theirs; whoever lists, ends or counts connections asks here. */
export class Connections implements Iterable<OpenConnection> {
  readonly #metrics: Metrics;
  readonly #doors = new Map<string, OpenDoor>();
  readonly #byId = new Map<number, OpenConnection>();
  #lastId = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Says that a door is there, which has no connections yet. */
  addDoor(door: string): void {
    if (this.#doors.has(door)) return;
    const connections = new Map<OpenConnection, number>();
    this.#doors.set(door, { connections, before: { ...NO_TRAFFIC } });
    this.#metrics.gauge('connections', () => connections.size, { door });
    for (const [name, field] of TRAFFIC)
      this.#metrics.countedElsewhere(name, () => this.trafficOf(door)[field], { door });
  }

  /** Takes a connection up, under a number that no other one of this broker ever has. */
  add(connection: OpenConnection): void {
    this.addDoor(connection.door);
    this.#lastId++;
    this.#doors.get(connection.door)!.connections.set(connection, this.#lastId);
    this.#byId.set(this.#lastId, connection);
  }

  /** Called when the connection is closed, as often as one likes. */
  delete(connection: OpenConnection): void {
    const door = this.#doors.get(connection.door);
    const id = door?.connections.get(connection);
    if (door === undefined || id === undefined) return;
    door.connections.delete(connection);
    this.#byId.delete(id);
    addFacts(door.before, connection.facts());
  }

  /** The names of the doors that are there. */
  get doors(): Iterable<string> {
    return this.#doors.keys();
  }

  get(id: number): OpenConnection | undefined {
    return this.#byId.get(id);
  }

  /** All connections with their numbers, the oldest first. */
  entries(): Iterable<[id: number, connection: OpenConnection]> {
    return this.#byId.entries();
  }

  ofDoor(door: string): Iterable<OpenConnection> {
    return this.#doors.get(door)?.connections.keys() ?? [];
  }

  countOf(door: string): number {
    return this.#doors.get(door)?.connections.size ?? 0;
  }

  /**
   * What went through a door since the start. Where it has very many connections they are not looked at in one go: it is as
   * {@link measured} said last.
   */
  trafficOf(door: string): Readonly<DoorTotals> {
    const open = this.#doors.get(door);
    if (open === undefined) return NO_TRAFFIC;
    if (open.connections.size > lookedAtOnce) return open.measured ?? open.before;
    const totals = { ...open.before };
    for (const connection of open.connections.keys()) addFacts(totals, connection.facts());
    return totals;
  }

  /** Somebody has looked at all connections of a door. */
  measured(door: string, totals: DoorTotals): void {
    const open = this.#doors.get(door);
    if (open !== undefined) open.measured = totals;
  }

  /** What connections of a door did that are gone. */
  totalsBefore(door: string): Readonly<DoorTotals> {
    return this.#doors.get(door)?.before ?? NO_TRAFFIC;
  }

  [Symbol.iterator](): Iterator<OpenConnection> {
    return this.#byId.values();
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

export function addFacts(totals: DoorTotals, facts: ConnectionFacts): void {
  totals.received += facts.received;
  totals.sent += facts.sent;
  totals.requests += facts.requests;
  totals.receivedBytes += facts.receivedBytes;
  totals.sentBytes += facts.sentBytes;
}
