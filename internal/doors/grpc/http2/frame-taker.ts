import type { Clock } from '../../../lib/clock.ts';
import {
  grpcCancelledCallsBurst,
  grpcCancelledCallsPerSecond,
  grpcHeaderBytes,
  hpackTableBytes,
  http2AheadBytes,
  http2IdleFramesBurst,
  http2IdleFramesPerSecond,
  http2StreamsPerIdleFrame,
} from '../../../limits/grpc.ts';
import {
  encodePing,
  encodeResetStream,
  encodeSettingsAck,
  encodeWindowUpdate,
  FrameFlag,
  FrameType,
  GO_AWAY_BYTES,
  PING_BYTES,
  PRIORITY_BYTES,
  RESET_BYTES,
  readUint31,
  WINDOW_UPDATE_BYTES,
} from '../../../protocol/http2/frame.ts';
import type { FrameCursor } from '../../../protocol/http2/frame-cursor.ts';
import { HpackDecoder } from '../../../protocol/http2/hpack/decoder.ts';
import { connectionError, Http2Code, Http2Error, streamError } from '../../../protocol/http2/http2-error.ts';
import { contentOf } from '../../../protocol/http2/padding.ts';
import { RequestHead, RequestTrailers } from '../../../protocol/http2/request-head.ts';
import { PeerSettings } from '../../../protocol/http2/settings.ts';
import { ReceiveWindow } from '../../../protocol/http2/window.ts';
import { Allowance } from './allowance.ts';
import type { FrameWriter } from './frame-writer.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http2Stream, StreamOwner } from './stream.ts';
import type { Streams } from './streams.ts';

/** The actions of a connection that a frame of its client may cause. */
export interface FrameOwner extends StreamOwner {
  /** Whether a stream more is refused. */
  readonly refusesStreams: boolean;
  /** The first SETTINGS came. */
  connected(): void;
  opened(stream: Http2Stream, head: RequestHead): void;
  /** The fields of a request are `listBytes`, which is too many, so that nobody knows what it asks for. */
  openedTooLarge(stream: Http2Stream, listBytes: number): void;
  pinged(): void;
  ponged(payload: Uint8Array): void;
}

export interface FrameTakerParts {
  owner: FrameOwner;
  writer: FrameWriter;
  streams: Streams;
  /** Streams that may be open at once. */
  callsPerConnection: number;
  /** The bytes that a client may send ahead on the connection. */
  windowBytes: number;
  clock: Clock;
}

/** Takes the frames of a client, one after the other, and holds them to the rules of RFC 9113. */
export class FrameTaker {
  /** A header block whose end is still to come. */
  headerBlock: HeaderBlock | undefined;
  readonly #owner: FrameOwner;
  readonly #clock: Clock;
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #callsPerConnection: number;
  readonly #peer = new PeerSettings();
  readonly #decoder = new HpackDecoder(hpackTableBytes);
  readonly #window: ReceiveWindow;
  readonly #resets = new Allowance(grpcCancelledCallsBurst, grpcCancelledCallsPerSecond);
  readonly #idleFrames = new Allowance(http2IdleFramesBurst, http2IdleFramesPerSecond);
  #isConnected = false;
  /** The bytes that are kept for paused streams, and how many of them the client may not send again yet. */
  #aheadBytes = 0;
  #unconfirmedBytes = 0;

  constructor({ owner, writer, streams, callsPerConnection, windowBytes, clock }: FrameTakerParts) {
    this.#owner = owner;
    this.#clock = clock;
    this.#writer = writer;
    this.#streams = streams;
    this.#callsPerConnection = callsPerConnection;
    this.#window = new ReceiveWindow(windowBytes);
  }

  /**
   * Takes the frame that the cursor has found.
   *
   * @throws Http2Error that ends the connection.
   */
  take(frame: FrameCursor, bytes: Uint8Array): void {
    try {
      this.#take(frame, bytes);
    } catch (error) {
      if (!(error instanceof Http2Error) || error.streamId === 0) throw error;
      this.#endStream(error);
    }
  }

  /** HEADERS or DATA were sent, for which a client may say something: so many frames that carry nothing. */
  sent(worthFrames: number): void {
    this.#idleFrames.earn(worthFrames);
  }

  /** DATA is kept for a stream that is paused. */
  kept(bytes: number): void {
    this.#aheadBytes += bytes;
    if (this.#aheadBytes > http2AheadBytes) this.#unconfirmedBytes += bytes;
  }

  released(bytes: number): void {
    this.#aheadBytes -= bytes;
    const confirmed = Math.min(bytes, this.#unconfirmedBytes);
    this.#unconfirmedBytes -= confirmed;
    this.#confirm(confirmed);
  }

  #take(frame: FrameCursor, bytes: Uint8Array): void {
    const { type } = frame;
    if (!this.#isConnected && (type !== FrameType.settings || frame.has(FrameFlag.ack))) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 3.4', 'the first frame is not SETTINGS');
    }
    if (this.headerBlock !== undefined && type !== FrameType.continuation) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.10', 'another frame inside a header block');
    }
    switch (type) {
      case FrameType.data:
        this.#takeData(frame, bytes);
        return;
      case FrameType.headers:
        this.#takeHeaders(frame, bytes);
        return;
      case FrameType.priority:
        this.#takePriority(frame, bytes);
        return;
      case FrameType.resetStream:
        this.#takeReset(frame);
        return;
      case FrameType.settings:
        this.#takeSettings(frame, bytes);
        return;
      case FrameType.pushPromise:
        throw connectionError('PROTOCOL_ERROR', 'RFC 9113 8.4', 'a PUSH_PROMISE of a client');
      case FrameType.ping:
        this.#takePing(frame, bytes);
        return;
      case FrameType.goAway:
        this.#takeGoAway(frame);
        return;
      case FrameType.windowUpdate:
        this.#takeWindowUpdate(frame, bytes);
        return;
      case FrameType.continuation:
        this.#takeContinuation(frame, bytes);
        return;
      default:
        // Frames of unknown types are passed over (RFC 9113, section 5.5).
        this.#spend(this.#idleFrames, 1);
    }
  }

  #takeData(frame: FrameCursor, bytes: Uint8Array): void {
    const { streamId, length } = frame;
    if (!this.#window.take(length)) {
      throw connectionError('FLOW_CONTROL_ERROR', 'RFC 9113 6.9', 'more DATA than the connection may send');
    }
    if (streamId === 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.1', 'DATA without a stream');
    const { start, end } = contentOf(frame, bytes);
    const isLast = frame.has(FrameFlag.endStream);
    if (start === end && !isLast) this.#spend(this.#idleFrames, 1);
    const unconfirmedBefore = this.#unconfirmedBytes;
    const stream = this.#streams.get(streamId);
    try {
      if (stream === undefined) this.#passOver(streamId, isLast, 'DATA');
      else this.#takeContent(stream, bytes, start, end, length, isLast);
    } finally {
      this.#confirm(length - (this.#unconfirmedBytes - unconfirmedBefore));
    }
  }

  #takeContent(
    stream: Http2Stream,
    bytes: Uint8Array,
    start: number,
    end: number,
    length: number,
    isLast: boolean,
  ): void {
    const { id } = stream;
    if (stream.isRemoteClosed)
      throw streamError(id, 'STREAM_CLOSED', 'RFC 9113 5.1', 'DATA behind END_STREAM');
    if (!stream.receiveWindow.take(length)) {
      throw streamError(id, 'FLOW_CONTROL_ERROR', 'RFC 9113 6.9', 'more DATA than the stream may send');
    }
    stream.countContent(end - start, isLast);
    if (length > end - start) stream.takePadding(length - (end - start));
    if (end > start) stream.take(bytes, start, end);
    if (isLast) stream.remoteClosed();
  }

  #takeHeaders(frame: FrameCursor, bytes: Uint8Array): void {
    const { streamId } = frame;
    // Client streams have odd numbers (RFC 9113, section 5.1.1).
    if (streamId % 2 === 0) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 5.1.1', `HEADERS on the stream ${streamId}`);
    }
    let { start, end } = contentOf(frame, bytes);
    if (frame.has(FrameFlag.priority)) {
      if (end - start < PRIORITY_BYTES) {
        throw connectionError('FRAME_SIZE_ERROR', 'RFC 9113 6.2', 'HEADERS without their priority');
      }
      if (readUint31(bytes, start) === streamId) throw dependsOnItself(streamId);
      start += PRIORITY_BYTES;
    }
    const isLast = frame.has(FrameFlag.endStream);
    if (frame.has(FrameFlag.endHeaders)) {
      this.#takeBlock(streamId, isLast, bytes, start, end);
      return;
    }
    this.headerBlock = new HeaderBlock(streamId, isLast, this.#clock.elapsedMs());
    this.headerBlock.add(bytes, start, end);
  }

  #takeContinuation(frame: FrameCursor, bytes: Uint8Array): void {
    const block = this.headerBlock;
    if (block === undefined || block.streamId !== frame.streamId) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.10', 'a CONTINUATION of nothing');
    }
    block.add(bytes, frame.start, frame.end);
    if (!frame.has(FrameFlag.endHeaders)) return;
    this.headerBlock = undefined;
    const whole = block.join();
    this.#takeBlock(block.streamId, block.isLastOfStream, whole, 0, whole.length);
  }

  #takeBlock(streamId: number, isLast: boolean, bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#takeTrailers(stream, isLast, bytes, start, end);
    else if (this.#streams.isIdle(streamId)) this.#open(streamId, isLast, bytes, start, end);
    else {
      // The table has to know all fields, also those that are refused (RFC 9113, section 4.3).
      this.#decoder.decode(bytes, start, end, grpcHeaderBytes, NOBODY);
      this.#passOver(streamId, isLast, 'HEADERS');
    }
  }

  #open(streamId: number, isLast: boolean, bytes: Uint8Array, start: number, end: number): void {
    const head = new RequestHead();
    const listBytes = this.#decoder.decode(bytes, start, end, grpcHeaderBytes, head);
    const stream = this.#streams.open(streamId, this.#owner, this.#peer.initialWindowBytes);
    if (this.#owner.refusesStreams || this.#streams.size > this.#callsPerConnection) {
      throw streamError(streamId, 'REFUSED_STREAM', 'RFC 9113 5.1.2', 'too many streams');
    }
    if (listBytes > grpcHeaderBytes) this.#owner.openedTooLarge(stream, listBytes);
    else {
      head.finish();
      if (head.problem !== undefined) {
        throw streamError(streamId, 'PROTOCOL_ERROR', 'RFC 9113 8.1.1', `a request with ${head.problem}`);
      }
      stream.contentLeft = head.contentLength;
      if (isLast) stream.countContent(0, true);
      this.#owner.opened(stream, head);
    }
    if (isLast) stream.remoteClosed();
  }

  #takeTrailers(stream: Http2Stream, isLast: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { id } = stream;
    const trailers = new RequestTrailers();
    this.#decoder.decode(bytes, start, end, grpcHeaderBytes, trailers);
    if (stream.isRemoteClosed)
      throw streamError(id, 'STREAM_CLOSED', 'RFC 9113 5.1', 'HEADERS behind END_STREAM');
    if (!isLast) throw streamError(id, 'PROTOCOL_ERROR', 'RFC 9113 8.1', 'trailers without END_STREAM');
    if (trailers.problem !== undefined) {
      throw streamError(id, 'PROTOCOL_ERROR', 'RFC 9113 8.1.1', `trailers with ${trailers.problem}`);
    }
    stream.countContent(0, true);
    stream.remoteClosed();
  }

  #takePriority(frame: FrameCursor, bytes: Uint8Array): void {
    const { streamId } = frame;
    if (streamId === 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.3', 'PRIORITY without a stream');
    if (frame.length !== PRIORITY_BYTES) {
      const text = `PRIORITY of ${frame.length} bytes`;
      // A stream that nobody opened cannot be ended.
      throw this.#streams.isIdle(streamId)
        ? connectionError('FRAME_SIZE_ERROR', 'RFC 9113 6.3', text)
        : streamError(streamId, 'FRAME_SIZE_ERROR', 'RFC 9113 6.3', text);
    }
    if (readUint31(bytes, frame.start) === streamId) throw dependsOnItself(streamId);
    this.#spend(this.#idleFrames, 1);
  }

  #takeReset(frame: FrameCursor): void {
    const { streamId } = frame;
    checkSize(frame, RESET_BYTES, 'RFC 9113 6.4');
    if (this.#streams.isIdle(streamId)) throw onIdle('RFC 9113 6.4', 'RST_STREAM', streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.#streams.clientEnded(streamId);
      this.#spend(this.#idleFrames, 1);
      return;
    }
    this.#spend(this.#resets, 1);
    this.#owner.streamClosed(stream);
  }

  #takeSettings(frame: FrameCursor, bytes: Uint8Array): void {
    if (frame.streamId !== 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.5', 'SETTINGS on a stream');
    if (frame.has(FrameFlag.ack)) {
      checkSize(frame, 0, 'RFC 9113 6.5');
      this.#spend(this.#idleFrames, 1);
      return;
    }
    const before = this.#peer.initialWindowBytes;
    this.#peer.take(bytes, frame.start, frame.end);
    this.#changeWindows(this.#peer.initialWindowBytes - before);
    this.#writer.limitTable(this.#peer.headerTableBytes);
    this.#writer.control(encodeSettingsAck());
    this.#spend(this.#idleFrames, 1);
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#owner.connected();
  }

  /** A new initial size changes the windows of all streams (RFC 9113, section 6.9.2). */
  #changeWindows(bytes: number): void {
    if (bytes === 0) return;
    this.#spend(this.#idleFrames, this.#streams.size / http2StreamsPerIdleFrame);
    for (const stream of this.#streams) {
      if (!stream.send.window.change(bytes)) {
        throw connectionError('FLOW_CONTROL_ERROR', 'RFC 9113 6.9.2', 'a window that is too large');
      }
      if (stream.send.isReady) this.#writer.ready(stream);
    }
  }

  #takePing(frame: FrameCursor, bytes: Uint8Array): void {
    if (frame.streamId !== 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.7', 'PING on a stream');
    checkSize(frame, PING_BYTES, 'RFC 9113 6.7');
    this.#spend(this.#idleFrames, 1);
    if (frame.has(FrameFlag.ack)) {
      this.#owner.ponged(bytes.subarray(frame.start, frame.end));
      return;
    }
    this.#writer.control(encodePing(bytes, frame.start, true));
    this.#owner.pinged();
  }

  /** A client that says it has to go still takes its answers; it opens nothing more, which needs no rule. */
  #takeGoAway(frame: FrameCursor): void {
    if (frame.streamId !== 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.8', 'GOAWAY on a stream');
    if (frame.length < GO_AWAY_BYTES) {
      throw connectionError('FRAME_SIZE_ERROR', 'RFC 9113 6.8', `GOAWAY of ${frame.length} bytes`);
    }
    this.#spend(this.#idleFrames, 1);
  }

  #takeWindowUpdate(frame: FrameCursor, bytes: Uint8Array): void {
    checkSize(frame, WINDOW_UPDATE_BYTES, 'RFC 9113 6.9');
    const { streamId } = frame;
    const increment = readUint31(bytes, frame.start);
    this.#spend(this.#idleFrames, 1);
    if (streamId === 0) {
      if (increment === 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.9', 'a WINDOW_UPDATE of 0');
      if (!this.#writer.window.change(increment)) {
        throw connectionError('FLOW_CONTROL_ERROR', 'RFC 9113 6.9.1', 'a window that is too large');
      }
      this.#writer.windowOpened();
      return;
    }
    if (this.#streams.isIdle(streamId)) throw onIdle('RFC 9113 5.1', 'WINDOW_UPDATE', streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0)
      throw streamError(streamId, 'PROTOCOL_ERROR', 'RFC 9113 6.9', 'a WINDOW_UPDATE of 0');
    if (!stream.send.window.change(increment)) {
      throw streamError(streamId, 'FLOW_CONTROL_ERROR', 'RFC 9113 6.9.1', 'a window that is too large');
    }
    if (stream.send.isReady) this.#writer.ready(stream);
  }

  /** A frame on a stream that is not open. @throws Http2Error unless its client may not know yet that we ended it. */
  #passOver(streamId: number, isLast: boolean, name: string): void {
    if (this.#streams.isIdle(streamId)) throw onIdle('RFC 9113 5.1', name, streamId);
    if (!this.#streams.isReset(streamId)) throw this.#streams.errorOfClosed(streamId);
    if (isLast) this.#streams.clientEnded(streamId);
  }

  /** A client that makes us reset its streams is as much trouble as one that resets them itself. */
  #endStream({ streamId, code }: Http2Error): void {
    this.#spend(this.#resets, 1);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) stream.reset(code);
    else this.#writer.control(encodeResetStream(streamId, code));
  }

  /** The client may send as much again. */
  #confirm(bytes: number): void {
    const increment = this.#window.consume(bytes);
    if (increment > 0) this.#writer.control(encodeWindowUpdate(0, increment));
  }

  #spend(allowance: Allowance, amount: number): void {
    if (allowance.spend(amount)) return;
    const what = allowance === this.#resets ? 'streams that are reset' : 'frames that carry nothing';
    throw new Http2Error(Http2Code.ENHANCE_YOUR_CALM, 'RFC 9113 10.5', `too many ${what}`);
  }
}

const NOBODY = { add() {} };

function checkSize(frame: FrameCursor, bytes: number, rule: string): void {
  if (frame.length !== bytes) {
    throw connectionError(
      'FRAME_SIZE_ERROR',
      rule,
      `a frame of type ${frame.type} with ${frame.length} bytes`,
    );
  }
}

function onIdle(rule: string, name: string, streamId: number): Http2Error {
  return connectionError('PROTOCOL_ERROR', rule, `${name} on the stream ${streamId}, which is not open`);
}

/** A stream error (RFC 7540, section 5.3.1), which may end the connection, as nobody means this. */
function dependsOnItself(streamId: number): Http2Error {
  return connectionError('PROTOCOL_ERROR', 'RFC 7540 5.3.1', `the stream ${streamId} depends on itself`);
}
