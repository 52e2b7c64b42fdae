import type { Clock } from '../../../lib/clock.ts';
import { http2StreamsPerIdleFrame } from '../../../limits/grpc.ts';
import {
  encodePing,
  encodeResetStream,
  encodeSettingsAck,
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
import { connectionError, Http2Error, streamError } from '../../../protocol/http2/http2-error.ts';
import { contentOf } from '../../../protocol/http2/padding.ts';
import { PeerSettings } from '../../../protocol/http2/settings.ts';
import { ClientBudget } from './client-budget.ts';
import { ContentFlow } from './content-flow.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { HeaderBlock } from './header-block.ts';
import { checkDependency, type HeaderOwner, HeaderTaker } from './header-taker.ts';
import type { Http2Stream } from './stream.ts';
import { onIdle, type Streams } from './streams.ts';

/** The actions of a connection that a frame of its client may cause. */
export interface FrameOwner extends HeaderOwner {
  /** The first SETTINGS came. */
  connected(): void;
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
  readonly #owner: FrameOwner;
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #peer = new PeerSettings();
  readonly #headers: HeaderTaker;
  readonly #flow: ContentFlow;
  readonly #budget = new ClientBudget();
  #isConnected = false;

  constructor({ owner, writer, streams, callsPerConnection, windowBytes, clock }: FrameTakerParts) {
    this.#owner = owner;
    this.#writer = writer;
    this.#streams = streams;
    this.#headers = new HeaderTaker({ owner, streams, peer: this.#peer, callsPerConnection, clock });
    this.#flow = new ContentFlow(windowBytes, writer);
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

  /** A header block whose end is still to come. */
  get headerBlock(): HeaderBlock | undefined {
    return this.#headers.block;
  }

  /** HEADERS or DATA were sent, for which a client may say something: so many frames that carry nothing. */
  sent(worthFrames: number): void {
    this.#budget.earn(worthFrames);
  }

  /** DATA is kept for a stream that is paused. */
  kept(bytes: number): void {
    this.#flow.kept(bytes);
  }

  released(bytes: number): void {
    this.#flow.released(bytes);
  }

  #take(frame: FrameCursor, bytes: Uint8Array): void {
    const { type } = frame;
    if (!this.#isConnected && (type !== FrameType.settings || frame.has(FrameFlag.ack))) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 3.4', 'the first frame is not SETTINGS');
    }
    if (this.#headers.block !== undefined && type !== FrameType.continuation) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.10', 'another frame inside a header block');
    }
    switch (type) {
      case FrameType.data:
        this.#takeData(frame, bytes);
        return;
      case FrameType.headers:
        this.#headers.take(frame, bytes);
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
        this.#headers.goOn(frame, bytes);
        return;
      default:
        // Frames of unknown types are passed over (RFC 9113, section 5.5).
        this.#budget.idleFrames(1);
    }
  }

  #takeData(frame: FrameCursor, bytes: Uint8Array): void {
    const { streamId, length } = frame;
    this.#flow.take(length);
    if (streamId === 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.1', 'DATA without a stream');
    const { start, end } = contentOf(frame, bytes);
    const isLast = frame.has(FrameFlag.endStream);
    if (start === end && !isLast) this.#budget.idleFrames(1);
    const unconfirmedBefore = this.#flow.unconfirmedBytes;
    const stream = this.#streams.get(streamId);
    try {
      if (stream === undefined) this.#streams.passOver(streamId, isLast, 'DATA');
      else this.#takeContent(stream, bytes, start, end, length, isLast);
    } finally {
      this.#flow.confirm(length - (this.#flow.unconfirmedBytes - unconfirmedBefore));
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
    checkDependency(streamId, bytes, frame.start);
    this.#budget.idleFrames(1);
  }

  #takeReset(frame: FrameCursor): void {
    const { streamId } = frame;
    checkSize(frame, RESET_BYTES, 'RFC 9113 6.4');
    if (this.#streams.isIdle(streamId)) throw onIdle('RFC 9113 6.4', 'RST_STREAM', streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.#streams.clientEnded(streamId);
      this.#budget.idleFrames(1);
      return;
    }
    this.#budget.reset();
    this.#owner.streamClosed(stream);
  }

  #takeSettings(frame: FrameCursor, bytes: Uint8Array): void {
    if (frame.streamId !== 0) throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.5', 'SETTINGS on a stream');
    if (frame.has(FrameFlag.ack)) {
      checkSize(frame, 0, 'RFC 9113 6.5');
      this.#budget.idleFrames(1);
      return;
    }
    const before = this.#peer.initialWindowBytes;
    this.#peer.take(bytes, frame.start, frame.end);
    this.#changeWindows(this.#peer.initialWindowBytes - before);
    this.#writer.limitTable(this.#peer.headerTableBytes);
    this.#writer.control(encodeSettingsAck());
    this.#budget.idleFrames(1);
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.#owner.connected();
  }

  /** A new initial size changes the windows of all streams (RFC 9113, section 6.9.2). */
  #changeWindows(bytes: number): void {
    if (bytes === 0) return;
    this.#budget.idleFrames(this.#streams.size / http2StreamsPerIdleFrame);
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
    this.#budget.idleFrames(1);
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
    this.#budget.idleFrames(1);
  }

  #takeWindowUpdate(frame: FrameCursor, bytes: Uint8Array): void {
    checkSize(frame, WINDOW_UPDATE_BYTES, 'RFC 9113 6.9');
    const { streamId } = frame;
    const increment = readUint31(bytes, frame.start);
    this.#budget.idleFrames(1);
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

  /** A client that makes us reset its streams is as much trouble as one that resets them itself. */
  #endStream({ streamId, code }: Http2Error): void {
    this.#budget.reset();
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) stream.reset(code);
    else this.#writer.control(encodeResetStream(streamId, code));
  }
}

function checkSize(frame: FrameCursor, bytes: number, rule: string): void {
  if (frame.length !== bytes) {
    throw connectionError(
      'FRAME_SIZE_ERROR',
      rule,
      `a frame of type ${frame.type} with ${frame.length} bytes`,
    );
  }
}
