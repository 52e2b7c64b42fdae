import { http2HeaderBlockBytes, http2HeaderBlockFrames } from '../../../limits/grpc.ts';
import { connectionError } from '../../../protocol/http2/http2-error.ts';

/** A header block whose end is still to come, in CONTINUATION frames (RFC 9113, section 6.10). */
export class HeaderBlock {
  readonly streamId: number;
  readonly isLastOfStream: boolean;
  /** When it began, by the connection's clock; whoever holds it moves it on by time that shall not count. */
  beganAt: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(streamId: number, isLastOfStream: boolean, beganAt: number) {
    this.beganAt = beganAt;
    this.streamId = streamId;
    this.isLastOfStream = isLastOfStream;
  }

  /** @throws Http2Error where it has too many bytes or frames: no client needs so many. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    if (this.#bytes > http2HeaderBlockBytes) {
      throw connectionError('ENHANCE_YOUR_CALM', 'RFC 9113 10.5.1', `a header block of ${this.#bytes} bytes`);
    }
    if (this.#parts.length === http2HeaderBlockFrames) {
      throw connectionError('ENHANCE_YOUR_CALM', 'RFC 9113 10.5', 'a header block in too many frames');
    }
    this.#parts.push(new Uint8Array(bytes.subarray(start, end)));
  }

  join(): Uint8Array {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}
