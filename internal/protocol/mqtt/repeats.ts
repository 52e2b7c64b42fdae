const WORD_BYTES = 8;

/**
 * How many packets from `at` on repeat the PUBLISH that ends there in everything but the payload. That packet is of
 * `size` bytes, of which the first `head` lie before its payload, and its topic is valid.
 *
 * This is where a broker of small messages spends its time. It compares eight bytes at once, as floating point numbers,
 * the only such words that a DataView reads without making an object. Numbers compare like bytes but for two exceptions.
 * NaN differs from itself: such a packet is not counted, and the caller looks at it once more. 0 equals -0: no word here
 * is either, as each has a byte of the topic (which has no NUL) or the first one, which is not 0.
 */
export function countRepeats(bytes: DataView, at: number, limit: number, size: number, head: number): number {
  if (at + size > limit) return 0;
  if (head < WORD_BYTES) return countShort(bytes, at, limit, size, head);
  const first = at - size;
  const lastWord = head - WORD_BYTES;
  const begin = bytes.getFloat64(first, true);
  const end = bytes.getFloat64(first + lastWord, true);
  let count = 0;
  for (let packet = at; packet + size <= limit; packet += size) {
    if (bytes.getFloat64(packet + lastWord, true) !== end || bytes.getFloat64(packet, true) !== begin) break;
    let index = WORD_BYTES;
    while (
      index < lastWord &&
      bytes.getFloat64(first + index, true) === bytes.getFloat64(packet + index, true)
    ) {
      index += WORD_BYTES;
    }
    if (index < lastWord) break;
    count++;
  }
  return count;
}

/** The shortest PUBLISH has a head of five bytes, so two overlapping words of four cover what is shorter than eight. */
function countShort(bytes: DataView, at: number, limit: number, size: number, head: number): number {
  const first = at - size;
  const begin = bytes.getInt32(first, true);
  const end = bytes.getInt32(first + head - 4, true);
  let count = 0;
  for (let packet = at; packet + size <= limit; packet += size) {
    if (bytes.getInt32(packet, true) !== begin || bytes.getInt32(packet + head - 4, true) !== end) break;
    count++;
  }
  return count;
}
