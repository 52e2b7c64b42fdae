import { createServer, type Server, type Socket } from 'node:net';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import {
  encodeFrame,
  type Frame,
  FrameType,
  MAX_PAYLOAD_BYTES,
} from '../../internal/protocol/frame/frame.ts';

/** A broker that does only what a test tells it to, for looking at what a client sends. */
export class FakeBroker implements AsyncDisposable {
  readonly sockets: Socket[] = [];
  /** Every frame that arrived on any connection. */
  readonly frames: Frame[] = [];
  /** Every chunk as it was read. */
  readonly chunks: Buffer[] = [];
  url = '';
  /** What to do with a frame; answers like a broker unless a test replaces it. */
  answer: (frame: Frame, socket: Socket) => void = answerLikeABroker;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      const decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        this.chunks.push(chunk);
        for (const frame of decoder.frames(chunk)) {
          this.frames.push(frame);
          this.answer(frame, socket);
        }
      });
    });
  }

  static async start(): Promise<FakeBroker> {
    const broker = new FakeBroker();
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve));
    broker.url = `tcp://127.0.0.1:${(broker.#server.address() as { port: number }).port}`;
    return broker;
  }

  /** Frames as `type topic`. */
  seen(): string[] {
    return this.frames.map(({ type, topic }) => `${type} ${topic}`.trim());
  }

  /** Sends a frame on the newest connection. */
  send(type: number, topic: string, payload: string, clientId = 'other'): void {
    this.sockets.at(-1)!.write(encodeFrame(type, topic, payload, clientId));
  }

  /** Breaks the newest connection. */
  cut(): void {
    this.sockets.at(-1)!.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Acknowledges what a broker acknowledges. */
export function answerLikeABroker({ type, topic, clientId }: Frame, socket: Socket): void {
  const answer = ANSWERS[type];
  if (answer !== undefined) socket.write(encodeFrame(answer, topic, '', clientId));
}

const ANSWERS: Record<number, number | undefined> = {
  [FrameType.connect]: FrameType.connack,
  [FrameType.subscribe]: FrameType.suback,
  [FrameType.unsubscribe]: FrameType.unsuback,
  [FrameType.ping]: FrameType.pong,
};
