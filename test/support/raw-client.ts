import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import {
  encodeFrame,
  type Frame,
  FrameType,
  MAX_PAYLOAD_BYTES,
} from '../../internal/protocol/frame/frame.ts';

/** How long a test waits for something that must come. */
const PATIENCE_MS = 30_000;

/** A client that knows nothing but frames, for tests that look at single ones. */
export class RawClient implements AsyncDisposable {
  readonly stream: Duplex;
  readonly clientId: string;
  /** Every byte that arrived. */
  receivedBytes = 0;
  #frames: Frame[] = [];
  #consumer: ((frame: Frame) => void) | undefined;
  #wake: (() => void) | undefined;
  #isClosed = false;
  readonly #decoder = new FrameDecoder(MAX_PAYLOAD_BYTES);

  constructor(stream: Duplex, clientId: string) {
    this.stream = stream;
    this.clientId = clientId;
    stream.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      for (const frame of this.#decoder.frames(chunk)) {
        if (this.#consumer === undefined) this.#frames.push(frame);
        else this.#consumer(frame);
      }
      this.#wake?.();
    });
    stream.on('error', () => {});
    for (const event of ['end', 'close']) {
      stream.on(event, () => {
        this.#isClosed = true;
        this.#wake?.();
      });
    }
  }

  send(type: number, topic = '', payload: string | Uint8Array = '', clientId = this.clientId): void {
    this.stream.write(encodeFrame(type, topic, payload, clientId));
  }

  /** Sends PUBLISH. */
  publish(topic: string, payload: string | Uint8Array, clientId = this.clientId): void {
    this.send(FrameType.publish, topic, payload, clientId);
  }

  async subscribe(...filters: string[]): Promise<void> {
    for (const filter of filters) {
      this.send(FrameType.subscribe, filter);
      await this.expect(FrameType.suback);
    }
  }

  async unsubscribe(filter: string): Promise<void> {
    this.send(FrameType.unsubscribe, filter);
    await this.expect(FrameType.unsuback);
  }

  /** After this everything that was sent before has been handled by the broker. */
  async ping(): Promise<void> {
    this.send(FrameType.ping);
    await this.expect(FrameType.pong);
  }

  /** The next frame, whatever it is. */
  async next(): Promise<Frame> {
    await this.#until(() => this.#frames.length > 0 || this.#isClosed, 'a frame');
    const frame = this.#frames.shift();
    if (frame === undefined) throw new Error(`${this.clientId}: the connection closed, a frame was expected`);
    return frame;
  }

  /** The next frame, which must have this type. */
  async expect(type: number): Promise<Frame> {
    const frame = await this.next();
    if (frame.type !== type) throw new Error(`${this.clientId}: expected type ${type}, got ${show(frame)}`);
    return frame;
  }

  /** The next message, as topic, text and publisher. */
  async message(): Promise<[topic: string, text: string, clientId: string]> {
    const { topic, payload, clientId } = await this.expect(FrameType.publish);
    return [topic, Buffer.from(payload).toString(), clientId];
  }

  /** So many messages as they come. */
  async messages(count: number): Promise<Frame[]> {
    await this.#until(() => this.#frames.length >= count || this.#isClosed, `${count} messages`);
    if (this.#frames.length < count) throw new Error(`only ${this.#frames.length} of ${count} messages came`);
    const taken = this.#frames.slice(0, count);
    this.#frames = this.#frames.slice(count);
    return taken;
  }

  /** From now on every frame goes to `consumer` and is not kept: for tests with more messages than memory. */
  consume(consumer: (frame: Frame) => void): void {
    this.#consumer = consumer;
  }

  /** Nothing came up to now: shown by the answer to a PING being the next frame. */
  async expectSilence(): Promise<void> {
    await this.ping();
  }

  /** The broker says why it closes, then closes. */
  async expectRefusal(): Promise<string> {
    const { payload } = await this.expect(FrameType.disconnect);
    this.stream.end();
    await this.closed();
    return Buffer.from(payload).toString();
  }

  async closed(): Promise<void> {
    await this.#until(() => this.#isClosed, 'the end of the connection');
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Frames that arrived and were not looked at. */
  get waiting(): readonly Frame[] {
    return this.#frames;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.destroy();
    await this.closed();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`${this.clientId}: ${what} did not come`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** Opens a stream of bytes to a listener, over WebSocket with this subprotocol. */
export async function openStream(
  url: string,
  tls: ConnectionOptions = {},
  subprotocol = 'tinymq',
): Promise<Duplex> {
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/s.exec(url)!;
  if (scheme === 'ws' || scheme === 'wss') {
    const webSocket = new WebSocket(url, [subprotocol], tls);
    await new Promise((resolve, reject) => {
      webSocket.once('open', resolve);
      webSocket.once('error', reject);
    });
    return createWebSocketStream(webSocket);
  }
  const port = Number(/:(\d+)$/.exec(rest)?.[1]);
  const socket =
    scheme === 'unix'
      ? connectTcp(rest)
      : scheme === 'tls'
        ? connectTls({ host: 'localhost', port, ...tls })
        : connectTcp({ host: 'localhost', port, noDelay: true });
  await new Promise((resolve, reject) => {
    socket.once(scheme === 'tls' ? 'secureConnect' : 'connect', resolve as () => void);
    socket.once('error', reject);
  });
  return socket;
}

/** A client that the broker has let in. */
export async function connectRaw(url: string, clientId: string, tls?: ConnectionOptions): Promise<RawClient> {
  const client = new RawClient(await openStream(url, tls), clientId);
  client.send(FrameType.connect);
  await client.expect(FrameType.connack);
  return client;
}

function show({ type, topic, payload, clientId }: Frame): string {
  return `type ${type}, topic '${topic.slice(0, 80)}', '${Buffer.from(payload).toString().slice(0, 200)}', ${clientId}`;
}
