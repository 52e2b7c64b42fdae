/** Four bytes as a little-endian word, with its sign. */
export function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Copies `from` from `start` to before `end` to `at`, where there must be room, and returns where that ends. */
export function copyRun(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  const length = end - start;
  if (length <= SHORT_RUN_BYTES) {
    for (let index = 0; index < length; index++) into[at + index] = from[start + index]!;
  } else {
    into.set(from.subarray(start, end), at);
  }
  return at + length;
}

/** A copy of the bytes from `start` to before `end`, which keeps nothing else alive. */
export function copiedRun(from: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copyRun(from, start, end, copy, 0);
  return copy;
}

/** Up to here a loop is quicker than a call to copy. */
const SHORT_RUN_BYTES = 48;
