import type { Access } from '../../access/access.ts';
import type { RecordHeader } from '../../batch/record-cursor.ts';
import type { Deadline } from '../../lib/deadline-timer.ts';
import { MessageReader } from '../../protocol/grpc/envelope.ts';
import { GrpcError, Status, type StatusCode } from '../../protocol/grpc/status.ts';
import type { CallSpan } from './call-span.ts';
import type { CallPeer } from './context.ts';
import { grpcErrorOf, isUnexpected } from './errors.ts';
import { type ExpandedCall, Expander } from './expander.ts';
import type { Http2Stream, StreamHandler } from './http2/stream.ts';
import { Responses } from './responses.ts';

/** The handler of a method for one call. An error that it throws ends the call. */
export interface CallHandler {
  /** A request message. The bytes are right until this returns. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** The client will send no more messages. */
  halfClosed(): void;
  /** The call is over: it was answered, it failed, or the client is gone. Comes once, and nothing after it. */
  over(): void;
  /** The door closes and waits a while for calls to end. */
  closing(): void;
  /** The rules have changed: throws where what the call does is no longer allowed. */
  recheckAccess?(): void;
}

export type OpenCall = (call: Call) => CallHandler;

/** One call: its requests out of the bytes of its stream, its responses, deadline and status. */
export class Call implements ExpandedCall, StreamHandler {
  readonly peer: CallPeer;
  /** Whether its client has shown nothing of who it is. */
  isNobodys = false;
  #access: Access | undefined;
  readonly #stream: Http2Stream;
  readonly #responses: Responses;
  readonly #reader: MessageReader;
  #handler: CallHandler = NOBODY;
  #expander: Expander | undefined;
  #deadline: Deadline | undefined;
  /** The headers of records that the call produces: the trace that it belongs to. */
  recordHeaders: readonly RecordHeader[] = NO_HEADERS;
  /** Of its trace; where it produces something, it says where to. */
  span: CallSpan | undefined;
  #heldBytes = 0;
  #pauses = 0;
  #isOver = false;

  constructor(peer: CallPeer, stream: Http2Stream) {
    this.peer = peer;
    this.#stream = stream;
    stream.handler = this;
    this.#responses = new Responses(stream, peer.context.unsent, () => this.#end(Status.RESOURCE_EXHAUSTED));
    this.#reader = new MessageReader(
      peer.context.settings.maxMessageBytes,
      (bytes, start, end, isCompressed) => this.#take(bytes, start, end, isCompressed),
    );
  }

  /** Answers the call with what `open` makes; `encoding` is the one of its compressed messages. */
  start(open: OpenCall, encoding: string | undefined, timeoutMs: number | undefined): void {
    if (timeoutMs !== undefined) {
      if (timeoutMs < 1) this.expire();
      else {
        this.#deadline = this.peer.context.deadlines.add(() => this.expire());
        this.#deadline.set(timeoutMs);
      }
    }
    if (this.#isOver) return;
    if (encoding !== undefined && encoding !== 'identity') this.#expander = new Expander(this, encoding);
    try {
      this.#handler = open(this);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What the client of this call may do. */
  get access(): Access {
    if (this.#access === undefined) throw new Error('a call that nobody has looked at');
    return this.#access;
  }

  set access(access: Access) {
    this.#access = access;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The largest request message, in bytes. */
  get maxMessageBytes(): number {
    return this.peer.context.settings.maxMessageBytes;
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
    if (this.#isOver || this.#responses.isGone) return;
    this.#responses.write(pieces, () => {
      if (!this.#isOver) written();
    });
  }

  /** Tells the client something beside the first response, which was not sent yet. */
  addMetadata(pairs: readonly (readonly [name: string, value: string])[]): void {
    this.#responses.addMetadata(pairs);
  }

  /** So much was read ahead for the client; it is in memory for as long as the client takes nothing. */
  setReadBytes(bytes: number): void {
    if (!this.#isOver) this.#responses.setReadBytes(bytes);
  }

  /** Answers with one response, in its envelope, and ends the call well. */
  answer(response: Uint8Array): void {
    if (this.#responses.isShort(response)) this.finish(response);
    else this.write([response], () => this.finish());
  }

  /** Ends the call well, with a last short response if there is one. */
  finish(response?: Uint8Array): void {
    if (this.#isOver || this.#responses.isGone) return;
    this.#responses.finish(response);
    this.#end(Status.OK);
  }

  /** Ends the call with the status of an error. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    if (isUnexpected(error)) this.peer.context.unexpected(error);
    const told = grpcErrorOf(error, this.isNobodys);
    this.peer.refused(this.#access?.identity, error);
    this.#end(told.status);
    if (!this.#responses.isGone) this.#responses.fail(told);
  }

  /** Something of this call waits in memory. @throws GrpcError RESOURCE_EXHAUSTED where too much does already. */
  hold(bytes: number): void {
    const { held } = this.peer.context;
    if (bytes > 0 && held.wouldExceed(bytes)) {
      throw new GrpcError(
        Status.RESOURCE_EXHAUSTED,
        'the server holds too many unfinished messages; try again',
      );
    }
    this.#heldBytes += bytes;
    held.hold(bytes);
  }

  /** Ends the call where what its client showed holds no longer. */
  checkExpiry(timeOfDayMs: number): void {
    const expiry = this.#isOver ? undefined : this.#access?.expiry(timeOfDayMs);
    if (expiry !== undefined) this.fail(expiry);
  }

  /** The door closes. */
  closing(): void {
    if (!this.#isOver) this.#handler.closing();
  }

  /** Ends the call where what it does is no longer allowed. */
  recheckAccess(): void {
    if (this.#isOver || this.#access === undefined) return;
    try {
      this.#access.checkConnect();
      this.#handler.recheckAccess?.();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Called by the stream. */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    const before = this.#reader.heldBytes;
    try {
      this.#reader.push(bytes, start, end);
      const after = this.#reader.heldBytes;
      if (after !== before && !this.#isOver) this.hold(after - before);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Called by the stream. */
  ended(): void {
    if (this.#isOver) return;
    if (!this.#reader.isAtBoundary) {
      this.fail(new GrpcError(Status.INTERNAL, 'unexpected EOF: the last message is cut off'));
    } else if (this.#expander?.isBusy) {
      this.#expander.whenIdle(() => this.#halfClose());
    } else {
      this.#halfClose();
    }
  }

  /** Called at its deadline. */
  expire(): void {
    this.fail(new GrpcError(Status.DEADLINE_EXCEEDED, 'context deadline exceeded'));
  }

  /** Called by the stream. */
  gone(): void {
    this.#responses.forget();
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

  #end(status: StatusCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline?.clear();
    this.#reader.clear();
    this.peer.context.held.release(this.#heldBytes);
    this.#heldBytes = 0;
    this.peer.callOver(this, status);
    const handler = this.#handler;
    this.#handler = NOBODY;
    handler.over();
  }
}

const NO_HEADERS: readonly RecordHeader[] = [];

const NOBODY: CallHandler = { message() {}, halfClosed() {}, over() {}, closing() {} };
