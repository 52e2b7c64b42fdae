import type { Clock, ClockTimer } from '../lib/clock.ts';
import { deadlineSweepMs } from '../limits/doors.ts';
import type { Fates } from '../observe/fates.ts';
import { FirstBytes, type Protocol } from '../protocol/first-bytes.ts';
import type { Connection, ConnectionHandler } from '../transport/connection.ts';
import { LostTime } from './clients/lost-time.ts';
import type { Door, SharedPort } from './door.ts';
import { ForeignProtocols } from './foreign-protocol.ts';
import type { OpenAddresses } from './open-addresses.ts';

/** A door behind this one, with what its clients speak. */
export interface DoorBehind {
  door: Door;
  serves: readonly Protocol[];
}

/** The parts of the front door. */
export interface FrontDoorParts {
  /** Gets every connection that no other door recognises, and those that stay silent. */
  owner: DoorBehind;
  others: readonly (DoorBehind & Pick<SharedPort, 'recognises'>)[];
  connectTimeoutMs: number;
  fates: Fates;
  clock: Clock;
  /** Where else the broker listens. Default: nowhere. */
  addresses?: OpenAddresses;
}

/**
 * Stands before doors that share a port: takes every new connection, waits for its first bytes, and passes it on to
 * the door that recognises them. A connection that stays silent goes to the owner of the port, which tells it so.
 */
export class FrontDoor implements Door {
  readonly name: string;
  readonly #owner: Door;
  readonly #others: FrontDoorParts['others'];
  readonly #served: ReadonlySet<Protocol>;
  readonly #connectTimeoutMs: number;
  readonly #foreign: ForeignProtocols;
  /** Connections that have not said enough, with what they have said. */
  readonly #waiting = new Map<Connection, FirstBytes>();
  readonly #clock: Clock;
  readonly #sweep: ClockTimer;
  readonly #lostTime: LostTime;
  #isClosed = false;

  constructor({ owner, others, connectTimeoutMs, fates, addresses, clock }: FrontDoorParts) {
    this.name = owner.door.name;
    this.#owner = owner.door;
    this.#others = others;
    this.#served = new Set([...others, owner].flatMap(({ serves }) => serves));
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#foreign = new ForeignProtocols({
      door: this.name,
      spoken: [...this.#served].join(' and '),
      fates,
      addresses,
    });
    this.#clock = clock;
    this.#lostTime = new LostTime(clock);
    this.#sweep = clock.every(deadlineSweepMs, () => this.#passOnTheSilent());
  }

  open(connection: Connection): void {
    // Its handshake had begun before the listener closed.
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    const first = new FirstBytes();
    this.#waiting.set(connection, first);
    const waiting: ConnectionHandler = {
      bytes: (chunk) => {
        // A WebSocket message may be empty.
        if (chunk.length > 0) this.#take(connection, first, chunk);
      },
      drained() {},
      ended: () => this.#takeEnd(connection, first),
      closed: () => this.#waiting.delete(connection),
    };
    connection.handler = waiting;
  }

  /** Closes what has said nothing yet, and whatever still comes; then all doors behind it, at the same time. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    this.#sweep.cancel();
    for (const connection of this.#waiting.keys()) connection.destroy();
    const doors = [this.#owner, ...this.#others.map(({ door }) => door)];
    await Promise.all(doors.map((door) => door.close(timeoutMs)));
  }

  #take(connection: Connection, first: FirstBytes, chunk: Uint8Array): void {
    const protocol = first.push(chunk);
    if (protocol === 'undecided') return;
    this.#waiting.delete(connection);
    // Unknown bytes are refused by one of these doors, which names the fault.
    if (protocol === undefined || this.#served.has(protocol)) this.#passOn(connection, first.bytes);
    else this.#foreign.refuse(connection, protocol, first.bytes);
  }

  #passOn(connection: Connection, first: Uint8Array): void {
    const other = first.length === 0 ? undefined : this.#others.find(({ recognises }) => recognises(first));
    (other?.door ?? this.#owner).open(connection, first);
  }

  #takeEnd(connection: Connection, { bytes }: FirstBytes): void {
    if (bytes.length === 0) {
      connection.end();
      return;
    }
    this.#waiting.delete(connection);
    this.#passOn(connection, bytes);
    connection.handler.ended();
  }

  #passOnTheSilent(): void {
    const now = this.#clock.elapsedMs();
    const lostMs = this.#lostTime.sinceLastSweep();
    for (const [connection, { bytes }] of this.#waiting) {
      connection.openedAt += lostMs;
      if (connection.openedAt + this.#connectTimeoutMs > now) continue;
      this.#waiting.delete(connection);
      this.#passOn(connection, bytes);
    }
  }
}
