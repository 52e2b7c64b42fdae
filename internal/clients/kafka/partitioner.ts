const SEED = 0x9747_b28c;
const MULTIPLIER = 0x5bd1_e995;
const ROTATION = 24;

/** The partition of a key, as Kafka's Java client chooses it: murmur2 of the bytes, without its sign. */
export function partitionOf(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionCount;
}

/** The hash function of Austin Appleby in the variant of Kafka: 32 bits, little endian, signed. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let four = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    four = Math.imul(four, MULTIPLIER);
    four ^= four >>> ROTATION;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(four, MULTIPLIER);
  }
  if (length > whole) {
    for (let at = length - 1; at >= whole; at--) hash ^= bytes[at] << (8 * (at - whole));
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}
