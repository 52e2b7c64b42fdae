/** A bit of a file: its byte, and the bit of that. */
export interface Bit {
  readonly at: number;
  readonly bit: number;
}

/**
 * Bits of a file in places that a seed decides, so that a run can be repeated: some anywhere, and some in each part of the file.
 *
 * @param count how many.
 */
export function* flippedBits(sizeBytes: number, count: number, seed = 1): Generator<Bit> {
  const next = randomFrom(seed);
  for (let index = 0; index < count; index++) {
    const from = Math.floor((index * sizeBytes) / count);
    const until = Math.max(from + 1, Math.floor(((index + 1) * sizeBytes) / count));
    yield { at: from + Math.floor(next() * (until - from)), bit: Math.floor(next() * 8) };
  }
}

/** The same bytes with one bit the other way. */
export function withFlipped(bytes: Uint8Array, { at, bit }: Bit): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1 << bit;
  return copy;
}

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
