import { deadlineSweepMs } from '../limits/doors.ts';
import type { Fates } from '../observe/fates.ts';
import { FirstBytes, type Protocol } from '../protocol/first-bytes.ts';
import type { Connection, ConnectionHandler } from '../transport/connection.ts';
import { LostTime } from './clients/lost-time.ts';
import type { Door } from './door.ts';
import { ForeignProtocols } from './foreign-protocol.ts';
import type { OpenAddresses } from './open-addresses.ts';

/** The parts of the front door. */
export interface FrontDoorParts {
  frames: Door;
  mqtt: Door;
  connectTimeoutMs: number;
  fates: Fates;
  /** Where else the broker listens. Default: nowhere. */
  addresses?: OpenAddresses;
}

const OWN_PROTOCOLS: ReadonlySet<Protocol> = new Set<Protocol>(['MQTT', 'tinymq frames']);
const MQTT_CONNECT = 1;
const MQTT_TYPE_SHIFT = 4;
/** First bytes of the other packets of MQTT, with the flags that each has (MQTT 5, sections 2.1.2 and 2.1.3). */
const MQTT_PACKETS: ReadonlySet<number> = new Set([
  ...[0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0],
  // PUBLISH, whose flags say something.
  ...Array.from({ length: 16 }, (_, flags) => 0x30 | flags),
]);

/** What cannot begin a frame is MQTT where it looks like that, even if it is refused there. */
function isMqtt(first: number): boolean {
  return first >>> MQTT_TYPE_SHIFT === MQTT_CONNECT || MQTT_PACKETS.has(first);
}

/**
 * Takes every new connection, waits for its first bytes and passes it on to the door that they are for. A
 * connection that stays silent goes to the door of the frames, which tells it so.
 */
export class FrontDoor {
  readonly #frames: Door;
  readonly #mqtt: Door;
  readonly #connectTimeoutMs: number;
  readonly #foreign: ForeignProtocols;
  /** Connections that have not said enough, with what they have said. */
  readonly #waiting = new Map<Connection, FirstBytes>();
  readonly #sweep: NodeJS.Timeout;
  readonly #lostTime = new LostTime();
  #isClosed = false;

  constructor({ frames, mqtt, connectTimeoutMs, fates, addresses }: FrontDoorParts) {
    this.#frames = frames;
    this.#mqtt = mqtt;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#foreign = new ForeignProtocols({ door: 'frames', fates, addresses });
    this.#sweep = setInterval(() => this.#passOnTheSilent(), deadlineSweepMs).unref();
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

  /** Closes what has said nothing yet, and whatever still comes. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const connection of this.#waiting.keys()) connection.destroy();
  }

  #take(connection: Connection, first: FirstBytes, chunk: Uint8Array): void {
    const protocol = first.push(chunk);
    if (protocol === 'undecided') return;
    this.#waiting.delete(connection);
    // Unknown bytes are refused by one of these doors, which names the fault.
    if (protocol === undefined || OWN_PROTOCOLS.has(protocol)) this.#passOn(connection, first.bytes);
    else this.#foreign.refuse(connection, protocol, first.bytes);
  }

  #passOn(connection: Connection, first: Uint8Array): void {
    const door = first.length > 0 && isMqtt(first[0]) ? this.#mqtt : this.#frames;
    door.open(connection, first);
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
    const now = performance.now();
    const lostMs = this.#lostTime.sinceLastSweep(now);
    for (const [connection, { bytes }] of this.#waiting) {
      connection.openedAt += lostMs;
      if (connection.openedAt + this.#connectTimeoutMs > now) continue;
      this.#waiting.delete(connection);
      this.#passOn(connection, bytes);
    }
  }
}
