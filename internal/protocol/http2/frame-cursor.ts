import type { UnitCursor } from '../partial.ts';
import { DEFAULT_MAX_FRAME_BYTES, FRAME_HEADER_BYTES, readUint31 } from './frame.ts';
import { connectionError } from './http2-error.ts';

/** Looks at one frame after the other. What it found stays until it reads the next. */
export class FrameCursor implements UnitCursor {
  type = 0;
  flags = 0;
  streamId = 0;
  /** Where the payload begins. */
  start = 0;
  /** Where the frame ends. */
  end = 0;

  /**
   * @throws Http2Error for a frame that is larger than what we allowed, before its payload is there.
   */
  read(bytes: Uint8Array, at: number, limit: number): boolean {
    if (limit - at < FRAME_HEADER_BYTES) return false;
    const length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
    if (length > DEFAULT_MAX_FRAME_BYTES) {
      throw connectionError('FRAME_SIZE_ERROR', 'RFC 9113 4.2', `a frame of ${length} bytes`);
    }
    this.type = bytes[at + 3];
    this.flags = bytes[at + 4];
    this.streamId = readUint31(bytes, at + 5);
    this.start = at + FRAME_HEADER_BYTES;
    this.end = this.start + length;
    return this.end <= limit;
  }

  bytesWanted(_bytes: Uint8Array, at: number, limit: number): number {
    return limit - at < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : this.end - at;
  }

  get length(): number {
    return this.end - this.start;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}
