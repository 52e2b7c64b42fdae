import { FrameFlag } from './frame.ts';
import type { FrameCursor } from './frame-cursor.ts';
import { connectionError } from './http2-error.ts';

/**
 * Narrows the payload of a DATA or HEADERS frame to what is between its padding:
 *
 *     pad length (1, where PADDED)   content   padding (pad length)
 *
 * @throws Http2Error where the padding is longer than what there is (RFC 9113, section 6.1).
 */
export function contentOf(frame: FrameCursor, bytes: Uint8Array): { start: number; end: number } {
  const { start, end } = frame;
  if (!frame.has(FrameFlag.padded)) return { start, end };
  if (start === end)
    throw connectionError('FRAME_SIZE_ERROR', 'RFC 9113 6.1', 'a padded frame without bytes');
  const padding = bytes[start];
  if (padding >= end - start) {
    throw connectionError('PROTOCOL_ERROR', 'RFC 9113 6.1', 'padding that is longer than its frame');
  }
  return { start: start + 1, end: end - padding };
}
