import { Failure } from '../../../internal/lib/failure.ts';
import { maxMessageBytesCeiling } from '../../../internal/limits/broker.ts';

/**
 * Cuts a stream at a delimiter, byte for byte, and gives what each chunk completes. Pieces that are empty are left
 * out.
 *
 * @throws Failure where a piece is longer than any broker takes, before it fills the memory.
 */
export async function* delimited(
  chunks: AsyncIterable<Uint8Array>,
  delimiter: Uint8Array,
  maxPieceBytes = maxMessageBytesCeiling,
): AsyncGenerator<Uint8Array[]> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  // The end of what has come, in which a delimiter may begin that the next chunk ends.
  let tail: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = joined([tail, chunk]);
    const pieces: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(delimiter); end !== -1; end = bytes.indexOf(delimiter, start)) {
      const piece =
        begun.length === 0 ? bytes.subarray(start, end) : joined([...begun, bytes.subarray(start, end)]);
      if (piece.length > 0) pieces.push(piece);
      begun = [];
      begunBytes = 0;
      start = end + delimiter.length;
    }
    yield pieces;
    const tailStart = Math.max(start, bytes.length - delimiter.length + 1);
    begun.push(bytes.subarray(start, tailStart));
    begunBytes += tailStart - start;
    tail = bytes.subarray(tailStart);
    if (begunBytes > maxPieceBytes) {
      throw new Failure(
        `a message of the input is longer than ${maxPieceBytes} bytes; is the -delimiter right?`,
      );
    }
  }
  const last = joined([...begun, tail]);
  if (last.length > 0) yield [last];
}

function joined(parts: readonly Uint8Array[]): Buffer {
  const filled = parts.filter((part) => part.length > 0);
  if (filled.length !== 1) return Buffer.concat(filled);
  const [{ buffer, byteOffset, length }] = filled;
  return Buffer.from(buffer, byteOffset, length);
}
