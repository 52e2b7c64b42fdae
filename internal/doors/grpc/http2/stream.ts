import { http2StreamWindowBytes, http2StreamWindowGrowsTo } from '../../../limits/grpc.ts';
import type { EncodedField } from '../../../protocol/http2/hpack/encoder.ts';
import { Http2Code, type Http2ErrorCode, streamError } from '../../../protocol/http2/http2-error.ts';
import { ReceiveWindow } from '../../../protocol/http2/window.ts';
import { AheadBuffer } from './ahead-buffer.ts';
import type { SendingStream } from './frame-writer.ts';
import { SendQueue, type Taken } from './send-queue.ts';

/** Takes the events of a stream. */
export interface StreamHandler {
  /** Some of what the client sends. The bytes are right until this returns. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** The client sends no more. */
  ended(): void;
  /** The stream is over: both sides have ended it, one has reset it, or the connection is gone. Nothing comes after this. */
  gone(): void;
}

/** The connection of a stream. */
export interface StreamOwner {
  /** Whether it has so many streams that none gets a larger window. */
  readonly isCrowded: boolean;
  streamReady(stream: Http2Stream): void;
  /** DATA was kept for a stream that is paused. */
  kept(bytes: number): void;
  /** Kept DATA was taken or dropped. */
  released(bytes: number): void;
  /** A stream may be sent more. */
  updateWindow(streamId: number, increment: number): void;
  /** A stream is over, without a word to the client. */
  streamClosed(stream: Http2Stream): void;
  /** A stream is over here, and the client has to be told. */
  resetStream(stream: Http2Stream, code: Http2ErrorCode): void;
}

/** Takes whatever comes, as a stream does that was answered already. */
const NOBODY: StreamHandler = { data() {}, ended() {}, gone() {} };

/** One stream of a connection: what the client sends goes to the handler, what is sent to it waits for its turn. */
export class Http2Stream implements SendingStream {
  readonly id: number;
  handler: StreamHandler = NOBODY;
  readonly send: SendQueue;
  readonly receiveWindow = new ReceiveWindow(http2StreamWindowBytes);
  /** The bytes of content that are still to come, if the client said how many. */
  contentLeft: number | undefined;
  /** Whether the client may go on with its request after the whole response, until somebody resets the stream. */
  leavesRequestOpen = false;
  readonly #owner: StreamOwner;
  #isAllSent = false;
  #isRemoteClosed = false;
  #isEndTold = false;
  #isGone = false;
  #isPaused = false;
  #ahead: AheadBuffer | undefined;

  constructor(id: number, owner: StreamOwner, sendWindowBytes: number) {
    this.id = id;
    this.#owner = owner;
    this.send = new SendQueue(id, sendWindowBytes);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether the client has said END_STREAM. */
  get isRemoteClosed(): boolean {
    return this.#isRemoteClosed;
  }

  /** Hands on nothing until {@link resume}; the client may send as much as its window is. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // The caller of resume may be in the middle of something.
    if (this.#ahead !== undefined || this.#isRemoteClosed) queueMicrotask(() => this.#goOn());
  }

  /** Sends the headers of the response. */
  respond(fields: readonly EncodedField[]): void {
    if (this.#isGone) return;
    this.send.addHeaders(fields);
    this.#owner.streamReady(this);
  }

  /**
   * Sends bytes behind what was sent.
   *
   * @param taken may be left out for what is short and last.
   */
  write(pieces: readonly Uint8Array[], taken?: Taken): void {
    if (this.#isGone) return;
    this.send.addPieces(pieces, taken);
    this.#owner.streamReady(this);
  }

  /** Ends the response, with trailers if there are any. */
  end(trailers?: readonly EncodedField[]): void {
    if (this.#isGone) return;
    this.send.end(trailers);
    this.#owner.streamReady(this);
  }

  /** Ends the stream at once, in both directions. */
  reset(code: Http2ErrorCode): void {
    if (!this.#isGone) this.#owner.resetStream(this, code);
  }

  /**
   * Called by the connection: so much content comes, and perhaps nothing behind it.
   *
   * @throws Http2Error where that is not what the request says (RFC 9113, section 8.1.1).
   */
  countContent(bytes: number, isLast: boolean): void {
    if (this.contentLeft === undefined) return;
    this.contentLeft -= bytes;
    if (this.contentLeft < 0 || (isLast && this.contentLeft > 0)) {
      throw streamError(
        this.id,
        'PROTOCOL_ERROR',
        'RFC 9113 8.1.1',
        'content that is not as long as it says',
      );
    }
  }

  /** Called by the connection: content of a DATA frame. */
  take(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isPaused || this.#ahead !== undefined) {
      this.#ahead ??= new AheadBuffer();
      this.#ahead.append(bytes, start, end);
      this.#owner.kept(end - start);
      return;
    }
    this.handler.data(bytes, start, end);
    this.#consumed(end - start);
  }

  /** Called by the connection: bytes of frames that are no content. */
  takePadding(bytes: number): void {
    this.#consumed(bytes);
  }

  /** Called by the connection: END_STREAM. */
  remoteClosed(): void {
    this.#isRemoteClosed = true;
    this.#tellEnd();
  }

  /** Called by the writer: END_STREAM was sent. */
  sentAll(): void {
    if (this.#isGone) return;
    this.#isAllSent = true;
    if (this.#isRemoteClosed) this.#owner.streamClosed(this);
    // A server that needs no more of the request says so, behind its whole response (RFC 9113, section 8.1).
    else if (!this.leavesRequestOpen) this.#owner.resetStream(this, Http2Code.NO_ERROR);
  }

  /** Called by the connection: the stream is no more. */
  finish(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.send.clear();
    if (this.#ahead !== undefined) this.#owner.released(this.#ahead.bytes);
    this.#ahead = undefined;
    const { handler } = this;
    this.handler = NOBODY;
    handler.gone();
  }

  #goOn(): void {
    const ahead = this.#ahead;
    while (ahead !== undefined && !this.#isPaused && !this.#isGone && ahead.bytes > 0) {
      const bytes = ahead.next();
      this.#owner.released(bytes.length);
      this.handler.data(bytes, 0, bytes.length);
      this.#consumed(bytes.length);
    }
    if (this.#isPaused || this.#isGone) return;
    this.#ahead = undefined;
    this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#isRemoteClosed || this.#isEndTold || this.#isPaused || this.#ahead !== undefined) return;
    this.#isEndTold = true;
    this.handler.ended();
    if (this.#isAllSent && !this.#isGone) this.#owner.streamClosed(this);
  }

  /** A client that sends much gets a larger window, so that a long line does not slow it down. */
  #consumed(bytes: number): void {
    if (this.#isRemoteClosed || this.#isGone) return;
    let increment = this.receiveWindow.consume(bytes);
    if (increment === 0) return;
    const { targetBytes } = this.receiveWindow;
    if (targetBytes < http2StreamWindowGrowsTo && !this.#owner.isCrowded) {
      increment += this.receiveWindow.growTo(Math.min(2 * targetBytes, http2StreamWindowGrowsTo));
    }
    this.#owner.updateWindow(this.id, increment);
  }
}
