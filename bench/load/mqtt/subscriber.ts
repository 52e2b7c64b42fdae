import type { AcknowledgedQos } from '../../workload.ts';
import type { Connection } from '../connection.ts';
import { ACK_BYTES, PacketSplitter, writeAck } from './packets.ts';

/** Takes messages of one topic, all with QoS 1 or all with QoS 2, counts them and acknowledges them. */
export class AcknowledgingSubscriber {
  receivedMessages = 0;
  /** Called after the messages of one read. */
  onReceived: () => void = () => {};
  /** Called where the broker says what it should not. */
  onProblem: (message: string) => void = () => {};
  readonly #publishByte: number;
  readonly #answerByte: number;
  readonly #idOffset: number;
  #answers = Buffer.alloc(0);
  #answersLength = 0;

  constructor(connection: Connection, topic: string, qos: AcknowledgedQos) {
    this.#publishByte = PUBLISH | (qos << 1);
    this.#answerByte = qos === 1 ? PUBACK : PUBREC;
    this.#idOffset = PACKET_HEADER_BYTES + TOPIC_LENGTH_BYTES + Buffer.byteLength(topic);
    const splitter = new PacketSplitter((bytes, start) => this.#take(bytes, start));
    connection.onBytes = (length, bytes) => {
      // No packet is shorter than an answer.
      this.#answers = Buffer.allocUnsafe(length + ACK_BYTES);
      splitter.push(length, bytes);
      if (this.#answersLength > 0) connection.write(this.#answers.subarray(0, this.#answersLength));
      this.#answersLength = 0;
      this.onReceived();
    };
  }

  #take(bytes: Uint8Array, start: number): void {
    const firstByte = bytes[start];
    if (firstByte === this.#publishByte) {
      this.receivedMessages++;
      this.#answer(this.#answerByte, bytes, start + this.#idOffset);
    } else if (firstByte === PUBREL) {
      this.#answer(PUBCOMP, bytes, start + PACKET_HEADER_BYTES);
    } else {
      this.onProblem(`the subscriber got a packet that begins with ${firstByte}`);
    }
  }

  #answer(firstByte: number, bytes: Uint8Array, idAt: number): void {
    writeAck(this.#answers, this.#answersLength, firstByte, (bytes[idAt] << 8) | bytes[idAt + 1]);
    this.#answersLength += ACK_BYTES;
  }
}

const PACKET_HEADER_BYTES = 2;
const TOPIC_LENGTH_BYTES = 2;
const PUBLISH = 0x30;
const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBREL = 0x62;
const PUBCOMP = 0x70;
