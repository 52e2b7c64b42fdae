import { http2AheadBytes } from '../../../limits/grpc.ts';
import { encodeWindowUpdate } from '../../../protocol/http2/frame.ts';
import { connectionError } from '../../../protocol/http2/http2-error.ts';
import { ReceiveWindow } from '../../../protocol/http2/window.ts';
import type { FrameWriter } from './frame-writer.ts';

/**
 * The bytes of DATA that a client may send on its connection. What is kept for streams that are paused counts against
 * that only beyond a bound, so that one slow call does not stop the others.
 */
export class ContentFlow {
  readonly #window: ReceiveWindow;
  readonly #writer: FrameWriter;
  /** The bytes that are kept for paused streams, and how many of them the client may not send again yet. */
  #aheadBytes = 0;
  #unconfirmedBytes = 0;

  constructor(windowBytes: number, writer: FrameWriter) {
    this.#window = new ReceiveWindow(windowBytes);
    this.#writer = writer;
  }

  /** A frame of DATA came. @throws Http2Error where it is more than the client may send. */
  take(bytes: number): void {
    if (this.#window.take(bytes)) return;
    throw connectionError('FLOW_CONTROL_ERROR', 'RFC 9113 6.9', 'more DATA than the connection may send');
  }

  /** What may not be sent again yet; a frame that makes it more is confirmed by so much less. */
  get unconfirmedBytes(): number {
    return this.#unconfirmedBytes;
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
    this.confirm(confirmed);
  }

  /** The client may send as much again. */
  confirm(bytes: number): void {
    const increment = this.#window.consume(bytes);
    if (increment > 0) this.#writer.control(encodeWindowUpdate(0, increment));
  }
}
