import { crc32 } from 'node:zlib';

const numbers = new Float64Array(5);
const numberBytes = new Uint8Array(numbers.buffer);

/**
 * CRC-32 of what a row says about a batch and of its bytes, so that neither a flipped bit nor the bytes of another row
 * pass for it.
 */
export function batchChecksum(
  partition: number,
  baseOffset: number,
  lastOffset: number,
  count: number,
  maxTimestamp: number,
  bytes: Uint8Array,
): number {
  numbers[0] = partition;
  numbers[1] = baseOffset;
  numbers[2] = lastOffset;
  numbers[3] = count;
  numbers[4] = maxTimestamp;
  return crc32(bytes, crc32(numberBytes));
}
