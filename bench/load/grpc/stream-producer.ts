import { ENVELOPE_BYTES } from '../../../internal/protocol/grpc/envelope.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { ProduceRequest, SuhaibMessageQueue } from '../../../internal/protocol/smq/smq.ts';
import { frame, Type } from '../../../test/grpc/raw-http2.ts';
import type { GrpcStreamProduceCase } from '../../grpc-cases.ts';
import { FrameStream } from './frame-stream.ts';

/** A full frame has at most 16 KiB; a round number of messages of 100 B comes close. */
const MESSAGES_OF_A_FULL_FRAME = 100;
const BLOCK_MESSAGES = 1_000;
/** Nothing was taken for so long: it will not be any more. */
const STALLED_AFTER_MS = 20_000;

type Shape = Pick<GrpcStreamProduceCase, 'messageBytes' | 'frames'> & { topic: string };

/** Calls StreamProduce with prebuilt messages. */
export class StreamProducer {
  readonly #stream: FrameStream;
  readonly #block: Buffer;
  readonly #frameBytes: number;
  readonly #dataBytes: number;
  readonly #messagesPerFrame: number;
  /** The next frame of the block. */
  #next = 0;
  /** How many messages may still be sent in this call. */
  #toSend = 0;
  #sentMessages = 0;
  #isSending = false;
  #responseBytes = 0;
  #ended: { resolve: (responseBytes: number) => void; reject: (error: Error) => void } | undefined;
  #problem: Error | undefined;

  private constructor(stream: FrameStream, { topic, messageBytes, frames }: Shape) {
    this.#stream = stream;
    this.#messagesPerFrame = frames === 'each' ? 1 : MESSAGES_OF_A_FULL_FRAME;
    const message = encodeEnveloped(ProduceRequest, {
      topic,
      message: new Uint8Array(messageBytes).fill(0x78),
    });
    const data = Buffer.concat(Array.from({ length: this.#messagesPerFrame }, () => message));
    const one = frame(Type.data, 0, 0, data);
    this.#dataBytes = data.length;
    this.#frameBytes = one.length;
    this.#block = Buffer.concat(Array.from({ length: BLOCK_MESSAGES / this.#messagesPerFrame }, () => one));
  }

  /** @throws Error where nobody listens on the port of this machine. */
  static async open(port: number, shape: Shape): Promise<StreamProducer> {
    let producer: StreamProducer | undefined;
    const stream = await FrameStream.open(port, {
      data: (bytes) => producer?.received(bytes),
      ended: () => producer?.ended(),
      failed: (reason) => producer?.failed(reason),
      room: () => producer?.pump(),
    });
    producer = new StreamProducer(stream, shape);
    return producer;
  }

  /** Messages that were sent in this call. */
  get sentMessages(): number {
    return this.#sentMessages;
  }

  /** Begins a call, which sends as fast as the server takes it, and at most so many messages. */
  start(messages = Number.POSITIVE_INFINITY): void {
    const streamId = this.#stream.begin(`/${SuhaibMessageQueue.name}/StreamProduce`);
    for (let at = 0; at < this.#block.length; at += this.#frameBytes) {
      this.#block.writeUInt32BE(streamId, at + STREAM_ID_OFFSET);
    }
    this.#sentMessages = 0;
    this.#toSend = messages;
    this.#isSending = true;
    this.#responseBytes = 0;
    this.pump();
  }

  /**
   * Sends no more in this call, and waits for its answer.
   *
   * @throws Error where the call failed.
   */
  async end(): Promise<void> {
    this.#isSending = false;
    if (this.#problem !== undefined) throw this.#problem;
    const answered = new Promise<number>((resolve, reject) => {
      this.#ended = { resolve, reject };
    });
    this.#stream.end();
    const timer = setTimeout(() => this.failed('StreamProduce is not answered'), STALLED_AFTER_MS);
    try {
      // The status stands in headers that are not read here; but what failed has no response.
      if ((await answered) < ENVELOPE_BYTES) throw new Error('StreamProduce failed');
    } finally {
      clearTimeout(timer);
    }
  }

  /** One call with so many messages. @throws Error where it fails. */
  async produce(messages: number): Promise<void> {
    this.start(messages);
    while (this.#toSend > 0 && this.#problem === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.end();
  }

  close(): void {
    this.#stream.close();
  }

  /** Called by the stream. */
  received(bytes: Buffer): void {
    this.#responseBytes += bytes.length;
  }

  /** Called by the stream. */
  ended(): void {
    if (this.#isSending) this.failed('the call ended early');
    else this.#ended?.resolve(this.#responseBytes);
  }

  /** Called by the stream. */
  failed(reason: string): void {
    this.#problem ??= new Error(reason);
    this.#isSending = false;
    this.#ended?.reject(this.#problem);
  }

  /** Called by the stream. */
  pump(): void {
    const frames = this.#block.length / this.#frameBytes;
    while (this.#isSending && this.#toSend > 0) {
      const count = Math.min(
        Math.floor(this.#stream.roomBytes / this.#dataBytes),
        Math.ceil(this.#toSend / this.#messagesPerFrame),
        frames - this.#next,
      );
      if (count === 0) return;
      const at = this.#next * this.#frameBytes;
      this.#stream.write(this.#block.subarray(at, at + count * this.#frameBytes), count * this.#dataBytes);
      this.#next = (this.#next + count) % frames;
      this.#sentMessages += count * this.#messagesPerFrame;
      this.#toSend -= count * this.#messagesPerFrame;
    }
  }
}

/** Where in a frame the number of its stream stands. */
const STREAM_ID_OFFSET = 5;
