import type { Logger } from '../broker/broker.ts';
import type { ErrorCode } from '../errors.ts';
import { deadlineSweepMs } from '../limits/doors.ts';
import type { Connection, ConnectionHandler } from '../transport/connection.ts';
import { LostTime } from './clients/lost-time.ts';
import type { Door } from './door.ts';

/** A protocol that is recognised but has no door here; its clients get a clean close, and the log says why. */
interface Stranger {
  name: string;
  recognises(first: Uint8Array): boolean;
  /** What such a client understands, where it would show that to somebody. */
  answer?: Uint8Array;
}

const HTTP_METHOD = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT) /;
const HTTP_ANSWER = 'This port speaks MQTT and tinymq frames. See docs/, or use a WebSocket listener.\n';

const STRANGERS: readonly Stranger[] = [
  // A handshake record of any version of TLS (RFC 8446, section 5.1).
  { name: 'TLS', recognises: (first) => first[0] === 0x16 && (first.length === 1 || first[1] === 3) },
  {
    name: 'HTTP',
    recognises: (first) => HTTP_METHOD.test(Buffer.from(first.subarray(0, 8)).toString('latin1')),
    answer: Buffer.from(
      'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n' +
        `Content-Length: ${HTTP_ANSWER.length}\r\n\r\n${HTTP_ANSWER}`,
    ),
  },
];

const MQTT_CONNECT = 1;
const MQTT_TYPE_SHIFT = 4;
/** First bytes of the other packets of MQTT, with the flags that each has (MQTT 5, sections 2.1.2 and 2.1.3). */
const MQTT_PACKETS: ReadonlySet<number> = new Set([
  ...[0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0],
  // PUBLISH, whose flags say something.
  ...Array.from({ length: 16 }, (_, flags) => 0x30 | flags),
]);

/** What cannot begin a frame is MQTT where it looks like that, also if it is refused there. */
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
  readonly #log: Logger;
  readonly #silent = new Set<Connection>();
  readonly #sweep: NodeJS.Timeout;
  readonly #lostTime = new LostTime();
  #isClosed = false;

  constructor(frames: Door, mqtt: Door, connectTimeoutMs: number, log: Logger) {
    this.#frames = frames;
    this.#mqtt = mqtt;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#log = log;
    this.#sweep = setInterval(() => this.#passOnTheSilent(), deadlineSweepMs).unref();
  }

  open(connection: Connection): void {
    // Its handshake had begun before the listener closed.
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    this.#silent.add(connection);
    const waiting: ConnectionHandler = {
      bytes: (first) => {
        // A WebSocket message may be empty.
        if (first.length === 0) return;
        this.#silent.delete(connection);
        this.#passOn(connection, first);
      },
      drained() {},
      ended: () => connection.end(),
      closed: () => this.#silent.delete(connection),
    };
    connection.handler = waiting;
  }

  /** Closes what has said nothing yet, and whatever still comes. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const connection of this.#silent) connection.destroy();
  }

  #passOn(connection: Connection, first: Uint8Array): void {
    const stranger = STRANGERS.find(({ recognises }) => recognises(first));
    if (stranger === undefined) {
      const door = isMqtt(first[0]!) ? this.#mqtt : this.#frames;
      door.open(connection, first);
      return;
    }
    const code: ErrorCode = 'unsupported-protocol';
    const { remote, listener } = connection;
    this.#log.warn(
      { code, remote, listener },
      `a client speaks ${stranger.name}, which this listener does not`,
    );
    connection.handler = { bytes() {}, drained() {}, ended: () => connection.end(), closed() {} };
    connection.end(stranger.answer);
  }

  #passOnTheSilent(): void {
    const now = performance.now();
    const lostMs = this.#lostTime.sinceLastSweep(now);
    for (const connection of this.#silent) {
      connection.openedAt += lostMs;
      if (connection.openedAt + this.#connectTimeoutMs > now) continue;
      this.#silent.delete(connection);
      this.#frames.open(connection, new Uint8Array(0));
    }
  }
}
