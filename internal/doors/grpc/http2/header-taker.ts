import type { Clock } from '../../../lib/clock.ts';
import { grpcHeaderBytes, hpackTableBytes } from '../../../limits/grpc.ts';
import { FrameFlag, PRIORITY_BYTES, readUint31 } from '../../../protocol/http2/frame.ts';
import type { FrameCursor } from '../../../protocol/http2/frame-cursor.ts';
import { HpackDecoder } from '../../../protocol/http2/hpack/decoder.ts';
import { connectionError, type Http2Error, streamError } from '../../../protocol/http2/http2-error.ts';
import { contentOf } from '../../../protocol/http2/padding.ts';
import { RequestHead, RequestTrailers } from '../../../protocol/http2/request-head.ts';
import type { PeerSettings } from '../../../protocol/http2/settings.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http2Stream, StreamOwner } from './stream.ts';
import type { Streams } from './streams.ts';

/** Who is told of streams that a client opens. */
export interface HeaderOwner extends StreamOwner {
  /** Whether a stream more is refused. */
  readonly refusesStreams: boolean;
  opened(stream: Http2Stream, head: RequestHead): void;
  /** The fields of a request are `listBytes`, which is too many, so that nobody knows what it asks for. */
  openedTooLarge(stream: Http2Stream, listBytes: number): void;
}

export interface HeaderTakerParts {
  owner: HeaderOwner;
  streams: Streams;
  peer: PeerSettings;
  /** Streams that may be open at once. */
  callsPerConnection: number;
  clock: Clock;
}

/**
 * Takes the header blocks of a client, which open streams and end them. Each block is decoded, whatever becomes of it,
 * because the table of HPACK belongs to the connection (RFC 9113, section 4.3).
 */
export class HeaderTaker {
  /** A header block whose end is still to come. */
  block: HeaderBlock | undefined;
  readonly #parts: HeaderTakerParts;
  readonly #decoder = new HpackDecoder(hpackTableBytes);

  constructor(parts: HeaderTakerParts) {
    this.#parts = parts;
  }

  /** HEADERS. @throws Http2Error */
  take(frame: FrameCursor, bytes: Uint8Array): void {
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
      checkDependency(streamId, bytes, start);
      start += PRIORITY_BYTES;
    }
    const isLast = frame.has(FrameFlag.endStream);
    if (frame.has(FrameFlag.endHeaders)) {
      this.#takeBlock(streamId, isLast, bytes, start, end);
      return;
    }
    this.block = new HeaderBlock(streamId, isLast, this.#parts.clock.elapsedMs());
    this.block.add(bytes, start, end);
  }

  /** CONTINUATION. @throws Http2Error */
  goOn(frame: FrameCursor, bytes: Uint8Array): void {
    const { block } = this;
    if (block === undefined || block.streamId !== frame.streamId) {
      throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.10', 'a CONTINUATION of nothing');
    }
    block.add(bytes, frame.start, frame.end);
    if (!frame.has(FrameFlag.endHeaders)) return;
    this.block = undefined;
    const whole = block.join();
    this.#takeBlock(block.streamId, block.isLastOfStream, whole, 0, whole.length);
  }

  #takeBlock(streamId: number, isLast: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { streams } = this.#parts;
    const stream = streams.get(streamId);
    if (stream !== undefined) this.#takeTrailers(stream, isLast, bytes, start, end);
    else if (streams.isIdle(streamId)) this.#open(streamId, isLast, bytes, start, end);
    else {
      this.#decoder.decode(bytes, start, end, grpcHeaderBytes, NOBODY);
      streams.passOver(streamId, isLast, 'HEADERS');
    }
  }

  #open(streamId: number, isLast: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { streams, owner, peer, callsPerConnection } = this.#parts;
    const head = new RequestHead();
    const listBytes = this.#decoder.decode(bytes, start, end, grpcHeaderBytes, head);
    const stream = streams.open(streamId, owner, peer.initialWindowBytes);
    if (owner.refusesStreams || streams.size > callsPerConnection) {
      throw streamError(streamId, 'REFUSED_STREAM', 'RFC 9113 5.1.2', 'too many streams');
    }
    if (listBytes > grpcHeaderBytes) owner.openedTooLarge(stream, listBytes);
    else {
      head.finish();
      if (head.problem !== undefined) {
        throw streamError(streamId, 'PROTOCOL_ERROR', 'RFC 9113 8.1.1', `a request with ${head.problem}`);
      }
      stream.contentLeft = head.contentLength;
      if (isLast) stream.countContent(0, true);
      owner.opened(stream, head);
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
}

/**
 * A stream that depends on itself is a stream error (RFC 7540, section 5.3.1), which may end the connection, as nobody
 * means this.
 *
 * @throws Http2Error
 */
export function checkDependency(streamId: number, bytes: Uint8Array, start: number): void {
  if (readUint31(bytes, start) === streamId) throw dependsOnItself(streamId);
}

function dependsOnItself(streamId: number): Http2Error {
  return connectionError('PROTOCOL_ERROR', 'RFC 7540 5.3.1', `the stream ${streamId} depends on itself`);
}

const NOBODY = { add() {} };
