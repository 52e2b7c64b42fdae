import { connectionError, type Http2Error } from '../../../protocol/http2/http2-error.ts';
import { ClosedStreams } from './closed-streams.ts';
import { Http2Stream, type StreamOwner } from './stream.ts';

/** The streams of a connection: those that are open, and what has to be known of the others. */
export class Streams implements Iterable<Http2Stream> {
  readonly #open = new Map<number, Http2Stream>();
  readonly #closed = new ClosedStreams();
  #lastId = 0;
  #hasGaps = false;

  get size(): number {
    return this.#open.size;
  }

  /** The last stream that the client opened. */
  get lastId(): number {
    return this.#lastId;
  }

  [Symbol.iterator](): MapIterator<Http2Stream> {
    return this.#open.values();
  }

  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  /** Whether nobody opened the stream; those with even numbers are for us to open, and we open none. */
  isIdle(id: number): boolean {
    return id > this.#lastId || id % 2 === 0;
  }

  /** A frame on a stream that is not open. @throws Http2Error unless its client may not know yet that we ended it. */
  passOver(id: number, isLast: boolean, name: string): void {
    if (this.isIdle(id)) throw onIdle('RFC 9113 5.1', name, id);
    if (!this.#closed.isReset(id)) throw this.#errorOfClosed(id);
    if (isLast) this.clientEnded(id);
  }

  open(id: number, owner: StreamOwner, sendWindowBytes: number): Http2Stream {
    if (id > this.#lastId + 2) this.#hasGaps = true;
    this.#lastId = id;
    this.#closed.opened(id);
    const stream = new Http2Stream(id, owner, sendWindowBytes);
    this.#open.set(id, stream);
    return stream;
  }

  /** Forgets a stream. @param isReset whether we ended it with RST_STREAM. */
  close(stream: Http2Stream, isReset: boolean): void {
    this.#open.delete(stream.id);
    if (isReset && !stream.isRemoteClosed) this.#closed.wasReset(stream.id);
  }

  /** The client has ended a stream that we had reset: it sends nothing more on it. */
  clientEnded(id: number): void {
    this.#closed.forget(id);
  }

  /** The error of a frame on a closed stream whose client knows that it is closed (RFC 9113, sections 5.1 and 5.1.1). */
  #errorOfClosed(id: number): Http2Error {
    // Of a stream that was left out nobody can say that it ever was.
    return this.#hasGaps
      ? connectionError('PROTOCOL_ERROR', 'RFC 9113 5.1.1', `the stream ${id} behind ${this.#lastId}`)
      : connectionError('STREAM_CLOSED', 'RFC 9113 5.1', `a frame on the closed stream ${id}`);
  }
}

/** The error of a frame on a stream that nobody opened. */
export function onIdle(rule: string, name: string, streamId: number): Http2Error {
  return connectionError('PROTOCOL_ERROR', rule, `${name} on the stream ${streamId}, which is not open`);
}
