import {
  hpackTableBytes,
  http2BytesPerIdleFrame,
  http2IdleFramesPerFrame,
  http2WriteBytes,
} from '../../../limits/grpc.ts';
import {
  DEFAULT_WINDOW_BYTES,
  FRAME_HEADER_BYTES,
  FrameFlag,
  FrameType,
  writeFrameHeader,
} from '../../../protocol/http2/frame.ts';
import { type EncodedField, HpackEncoder } from '../../../protocol/http2/hpack/encoder.ts';
import { SendWindow } from '../../../protocol/http2/window.ts';
import type { Connection } from '../../../transport/connection.ts';
import { OutBuffer } from './out-buffer.ts';
import { type FrameSink, type SendQueue, SendState } from './send-queue.ts';

/** A stream as far as it sends. */
export interface SendingStream {
  readonly send: SendQueue;
  /** Everything was framed, with END_STREAM. */
  sentAll(): void;
}

/**
 * Writes the frames of a connection. They are gathered for a turn and written once; streams take turns with their DATA. While
 * the socket takes nothing, what streams have to send stays theirs, and only what answers the client gathers here.
 */
export class FrameWriter implements FrameSink {
  readonly window = new SendWindow(DEFAULT_WINDOW_BYTES);
  /** When the socket last began to take nothing, by the connection's clock; undefined while it takes what comes. */
  blockedSince: number | undefined;
  readonly #connection: Connection;
  /** Called when HEADERS or DATA are sent, with what that is worth in frames of the client that carry nothing. */
  readonly #onSent: (worthFrames: number) => void;
  readonly #encoder = new HpackEncoder(hpackTableBytes);
  readonly #out = new OutBuffer();
  readonly #ready = new Set<SendingStream>();
  readonly #starved = new Set<SendingStream>();
  #sending: SendingStream[] = [];
  #isScheduled = false;
  #isEnded = false;

  constructor(connection: Connection, onSent: (worthFrames: number) => void) {
    this.#connection = connection;
    this.#onSent = onSent;
  }

  /** Bytes that wait for the socket, beside those that streams have. */
  get waitingBytes(): number {
    return this.blockedSince === undefined ? 0 : this.#out.bytes;
  }

  /** The client allows a dynamic table of this size (RFC 7541, section 4.2). */
  limitTable(bytes: number): void {
    this.#encoder.limitTable(bytes);
  }

  /** Sends a frame that belongs to no stream, or ends one. */
  control(frame: Uint8Array): void {
    if (this.#isEnded) return;
    this.#out.append(frame);
    this.#schedule();
  }

  /** A stream has something to send. */
  ready(stream: SendingStream): void {
    if (this.#isEnded || this.#starved.has(stream)) return;
    this.#ready.add(stream);
    this.#schedule();
  }

  /** A stream sends nothing more. */
  forget(stream: SendingStream): void {
    this.#ready.delete(stream);
    this.#starved.delete(stream);
  }

  /** The window of the connection has become larger. */
  windowOpened(): void {
    if (this.window.bytes <= 0) return;
    for (const stream of this.#starved) this.#ready.add(stream);
    this.#starved.clear();
    this.#schedule();
  }

  /** The socket takes more. */
  drained(): void {
    this.blockedSince = undefined;
    this.#tellTaken();
    this.flush();
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isEnded || this.blockedSince !== undefined) return;
    this.#frameStreams();
    if (this.#out.bytes === 0) return;
    if (!this.#connection.write(this.#out.take())) {
      // Bytes that the socket has not taken still count as the streams'.
      this.blockedSince = this.#connection.clock.elapsedMs();
      return;
    }
    this.#tellTaken();
    if (this.#ready.size > 0) this.#schedule();
  }

  /** Writes what was gathered, whether the socket likes it or not, and nothing after it. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#ready.clear();
    this.#starved.clear();
    if (this.#out.bytes > 0) this.#connection.write(this.#out.take());
  }

  /** As the sink of a stream. A block is far shorter than the shortest limit of frames, whatever a status says. */
  headers(streamId: number, fields: readonly EncodedField[], isLast: boolean): void {
    const out = this.#out;
    const slab = out.reserve(FRAME_HEADER_BYTES + this.#encoder.sizeBound(fields));
    const start = out.at + FRAME_HEADER_BYTES;
    const end = this.#encoder.encode(fields, slab, start);
    const flags = FrameFlag.endHeaders | (isLast ? FrameFlag.endStream : 0);
    writeFrameHeader(slab, out.at, end - start, FrameType.headers, flags, streamId);
    out.advanceTo(end);
    this.#onSent(http2IdleFramesPerFrame);
  }

  data(streamId: number, bytes: number, isCut: boolean, isLast: boolean): void {
    const out = this.#out;
    const slab = out.reserve(FRAME_HEADER_BYTES);
    const flags = isLast ? FrameFlag.endStream : 0;
    out.advanceTo(writeFrameHeader(slab, out.at, bytes, FrameType.data, flags, streamId));
    // A client that opens windows by one byte at a time gets many frames, and earns nothing by them.
    this.#onSent((isCut ? 0 : http2IdleFramesPerFrame) + bytes / http2BytesPerIdleFrame);
  }

  payload(bytes: Uint8Array): void {
    this.#out.append(bytes);
  }

  #frameStreams(): void {
    for (const stream of this.#ready) {
      if (this.#out.bytes >= http2WriteBytes) return;
      this.#ready.delete(stream);
      const state = stream.send.frameNext(this);
      this.#sending.push(stream);
      if (state === SendState.more) this.#ready.add(stream);
      else if (state === SendState.starved) this.#starved.add(stream);
      else if (state === SendState.done) stream.sentAll();
    }
  }

  #tellTaken(): void {
    const sending = this.#sending;
    this.#sending = [];
    for (const { send } of sending) send.tellTaken();
  }

  #schedule(): void {
    if (this.#isScheduled || this.blockedSince !== undefined) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.flush());
  }
}
