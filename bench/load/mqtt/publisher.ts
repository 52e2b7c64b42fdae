import { mqttPacket, mqttString } from '../../peers/mqtt.ts';
import type { AcknowledgedQos } from '../../workload.ts';
import type { Connection } from '../connection.ts';
import { ACK_BYTES, PacketSplitter, writeAck } from './packets.ts';

/** Ids that are used one after the other, long before one comes again. */
const RING_MESSAGES = 8_192;

/** Publishes prebuilt messages with QoS 1 or 2, a fixed number of them at once, and takes the acknowledgements. */
export class AcknowledgedPublisher {
  sentMessages = 0;
  acknowledgedMessages = 0;
  /** Called after the acknowledgements of one read. */
  onAcknowledged: () => void = () => {};
  /** Called where the broker says what it should not. */
  onProblem: (message: string) => void = () => {};
  readonly #connection: Connection;
  readonly #ring: Uint8Array;
  readonly #messageBytes: number;
  readonly #maxInFlight: number;
  #releases: number[] = [];

  constructor(
    connection: Connection,
    message: { topic: string; payloadBytes: number; qos: AcknowledgedQos },
    maxInFlight: number,
  ) {
    this.#connection = connection;
    this.#maxInFlight = maxInFlight;
    this.#ring = ringOf(message);
    this.#messageBytes = this.#ring.length / RING_MESSAGES;
    const splitter = new PacketSplitter((bytes, start) => this.#take(bytes, start));
    connection.onBytes = (length, bytes) => {
      splitter.push(length, bytes);
      this.#release();
      this.onAcknowledged();
    };
  }

  /** Sends as many messages as may be under way, and at most `count`. */
  send(count: number): void {
    let room = Math.min(this.#maxInFlight - (this.sentMessages - this.acknowledgedMessages), count);
    while (room > 0) {
      const first = this.sentMessages % RING_MESSAGES;
      // What lies one behind the other is one write.
      const together = Math.min(room, RING_MESSAGES - first);
      this.#connection.write(
        this.#ring.subarray(first * this.#messageBytes, (first + together) * this.#messageBytes),
      );
      this.sentMessages += together;
      room -= together;
    }
  }

  #take(bytes: Uint8Array, start: number): void {
    const packetId = (bytes[start + 2] << 8) | bytes[start + 3];
    if (bytes[start] === PUBREC) {
      this.#releases.push(packetId);
      return;
    }
    const expected = (this.acknowledgedMessages % RING_MESSAGES) + 1;
    if (bytes[start] !== PUBACK && bytes[start] !== PUBCOMP) {
      this.onProblem(`the publisher got a packet that begins with ${bytes[start]}`);
    } else if (packetId !== expected) {
      this.onProblem(`message ${packetId} was acknowledged before ${expected}`);
    }
    this.acknowledgedMessages++;
  }

  /** What was received may be released. */
  #release(): void {
    const ids = this.#releases;
    if (ids.length === 0) return;
    this.#releases = [];
    const packets = Buffer.allocUnsafe(ids.length * ACK_BYTES);
    for (let index = 0; index < ids.length; index++) {
      writeAck(packets, index * ACK_BYTES, PUBREL, ids[index]);
    }
    this.#connection.write(packets);
  }
}

/** Messages with the ids from 1 on, one behind the other. */
function ringOf({ topic, payloadBytes, qos }: { topic: string; payloadBytes: number; qos: number }): Buffer {
  const payload = new Uint8Array(payloadBytes).fill(0x78);
  return Buffer.concat(
    Array.from({ length: RING_MESSAGES }, (_, index) => {
      const packetId = index + 1;
      const id = Uint8Array.of(packetId >>> 8, packetId);
      return mqttPacket(PUBLISH | (qos << 1), mqttString(topic), id, payload);
    }),
  );
}

const PUBLISH = 0x30;
const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBREL = 0x62;
const PUBCOMP = 0x70;
