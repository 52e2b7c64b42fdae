import { copyRun, readWord } from '../../lib/bytes.ts';
import { atOnce } from '../pace.ts';
import { CompressionError } from './compression-error.ts';

/**
 * Snappy, raw and in the framing of the Java library (xerial), which Kafka's Java client writes:
 *
 *     82 S N A P P Y 00   version (4)   oldest readable version (4)   [ length (4)   raw snappy ]...
 */

/**
 * Compresses into the framing, which every Kafka client reads.
 *
 * @returns a view of a larger buffer.
 */
export function compressSnappy(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / FRAMED_BLOCK_BYTES);
  const into = new Uint8Array(FRAMING_HEADER_BYTES + blocks * 8 + maxRawBytes(bytes.length) + blocks * 32);
  into.set(FRAMING_MAGIC);
  writeUint32(into, 8, 1);
  writeUint32(into, 12, 1);
  let at = FRAMING_HEADER_BYTES;
  for (let start = 0; start < bytes.length; start += FRAMED_BLOCK_BYTES) {
    const end = Math.min(bytes.length, start + FRAMED_BLOCK_BYTES);
    const blockEnd = compressRaw(bytes, start, end, into, at + 4);
    writeUint32(into, at, blockEnd - at - 4);
    at = blockEnd;
  }
  return into.subarray(0, at);
}

/**
 * Expands raw or framed snappy to at most `maxBytes`.
 *
 * @throws CompressionError `corrupt` or `too-large`.
 */
export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return atOnce(expandSnappy(bytes, maxBytes));
}

/** {@link decompressSnappy} in steps of {@link STEP_BYTES}. */
export function expandSnappy(bytes: Uint8Array, maxBytes: number): Generator<void, Uint8Array, void> {
  return isFramed(bytes) ? expandFramed(bytes, maxBytes) : expandWhole(bytes, maxBytes);
}

/** The bytes that are expanded in one step: some hundred microseconds. */
const STEP_BYTES = 256 * 1024;

const FRAMING_MAGIC = new Uint8Array([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const FRAMING_HEADER_BYTES = 16;
/** The block size of the Java library. It also keeps every copy's offset within two bytes. */
const FRAMED_BLOCK_BYTES = 32_768;
/** A copy of 3 bytes makes at most 64: no honest block claims to expand further. */
const MAX_EXPANSION = 64 / 3;

function isFramed(bytes: Uint8Array): boolean {
  if (bytes.length < FRAMING_HEADER_BYTES) return false;
  for (let index = 0; index < FRAMING_MAGIC.length; index++) {
    if (bytes[index] !== FRAMING_MAGIC[index]) return false;
  }
  return true;
}

/** Measures all blocks before anything is made. */
function* expandFramed(bytes: Uint8Array, maxBytes: number): Generator<void, Uint8Array, void> {
  let total = 0;
  for (let at = FRAMING_HEADER_BYTES; at < bytes.length; ) {
    const { start, end } = framedBlock(bytes, at);
    total += readPreamble(bytes, start, end, maxBytes - total).size;
    at = end;
  }
  const into = new Uint8Array(total);
  let to = 0;
  for (let at = FRAMING_HEADER_BYTES; at < bytes.length; ) {
    const { start, end } = framedBlock(bytes, at);
    const preamble = readPreamble(bytes, start, end, total - to);
    yield* expandRaw(bytes, preamble.end, end, into, to, to + preamble.size);
    to += preamble.size;
    at = end;
  }
  return into;
}

function framedBlock(bytes: Uint8Array, at: number): { start: number; end: number } {
  const start = at + 4;
  if (start > bytes.length) throw corrupt(`a block length is cut off at byte ${at}`);
  const size = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  if (size > bytes.length - start) throw corrupt(`the block at byte ${at} claims ${size} bytes`);
  return { start, end: start + size };
}

function* expandWhole(bytes: Uint8Array, maxBytes: number): Generator<void, Uint8Array, void> {
  const preamble = readPreamble(bytes, 0, bytes.length, maxBytes);
  const into = new Uint8Array(preamble.size);
  yield* expandRaw(bytes, preamble.end, bytes.length, into, 0, preamble.size);
  return into;
}

/** The varint before a raw block that says how large it becomes, checked against what its bytes can make. */
function readPreamble(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxBytes: number,
): { size: number; end: number } {
  let size = 0;
  let at = start;
  for (let scale = 1; ; scale *= 128) {
    if (at === end) throw corrupt('the length is cut off');
    if (at - start === 5) throw corrupt('the length has more than five bytes');
    const byte = bytes[at++];
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (size > maxBytes) {
    throw new CompressionError('too-large', `snappy: ${size} bytes; at most ${maxBytes} are accepted`);
  }
  if (size > (end - at) * MAX_EXPANSION) throw corrupt(`${end - at} bytes cannot become ${size}`);
  return { size, end: at };
}

/** Expands the elements from `at` to `end`, which must fill `into` from `from` to `limit` exactly. */
function* expandRaw(
  bytes: Uint8Array,
  at: number,
  end: number,
  into: Uint8Array,
  from: number,
  limit: number,
): Generator<void, void, void> {
  const place = { at, to: from };
  for (;;) {
    expandElements(bytes, place, end, into, from, limit);
    if (place.at >= end) break;
    yield;
  }
  if (place.to !== limit) throw corrupt(`${limit - from} bytes were promised and ${place.to - from} came`);
}

/** Expands elements until the end, or for one step; `place` is where it goes on. */
function expandElements(
  bytes: Uint8Array,
  place: { at: number; to: number },
  end: number,
  into: Uint8Array,
  from: number,
  limit: number,
): void {
  let { at, to } = place;
  const stop = to + STEP_BYTES;
  while (at < end && to < stop) {
    const tag = bytes[at++];
    if ((tag & 3) === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (at + lengthBytes > end) throw corrupt(`a literal is cut off at byte ${at}`);
        length = readLittleEndian(bytes, at, lengthBytes) + 1;
        at += lengthBytes;
      }
      if (length > end - at || length > limit - to) throw corrupt(`a literal is too long at byte ${at}`);
      to = copyRun(bytes, at, at + length, into, to);
      at += length;
      continue;
    }
    let length: number;
    let offset: number;
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = at < end ? ((tag >>> 5) << 8) | bytes[at] : 0;
      at += 1;
    } else {
      const offsetBytes = (tag & 3) === 2 ? 2 : 4;
      length = (tag >>> 2) + 1;
      offset = at + offsetBytes <= end ? readLittleEndian(bytes, at, offsetBytes) : 0;
      at += offsetBytes;
    }
    if (at > end || offset === 0 || offset > to - from || length > limit - to) {
      throw corrupt(`a copy that cannot be made at byte ${at}`);
    }
    for (const copied = to + length; to < copied; to++) into[to] = into[to - offset];
  }
  place.at = at;
  place.to = to;
}

function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[at + index];
  return value;
}

function maxRawBytes(size: number): number {
  return 32 + size + Math.ceil(size / 6);
}

/** The last position of a hash, relative to the block. 0 means never: the first position needs no match. */
const seenAt = new Uint16Array(1 << 14);
const HASH_SHIFT = 32 - 14;

/** Writes one raw block of at most 64 KiB with its preamble, and returns where it ends. */
function compressRaw(bytes: Uint8Array, start: number, end: number, into: Uint8Array, to: number): number {
  for (let size = end - start; ; size >>>= 7) {
    into[to++] = size < 0x80 ? size : (size & 0x7f) | 0x80;
    if (size < 0x80) break;
  }
  seenAt.fill(0);
  let literalStart = start;
  let at = start + 1;
  // Data in which nothing repeats is crossed in growing steps.
  let misses = 32;
  for (const last = end - 4; at <= last; ) {
    const word = readWord(bytes, at);
    const hash = Math.imul(word, 0x1e35_a7bd) >>> HASH_SHIFT;
    const candidate = start + seenAt[hash];
    seenAt[hash] = at - start;
    if (candidate === start || readWord(bytes, candidate) !== word) {
      at += misses++ >>> 5;
      continue;
    }
    misses = 32;
    let matched = 4;
    while (at + matched < end && bytes[candidate + matched] === bytes[at + matched]) matched++;
    to = writeLiteral(bytes, literalStart, at, into, to);
    to = writeCopies(at - candidate, matched, into, to);
    at += matched;
    literalStart = at;
  }
  return writeLiteral(bytes, literalStart, end, into, to);
}

function writeLiteral(bytes: Uint8Array, start: number, end: number, into: Uint8Array, to: number): number {
  const length = end - start;
  if (length === 0) return to;
  if (length <= 60) {
    into[to++] = (length - 1) << 2;
  } else if (length <= 256) {
    into[to++] = 60 << 2;
    into[to++] = length - 1;
  } else {
    into[to++] = 61 << 2;
    into[to++] = length - 1;
    into[to++] = (length - 1) >>> 8;
  }
  return copyRun(bytes, start, end, into, to);
}

/** A long match takes several copies of at most 64 bytes. */
function writeCopies(offset: number, length: number, into: Uint8Array, to: number): number {
  while (length > 0) {
    const part = Math.min(64, length);
    if (part >= 4 && part <= 11 && offset < 2048) {
      into[to++] = ((offset >>> 8) << 5) | ((part - 4) << 2) | 1;
      into[to++] = offset;
    } else {
      into[to++] = ((part - 1) << 2) | 2;
      into[to++] = offset;
      into[to++] = offset >>> 8;
    }
    length -= part;
  }
  return to;
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function corrupt(what: string): CompressionError {
  return new CompressionError('corrupt', `snappy: ${what}`);
}
