import { constants, type ServerHttp2Stream } from 'node:http2';
import { grpcSmallUnsentBytes, grpcWriteBytes } from '../../limits.ts';
import { MessageReader } from '../../protocol/grpc/envelope.ts';
import { encodeStatusMessage, GrpcError, Status, type StatusCode } from '../../protocol/grpc/status.ts';
import type { CallSession } from './context.ts';
import type { Expiring } from './deadlines.ts';
import { grpcErrorOf, isUnexpected } from './errors.ts';
import { ENCODINGS, type ExpandedCall, Expander } from './expander.ts';
import type { Sender } from './unsent.ts';

/** What a method does with one call. Whatever it throws ends the call. */
export interface CallHandler {
  /** A request message. The bytes are right until this returns. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** The client will send no more messages. */
  halfClosed(): void;
  /** The call is over: it was answered, it failed, or the client is gone. Comes once, and nothing after it. */
  over(): void;
  /** The door closes and waits a while for calls to end. */
  closing(): void;
}

export type OpenCall = (call: Call) => CallHandler;

const callOf = Symbol('call of this stream');
type OwnedStream = ServerHttp2Stream & { [callOf]: Call };

/**
 * One call: its requests out of the chunks of its stream, its responses, deadline and status. The stream's listeners
 * are functions of the module, because ten thousand idle calls should cost little.
 */
export class Call implements ExpandedCall, Expiring, Sender {
  readonly session: CallSession;
  readonly #stream: OwnedStream;
  readonly #reader: MessageReader;
  #handler: CallHandler = NOBODY;
  #expander: Expander | undefined;
  #hasDeadline = false;
  #heldBytes = 0;
  #pauses = 0;
  #isOver = false;
  #isHalfClosed = false;
  #trailers: Record<string, string> = OK_TRAILERS;

  constructor(session: CallSession, stream: ServerHttp2Stream) {
    this.session = session;
    this.#stream = stream as OwnedStream;
    this.#stream[callOf] = this;
    this.#reader = new MessageReader(
      session.door.settings.maxMessageBytes,
      (bytes, start, end, isCompressed) => this.#take(bytes, start, end, isCompressed),
    );
    stream.on('close', onClose);
  }

  /** Answers the call with what `open` makes; `encoding` is the one of its compressed messages. */
  start(open: OpenCall, encoding: string | undefined, timeoutMs: number | undefined): void {
    if (timeoutMs !== undefined) {
      if (timeoutMs < 1) this.expire();
      else {
        this.#hasDeadline = true;
        this.session.door.deadlines.add(this, timeoutMs);
      }
    }
    if (this.#isOver) return;
    if (encoding !== undefined && encoding !== 'identity') this.#expander = new Expander(this, encoding);
    try {
      this.#handler = open(this);
    } catch (error) {
      this.fail(error);
    }
    if (this.#isOver) return;
    const stream = this.#stream;
    stream.on('wantTrailers', onWantTrailers);
    stream.on('data', onData);
    stream.on('end', onEnd);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The largest request message, in bytes. */
  get maxMessageBytes(): number {
    return this.session.door.settings.maxMessageBytes;
  }

  /** A request message that is whole and plain; what the handler throws ends the call. */
  deliver(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    try {
      this.#handler.message(bytes, start, end);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Reads no more of the requests; counted, {@link resume} as often as this. */
  pause(): void {
    if (this.#pauses++ === 0) this.#stream.pause();
  }

  resume(): void {
    if (--this.#pauses > 0 || this.#isOver) return;
    this.#stream.resume();
  }

  /**
   * Sends responses, each with its envelope, cut in any way.
   *
   * @param written is called after the client's window took them; not if the call ends before.
   */
  write(pieces: readonly Uint8Array[], written: () => void): void {
    if (this.#isGone()) return;
    this.#respond();
    this.session.sent();
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    this.session.door.unsent.hold(this, bytes);
    if (bytes <= grpcWriteBytes) this.#writeOnce(pieces, bytes, written);
    else this.#writeInParts(pieces, written);
  }

  /** Answers with one response, in its envelope, and ends the call well. */
  answer(response: Uint8Array): void {
    if (response.length > grpcSmallUnsentBytes) {
      this.write([response], () => this.finish());
      return;
    }
    if (this.#isGone()) return;
    this.#respond();
    this.session.sent();
    // What is short is as good as taken.
    this.#stream.end(response);
    this.#end(Status.OK);
  }

  /** Ends the call well; the responses are sent. */
  finish(): void {
    if (this.#isGone()) return;
    this.#respond();
    this.#stream.end();
    this.#end(Status.OK);
  }

  /** Ends the call with the status of an error. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    if (isUnexpected(error)) this.session.door.unexpected(error);
    const { status, message } = grpcErrorOf(error);
    this.#end(status);
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.session.sent();
    const trailers = { 'grpc-status': String(status), 'grpc-message': encodeStatusMessage(message) };
    if (stream.headersSent) {
      this.#trailers = trailers;
      stream.end();
      // A client that takes nothing does not take the status behind it either.
      if (status === Status.DEADLINE_EXCEEDED && stream.writableLength > 0) this.#closeSoon();
      return;
    }
    const accepted = status === Status.UNIMPLEMENTED ? ACCEPTED_ENCODINGS : undefined;
    stream.respond({ ...HEADERS, ...accepted, ...trailers }, TRAILERS_ONLY);
    this.afterTrailers();
  }

  /** Something of this call waits in memory. @throws GrpcError RESOURCE_EXHAUSTED where too much does already. */
  hold(bytes: number): void {
    const { held } = this.session.door;
    if (bytes > 0 && held.wouldExceed(bytes)) {
      throw new GrpcError(
        Status.RESOURCE_EXHAUSTED,
        'the server holds too many unfinished messages; try again',
      );
    }
    this.#heldBytes += bytes;
    held.hold(bytes);
  }

  /** The door closes. */
  closing(): void {
    if (!this.#isOver) this.#handler.closing();
  }

  /** Called by the stream. */
  onChunk(chunk: Uint8Array): void {
    if (this.#isOver) return;
    const before = this.#reader.heldBytes;
    try {
      this.#reader.push(chunk);
      const after = this.#reader.heldBytes;
      if (after !== before && !this.#isOver) this.hold(after - before);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Called by the stream. */
  onHalfClosed(): void {
    this.#isHalfClosed = true;
    if (this.#isOver) return;
    if (!this.#reader.isAtBoundary) {
      this.fail(new GrpcError(Status.INTERNAL, 'unexpected EOF: the last message is cut off'));
    } else if (this.#expander?.isBusy) {
      this.#expander.whenIdle(() => this.#halfClose());
    } else {
      this.#halfClose();
    }
  }

  /** Called by the stream, when everything was answered. */
  onWantTrailers(): void {
    this.#stream.sendTrailers(this.#trailers);
    if (this.#isHalfClosed) return;
    // The runtime sends the trailers in the turn's next phase; what is said behind them must not overtake them.
    setImmediate(() => this.afterTrailers());
  }

  /** Tells a client that still sends that nobody reads it, and forgets it. */
  afterTrailers(): void {
    const stream = this.#stream;
    if (this.#isHalfClosed || stream.destroyed) return;
    stream.resume();
    stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Called at its deadline. */
  expire(): void {
    this.fail(new GrpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded'));
  }

  /** Called where too many responses wait for clients, and this one takes nothing. */
  evict(): void {
    this.#end(Status.RESOURCE_EXHAUSTED);
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** Called by the stream, when it is gone. */
  onGone(): void {
    this.session.door.unsent.forget(this);
    this.#end(Status.CANCELLED);
  }

  #take(bytes: Uint8Array, start: number, end: number, isCompressed: boolean): void {
    if (isCompressed && this.#expander === undefined) {
      throw new GrpcError(Status.INTERNAL, 'grpc: compressed flag set with identity or empty encoding');
    }
    if (this.#expander?.isBusy || isCompressed) this.#expander!.take(bytes, start, end, isCompressed);
    else this.deliver(bytes, start, end);
  }

  #halfClose(): void {
    if (this.#isOver) return;
    try {
      this.#handler.halfClosed();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The stream may be gone before `close` says so. */
  #isGone(): boolean {
    return this.#isOver || this.#stream.destroyed || this.#stream.closed;
  }

  #closeSoon(): void {
    const stream = this.#stream;
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), LAST_WORD_MS);
    stream.once('close', () => clearTimeout(timer));
  }

  #writeOnce(pieces: readonly Uint8Array[], bytes: number, written: () => void): void {
    const stream = this.#stream;
    const last = pieces.length - 1;
    if (last > 0) stream.cork();
    for (let index = 0; index < last; index++) stream.write(pieces[index]);
    stream.write(pieces[last], (error) => {
      this.session.door.unsent.release(this, bytes);
      if (!error && !this.#isOver) written();
    });
    if (last > 0) stream.uncork();
  }

  /** The runtime refuses other calls of a connection on which it has much to send. */
  #writeInParts(pieces: readonly Uint8Array[], written: () => void): void {
    let index = 0;
    let at = 0;
    const writeNext = () => {
      if (this.#isGone()) return;
      const part: Uint8Array[] = [];
      let bytes = 0;
      while (index < pieces.length && bytes < grpcWriteBytes) {
        const piece = pieces[index]!;
        const slice = piece.subarray(at, at + grpcWriteBytes - bytes);
        part.push(slice);
        bytes += slice.length;
        at += slice.length;
        if (at < piece.length) continue;
        index++;
        at = 0;
      }
      this.#writeOnce(part, bytes, index < pieces.length ? writeNext : written);
    };
    writeNext();
  }

  #respond(): void {
    if (!this.#stream.headersSent) this.#stream.respond(HEADER_LIST, WITH_TRAILERS);
  }

  #end(status: StatusCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#hasDeadline) this.session.door.deadlines.remove(this);
    this.#reader.clear();
    this.session.door.held.release(this.#heldBytes);
    this.#heldBytes = 0;
    this.session.callOver(this, status);
    const handler = this.#handler;
    this.#handler = NOBODY;
    handler.over();
  }
}

const NOBODY: CallHandler = { message() {}, halfClosed() {}, over() {}, closing() {} };
/** A client that compressed in another way may try one of these. */
const ACCEPTED_ENCODINGS = { 'grpc-accept-encoding': ['identity', ...ENCODINGS].join(',') };
const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
/** The same as the runtime takes it without copying it. */
const HEADER_LIST = [':status', '200', 'content-type', 'application/grpc'];
const TRAILERS_ONLY = { endStream: true, sendDate: false };
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
/** How long the status of a call that is late may take to its client. */
const LAST_WORD_MS = 1_000;
const OK_TRAILERS = { 'grpc-status': '0' };

function onData(this: ServerHttp2Stream, chunk: Uint8Array): void {
  (this as OwnedStream)[callOf].onChunk(chunk);
}

function onEnd(this: ServerHttp2Stream): void {
  (this as OwnedStream)[callOf].onHalfClosed();
}

function onWantTrailers(this: ServerHttp2Stream): void {
  (this as OwnedStream)[callOf].onWantTrailers();
}

function onClose(this: ServerHttp2Stream): void {
  (this as OwnedStream)[callOf].onGone();
}
