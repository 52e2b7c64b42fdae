import { Failure } from '../../internal/lib/failure.ts';
import { maxMessageBytesCeiling } from '../../internal/limits/broker.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of a stream, byte for byte, without their line breaks. What follows the last line break is a line too,
 * unless it is empty.
 *
 * @throws Failure where a line is longer than any broker takes, before it fills the memory.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes = maxMessageBytesCeiling,
): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      begun.push(chunk.subarray(start, end));
      yield lineOf(begun);
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    begun.push(chunk.subarray(start));
    begunBytes += chunk.length - start;
    if (begunBytes > maxLineBytes) {
      throw new Failure(
        `a line of the input is longer than ${maxLineBytes} bytes; -file sends it as a whole`,
      );
    }
  }
  if (begun.length > 0) yield lineOf(begun);
}

function lineOf(parts: Uint8Array[]): Uint8Array {
  const line = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
