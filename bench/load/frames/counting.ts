import { encodeAck } from '../../../internal/protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameBit, FrameType, frameSize } from '../../../internal/protocol/frame/frame.ts';
import type { Connection } from '../connection.ts';

/** Frames that are written at once, at most. */
const RING_MESSAGES = 8_192;
const COUNTED_PUBLISH = FrameType.publish | FrameBit.acknowledged;
const ACK = FrameType.acknowledge | FrameBit.acknowledged;
const ACK_BYTES = encodeAck(FrameBit.acknowledged, 0).length;
/** Where in an ACK its number begins. */
const NUMBER_AT = 7;

/** Publishes counted frames, a fixed number of them at once, and takes the acknowledgements. */
export class CountingPublisher {
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

  constructor(
    connection: Connection,
    { topic, payloadBytes, clientId }: { topic: string; payloadBytes: number; clientId: string },
    maxInFlight: number,
  ) {
    this.#connection = connection;
    this.#maxInFlight = maxInFlight;
    const message = encodeFrame(COUNTED_PUBLISH, topic, new Uint8Array(payloadBytes).fill(0x78), clientId);
    this.#messageBytes = message.length;
    this.#ring = Buffer.concat(Array.from({ length: RING_MESSAGES }, () => message));
    eachFrame(connection, ACK_BYTES, (bytes, start) => this.#take(bytes, start)).after = () =>
      this.onAcknowledged();
  }

  /** Sends as many messages as may be under way, and at most `count`. */
  send(count: number): void {
    const room = Math.min(this.#maxInFlight - (this.sentMessages - this.acknowledgedMessages), count);
    if (room <= 0) return;
    const together = Math.min(room, RING_MESSAGES);
    this.#connection.write(this.#ring.subarray(0, together * this.#messageBytes));
    this.sentMessages += together;
  }

  #take(bytes: Uint8Array, start: number): void {
    if (bytes[start] !== ACK) this.onProblem(`the publisher got a frame that begins with ${bytes[start]}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const upTo = Number(view.getBigUint64(start + NUMBER_AT));
    if (upTo <= this.acknowledgedMessages || upTo > this.sentMessages)
      this.onProblem(`${upTo} was acknowledged after ${this.acknowledgedMessages} of ${this.sentMessages}`);
    this.acknowledgedMessages = upTo;
  }
}

/** Takes counted frames of one topic and one publisher, counts them and acknowledges them. */
export class CountingSubscriber {
  receivedMessages = 0;
  /** Called after the messages of one read. */
  onReceived: () => void = () => {};
  /** Called where the broker says what it should not. */
  onProblem: (message: string) => void = () => {};

  constructor(
    connection: Connection,
    { topic, payloadBytes, clientId }: { topic: string; payloadBytes: number; clientId: string },
  ) {
    const frameBytes = frameSize(Buffer.byteLength(topic), payloadBytes, Buffer.byteLength(clientId));
    eachFrame(connection, frameBytes, (bytes, start) => {
      this.receivedMessages++;
      if (bytes[start] !== COUNTED_PUBLISH)
        this.onProblem(`the subscriber got a frame that begins with ${bytes[start]}`);
    }).after = () => {
      connection.write(encodeAck(FrameBit.acknowledged, this.receivedMessages));
      this.onReceived();
    };
  }
}

/** Finds frames that all have the same size, however they are cut. */
function eachFrame(
  connection: Connection,
  frameBytes: number,
  take: (bytes: Uint8Array, start: number) => void,
): { after: () => void } {
  const events = { after: () => {} };
  let rest = Buffer.alloc(0);
  connection.onBytes = (length, read) => {
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read.subarray(0, length)]);
    const limit = rest.length === 0 ? length : bytes.length;
    let at = 0;
    for (; at + frameBytes <= limit; at += frameBytes) take(bytes, at);
    rest = Buffer.from(bytes.subarray(at, limit));
    if (at > 0) events.after();
  };
  return events;
}
