import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { callHeaders, Flag, frame, Setting, Type } from '../../../test/grpc/raw-http2.ts';

/** What a connection and a stream may send before either side says more. */
const DEFAULT_WINDOW_BYTES = 65_535;
const FRAME_HEADER_BYTES = 9;
const SETTING_BYTES = 6;
/** Room for two writes: one that the kernel takes while the next is waiting. */
const WRITE_HIGH_WATER_MARK_BYTES = 256 * 1024;

/** How a call went on. */
export interface FrameStreamEvents {
  /** Bytes of the response, as they come. */
  data(bytes: Buffer): void;
  ended(): void;
  /** The connection, or the stream, was broken off. */
  failed(reason: string): void;
  /** There is room for more. */
  room(): void;
}

/**
 * A connection of HTTP/2 with one call at a time, whose frames are made beforehand: the runtime's own client puts as many
 * messages into a frame as there are, which others do not.
 */
export class FrameStream {
  readonly #socket: Socket;
  readonly #events: FrameStreamEvents;
  #waiting: Buffer = Buffer.alloc(0);
  #initialWindowBytes = DEFAULT_WINDOW_BYTES;
  #connectionWindowBytes = DEFAULT_WINDOW_BYTES;
  #streamWindowBytes = 0;
  #streamId = -1;

  private constructor(socket: Socket, events: FrameStreamEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('drain', () => events.room());
    socket.on('error', (error) => events.failed(error.message));
    socket.on('close', () => events.failed('the server closed the connection'));
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(Type.settings, 0, 0, Buffer.alloc(0)));
  }

  /** @throws Error where nobody listens on the port of this machine. */
  static async open(port: number, events: FrameStreamEvents): Promise<FrameStream> {
    const options = {
      port,
      host: '127.0.0.1',
      noDelay: true,
      writableHighWaterMark: WRITE_HIGH_WATER_MARK_BYTES,
    };
    const socket = connect(options);
    await once(socket, 'connect');
    return new FrameStream(socket, events);
  }

  /** Begins the next call. Returns the number of its stream, which its frames carry. */
  begin(path: string): number {
    this.#streamId += 2;
    this.#streamWindowBytes = this.#initialWindowBytes;
    this.#socket.write(frame(Type.headers, Flag.endHeaders, this.#streamId, callHeaders(path)));
    return this.#streamId;
  }

  /** How many bytes of DATA may be sent now. */
  get roomBytes(): number {
    if (this.#socket.writableNeedDrain) return 0;
    return Math.min(this.#connectionWindowBytes, this.#streamWindowBytes);
  }

  /** Sends whole frames of DATA that carry so many bytes. */
  write(frames: Uint8Array, dataBytes: number): void {
    this.#connectionWindowBytes -= dataBytes;
    this.#streamWindowBytes -= dataBytes;
    this.#socket.write(frames);
  }

  /** Sends no more in this call. */
  end(): void {
    this.#socket.write(frame(Type.data, Flag.endStream, this.#streamId, Buffer.alloc(0)));
  }

  close(): void {
    this.#events.failed = () => {};
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const stream = bytes.readUInt32BE(at + 5);
      this.#takeFrame(bytes[at + 3], bytes[at + 4], stream, bytes.subarray(at + FRAME_HEADER_BYTES, end));
      at = end;
    }
    this.#waiting = bytes.subarray(at);
  }

  #takeFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case Type.data:
        this.#events.data(payload);
        break;
      case Type.settings:
        if ((flags & Flag.ack) === 0) this.#takeSettings(payload);
        return;
      case Type.ping:
        if ((flags & Flag.ack) === 0) this.#socket.write(frame(Type.ping, Flag.ack, 0, payload));
        return;
      case Type.windowUpdate:
        if (stream === 0) this.#connectionWindowBytes += payload.readUInt32BE();
        else if (stream === this.#streamId) this.#streamWindowBytes += payload.readUInt32BE();
        this.#events.room();
        return;
      case Type.reset:
      case Type.goaway:
        this.#events.failed(
          `the server broke it off with ${payload.readUInt32BE(payload.length >= 8 ? 4 : 0)}`,
        );
        return;
    }
    if ((type === Type.data || type === Type.headers) && (flags & Flag.endStream) !== 0) this.#events.ended();
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += SETTING_BYTES) {
      if (payload.readUInt16BE(at) !== Setting.initialWindowSize) continue;
      const windowBytes = payload.readUInt32BE(at + 2);
      this.#streamWindowBytes += windowBytes - this.#initialWindowBytes;
      this.#initialWindowBytes = windowBytes;
    }
    this.#socket.write(frame(Type.settings, Flag.ack, 0, Buffer.alloc(0)));
    this.#events.room();
  }
}
