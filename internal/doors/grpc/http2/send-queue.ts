import { DEFAULT_MAX_FRAME_BYTES } from '../../../protocol/http2/frame.ts';
import type { EncodedField } from '../../../protocol/http2/hpack/encoder.ts';
import { SendWindow } from '../../../protocol/http2/window.ts';

/** Called when the client's windows took bytes of a write; `isAll` with the last of them. */
export type Taken = (bytes: number, isAll: boolean) => void;

/** Makes frames of the content of a stream. */
export interface FrameSink {
  /** The bytes of DATA that the connection may send (RFC 9113, section 6.9). */
  readonly window: SendWindow;
  headers(streamId: number, fields: readonly EncodedField[], isLast: boolean): void;
  /** The header of a DATA frame; its payload follows with {@link payload}. It is cut where a window has no room for more. */
  data(streamId: number, bytes: number, isCut: boolean, isLast: boolean): void;
  payload(bytes: Uint8Array): void;
}

export const SendState = {
  /** There is more, which can be sent now. */
  more: 0,
  /** Nothing is to be sent, or the window of the stream is used up. */
  idle: 1,
  /** The window of the connection is used up. */
  starved: 2,
  /** Everything was sent. */
  done: 3,
} as const;
export type SendState = (typeof SendState)[keyof typeof SendState];

interface Write {
  left: number;
  untold: number;
  readonly taken: Taken;
}

/** The headers, bytes and trailers that a stream has to send, in this order; cut into frames as far as windows allow. */
export class SendQueue {
  readonly window: SendWindow;
  readonly #streamId: number;
  #headers: readonly EncodedField[] | undefined;
  #pieces: Uint8Array[] = [];
  #next = 0;
  #at = 0;
  #unsentBytes = 0;
  #writes: Write[] = [];
  #trailers: readonly EncodedField[] | undefined;
  #hasHeaders = false;
  #isEnding = false;
  #isDone = false;

  constructor(streamId: number, windowBytes: number) {
    this.#streamId = streamId;
    this.window = new SendWindow(windowBytes);
  }

  /** Whether the response has headers, sent or not. */
  get hasHeaders(): boolean {
    return this.#hasHeaders;
  }

  /** Whether nothing more can be added. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Bytes that wait for windows. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether {@link frameNext} has something to do. */
  get isReady(): boolean {
    if (this.#isDone) return false;
    if (this.#headers !== undefined) return true;
    return this.#unsentBytes > 0 ? this.window.bytes > 0 : this.#isEnding;
  }

  addHeaders(fields: readonly EncodedField[]): void {
    this.#headers = fields;
    this.#hasHeaders = true;
  }

  /** @param taken left out only for the last pieces: what is told counts from the first on. */
  addPieces(pieces: readonly Uint8Array[], taken?: Taken): void {
    let bytes = 0;
    for (const piece of pieces) {
      this.#pieces.push(piece);
      bytes += piece.length;
    }
    this.#unsentBytes += bytes;
    if (taken !== undefined) this.#writes.push({ left: bytes, untold: 0, taken });
  }

  /** Ends the stream behind what was added; without trailers with the last DATA, or with the headers. */
  end(trailers: readonly EncodedField[] | undefined): void {
    this.#trailers = trailers;
    this.#isEnding = true;
  }

  /** Makes the next frames: at most one of DATA, so that the other streams have their turn. */
  frameNext(sink: FrameSink): SendState {
    if (this.#headers !== undefined) {
      const isLast = this.#endsHere();
      sink.headers(this.#streamId, this.#headers, isLast);
      this.#headers = undefined;
      if (isLast) return this.#finish();
    }
    if (this.#unsentBytes > 0) {
      if (this.window.bytes <= 0) return SendState.idle;
      if (sink.window.bytes <= 0) return SendState.starved;
      if (this.#frameData(sink)) return this.#finish();
      if (this.#unsentBytes > 0) return this.window.bytes > 0 ? SendState.more : SendState.idle;
    }
    if (!this.#isEnding) return SendState.idle;
    sink.headers(this.#streamId, this.#trailers!, true);
    return this.#finish();
  }

  /** Tells whose bytes were sent; called when they have been handed on. */
  tellTaken(): void {
    for (let write = this.#writes[0]; write !== undefined; write = this.#writes[0]) {
      const { untold } = write;
      const isAll = write.left === 0;
      if (untold === 0 && !isAll) return;
      write.untold = 0;
      if (isAll) this.#writes.shift();
      write.taken(untold, isAll);
      if (!isAll) return;
    }
  }

  /** Forgets what was not sent. */
  clear(): void {
    this.#isDone = true;
    this.#isEnding = true;
    this.#headers = undefined;
    this.#pieces = [];
    this.#next = 0;
    this.#at = 0;
    this.#unsentBytes = 0;
    this.#writes = [];
  }

  /** Sends as much as one frame may have. Returns whether the stream has ended with it. */
  #frameData(sink: FrameSink): boolean {
    const wanted = Math.min(this.#unsentBytes, DEFAULT_MAX_FRAME_BYTES);
    const bytes = Math.min(wanted, this.window.bytes, sink.window.bytes);
    this.window.change(-bytes);
    sink.window.change(-bytes);
    this.#unsentBytes -= bytes;
    const isLast = this.#endsHere();
    sink.data(this.#streamId, bytes, bytes < wanted, isLast);
    this.#framePieces(sink, bytes);
    this.#noteFramed(bytes);
    return isLast;
  }

  #framePieces(sink: FrameSink, bytes: number): void {
    while (bytes > 0) {
      const piece = this.#pieces[this.#next]!;
      const end = Math.min(piece.length, this.#at + bytes);
      bytes -= end - this.#at;
      sink.payload(this.#at === 0 && end === piece.length ? piece : piece.subarray(this.#at, end));
      this.#at = end;
      if (end < piece.length) return;
      this.#next++;
      this.#at = 0;
    }
    if (this.#unsentBytes > 0) return;
    this.#pieces = [];
    this.#next = 0;
  }

  #noteFramed(bytes: number): void {
    for (const write of this.#writes) {
      const part = Math.min(bytes, write.left);
      write.left -= part;
      write.untold += part;
      bytes -= part;
      if (bytes === 0) return;
    }
  }

  #endsHere(): boolean {
    return this.#isEnding && this.#unsentBytes === 0 && this.#trailers === undefined;
  }

  #finish(): SendState {
    this.#isDone = true;
    return SendState.done;
  }
}
