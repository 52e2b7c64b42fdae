import { copyRun, readWord } from '../../lib/bytes.ts';
import { atOnce } from '../pace.ts';
import { CompressionError } from './compression-error.ts';
import { xxhash32 } from './xxhash32.ts';

/**
 * The LZ4 frame format, little endian:
 *
 *     magic (4)   flags (1)   block size (1)   [content size (8)]   header checksum (1)
 *     [ length, high bit: stored (4)   block   [checksum (4)] ]...   0 (4)   [content checksum (4)]
 */

/**
 * Compresses into one frame of independent blocks, as Kafka's Java client does.
 *
 * @returns a view of a larger buffer.
 */
export function compressLz4(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / WRITTEN_BLOCK_BYTES);
  const into = new Uint8Array(HEADER_BYTES + bytes.length + blocks * 4 + 4 + OVERRUN_BYTES);
  writeUint32(into, 0, MAGIC);
  into[4] = VERSION | INDEPENDENT_BLOCKS;
  into[5] = 4 << 4;
  into[6] = (xxhash32(into, 4, 6) >>> 8) & 0xff;
  let at = HEADER_BYTES;
  for (let start = 0; start < bytes.length; start += WRITTEN_BLOCK_BYTES) {
    const end = Math.min(bytes.length, start + WRITTEN_BLOCK_BYTES);
    let blockEnd = compressBlock(bytes, start, end, into, at + 4);
    if (blockEnd - at - 4 < end - start) {
      writeUint32(into, at, blockEnd - at - 4);
    } else {
      into.set(bytes.subarray(start, end), at + 4);
      blockEnd = at + 4 + end - start;
      writeUint32(into, at, (end - start) | STORED_BLOCK);
    }
    at = blockEnd;
  }
  writeUint32(into, at, 0);
  return into.subarray(0, at + 4);
}

/**
 * Expands one frame to at most `maxBytes`; its checksums are verified where it has them. Blocks may refer to
 * the blocks before them.
 *
 * @throws CompressionError `corrupt` or `too-large`.
 */
export function decompressLz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return atOnce(expandLz4(bytes, maxBytes));
}

/** {@link decompressLz4} in steps of one block. */
export function* expandLz4(bytes: Uint8Array, maxBytes: number): Generator<void, Uint8Array, void> {
  const header = readHeader(bytes, maxBytes);
  const into = new Growing(maxBytes, Math.min(header.contentBytes ?? maxBytes, bytes.length * 4));
  let at = header.end;
  for (;;) {
    const word = readUint32(bytes, at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fff_ffff;
    if (size > header.maxBlockBytes) throw corrupt(`a block of ${size} bytes at byte ${at}`);
    if (size > bytes.length - at) throw corrupt(`the block at byte ${at} is cut off`);
    if (word >= STORED_BLOCK) into.append(bytes, at, at + size);
    else expandBlock(bytes, at, at + size, into, header);
    at += size;
    if (header.hasBlockChecksums) {
      if (readUint32(bytes, at) !== xxhash32(bytes, at - size, at)) throw corrupt('a block checksum differs');
      at += 4;
    }
    yield;
  }
  const expanded = into.bytes.subarray(0, into.length);
  if (header.contentBytes !== undefined && header.contentBytes !== expanded.length) {
    throw corrupt(`${header.contentBytes} bytes were promised and ${expanded.length} came`);
  }
  if (header.hasContentChecksum) {
    if (readUint32(bytes, at) !== xxhash32(expanded)) throw corrupt('the content checksum differs');
    at += 4;
  }
  if (at !== bytes.length) throw corrupt(`${bytes.length - at} bytes follow the frame`);
  return expanded;
}

const MAGIC = 0x184d_2204;
const HEADER_BYTES = 7;
const WRITTEN_BLOCK_BYTES = 65_536;
/** By how much a block may come out larger than it was, before it is stored instead. */
const OVERRUN_BYTES = 16 + Math.ceil(WRITTEN_BLOCK_BYTES / 255);
const STORED_BLOCK = 0x8000_0000;
const MAX_DISTANCE = 65_535;
/** A byte of length makes at most 255 bytes; what a block cannot become is never reserved for it. */
const MAX_EXPANSION = 255;
const MIN_MATCH_BYTES = 4;

// The flags byte.
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUMS = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const RESERVED_FLAG = 0x02;
const DICTIONARY = 0x01;

interface FrameHeader {
  independentBlocks: boolean;
  hasBlockChecksums: boolean;
  hasContentChecksum: boolean;
  contentBytes: number | undefined;
  maxBlockBytes: number;
  /** The start of the first block. */
  end: number;
}

function readHeader(bytes: Uint8Array, maxBytes: number): FrameHeader {
  if (readUint32(bytes, 0) !== MAGIC) throw corrupt('not an LZ4 frame');
  if (bytes.length < HEADER_BYTES) throw corrupt('the header is cut off');
  const flags = bytes[4];
  const sizeCode = (bytes[5] >>> 4) & 7;
  if ((flags & VERSION_MASK) !== VERSION || (flags & RESERVED_FLAG) !== 0 || (bytes[5] & 0x8f) !== 0) {
    throw corrupt('a version of the frame that is not known');
  }
  if ((flags & DICTIONARY) !== 0) throw corrupt('the frame needs a dictionary');
  if (sizeCode < 4) throw corrupt('a block size that is not known');
  const checksumAt = (flags & CONTENT_SIZE) !== 0 ? 14 : 6;
  if (checksumAt >= bytes.length) throw corrupt('the header is cut off');
  if (bytes[checksumAt] !== ((xxhash32(bytes, 4, checksumAt) >>> 8) & 0xff)) {
    throw corrupt('the header checksum differs');
  }
  let contentBytes: number | undefined;
  if ((flags & CONTENT_SIZE) !== 0) {
    contentBytes = readUint32(bytes, 10) * 2 ** 32 + readUint32(bytes, 6);
    if (contentBytes > maxBytes) throw tooLarge(maxBytes);
  }
  return {
    independentBlocks: (flags & INDEPENDENT_BLOCKS) !== 0,
    hasBlockChecksums: (flags & BLOCK_CHECKSUMS) !== 0,
    hasContentChecksum: (flags & CONTENT_CHECKSUM) !== 0,
    contentBytes,
    maxBlockBytes: 1 << (8 + sizeCode * 2),
    end: checksumAt + 1,
  };
}

/** A buffer that grows towards a limit as bytes really come. */
class Growing {
  bytes: Uint8Array;
  length = 0;
  readonly maxBytes: number;

  constructor(maxBytes: number, expectedBytes: number) {
    this.maxBytes = maxBytes;
    this.bytes = new Uint8Array(Math.min(maxBytes, expectedBytes));
  }

  /** Makes room for `count` more bytes, or for as many as the limit leaves. */
  reserve(count: number): void {
    const wanted = Math.min(this.maxBytes, this.length + count);
    if (wanted <= this.bytes.length) return;
    const larger = new Uint8Array(Math.min(this.maxBytes, Math.max(wanted, this.bytes.length * 2)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  /** @throws CompressionError `too-large`. */
  append(from: Uint8Array, start: number, end: number): void {
    if (end - start > this.maxBytes - this.length) throw tooLarge(this.maxBytes);
    this.reserve(end - start);
    this.bytes.set(from.subarray(start, end), this.length);
    this.length += end - start;
  }
}

/** Expands the sequences of one block: literals, then a copy of what came before; the last has literals only. */
function expandBlock(bytes: Uint8Array, at: number, end: number, into: Growing, header: FrameHeader): void {
  into.reserve(Math.min(header.maxBlockBytes, (end - at) * MAX_EXPANSION));
  const target = into.bytes;
  const from = into.length;
  const limit = Math.min(target.length, from + header.maxBlockBytes);
  const oldest = header.independentBlocks ? from : 0;
  let to = from;
  for (;;) {
    if (at >= end) throw corrupt(`a sequence is cut off at byte ${at}`);
    const token = bytes[at++];
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= end) throw corrupt(`a length is cut off at byte ${at}`);
        more = bytes[at++];
        literals += more;
      } while (more === 255);
    }
    if (literals > end - at) throw corrupt(`literals are cut off at byte ${at}`);
    if (literals > limit - to) throw overflow(into, to + literals - from, header);
    to = copyRun(bytes, at, at + literals, target, to);
    at += literals;
    if (at === end) break;
    if (at + 2 > end) throw corrupt(`an offset is cut off at byte ${at}`);
    const offset = bytes[at] | (bytes[at + 1] << 8);
    at += 2;
    if (offset === 0 || offset > to - oldest) throw corrupt(`an offset of ${offset} at byte ${at - 2}`);
    let matched = token & 15;
    if (matched === 15) {
      let more: number;
      do {
        if (at >= end) throw corrupt(`a length is cut off at byte ${at}`);
        more = bytes[at++];
        matched += more;
      } while (more === 255);
    }
    matched += MIN_MATCH_BYTES;
    if (matched > limit - to) throw overflow(into, to + matched - from, header);
    if (offset >= matched && matched > SHORT_MATCH_BYTES) {
      target.copyWithin(to, to - offset, to - offset + matched);
      to += matched;
    } else {
      for (const stop = to + matched; to < stop; to++) target[to] = target[to - offset];
    }
  }
  into.length = to;
}

/** Up to here a loop is quicker than a call to copy. */
const SHORT_MATCH_BYTES = 48;

function overflow(into: Growing, blockBytes: number, header: FrameHeader): CompressionError {
  if (into.length + blockBytes > into.maxBytes) return tooLarge(into.maxBytes);
  return corrupt(`a block expands to more than ${header.maxBlockBytes} bytes`);
}

/** The last position of a hash, relative to the block, plus one: 0 means never. */
const seenAt = new Int32Array(1 << 14);
const HASH_SHIFT = 32 - 14;
/** The format wants the last 5 bytes as literals, and no match to begin in the last 12. */
const LAST_LITERALS_BYTES = 5;
const LAST_MATCH_BYTES = 12;

/** Writes one block, which may come out larger than it was, and returns where it ends. */
function compressBlock(bytes: Uint8Array, start: number, end: number, into: Uint8Array, to: number): number {
  seenAt.fill(0);
  let literalStart = start;
  let at = start;
  // Data in which nothing repeats is crossed in growing steps.
  let misses = 64;
  const lastMatch = end - LAST_MATCH_BYTES;
  const matchLimit = end - LAST_LITERALS_BYTES;
  while (at < lastMatch) {
    const word = readWord(bytes, at);
    const hash = Math.imul(word, 0x9e37_79b1) >>> HASH_SHIFT;
    const candidate = start + seenAt[hash] - 1;
    seenAt[hash] = at - start + 1;
    if (candidate < start || at - candidate > MAX_DISTANCE || readWord(bytes, candidate) !== word) {
      at += misses++ >>> 6;
      continue;
    }
    misses = 64;
    let matched = MIN_MATCH_BYTES;
    while (at + matched < matchLimit && bytes[candidate + matched] === bytes[at + matched]) matched++;
    to = writeSequence(bytes, literalStart, at, at - candidate, matched, into, to);
    at += matched;
    literalStart = at;
  }
  return writeSequence(bytes, literalStart, end, 0, 0, into, to);
}

/** Writes literals and a match; without the match where `matched` is 0. */
function writeSequence(
  bytes: Uint8Array,
  literalStart: number,
  literalEnd: number,
  offset: number,
  matched: number,
  into: Uint8Array,
  to: number,
): number {
  const literals = literalEnd - literalStart;
  const extra = matched === 0 ? 0 : matched - MIN_MATCH_BYTES;
  into[to++] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
  if (literals >= 15) to = writeLength(literals - 15, into, to);
  to = copyRun(bytes, literalStart, literalEnd, into, to);
  if (matched === 0) return to;
  into[to++] = offset;
  into[to++] = offset >>> 8;
  return extra >= 15 ? writeLength(extra - 15, into, to) : to;
}

function writeLength(length: number, into: Uint8Array, to: number): number {
  for (; length >= 255; length -= 255) into[to++] = 255;
  into[to++] = length;
  return to;
}

function readUint32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw corrupt(`cut off at byte ${at}`);
  return readWord(bytes, at) >>> 0;
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

function tooLarge(maxBytes: number): CompressionError {
  return new CompressionError('too-large', `lz4: expands to more than ${maxBytes} bytes`);
}

function corrupt(what: string): CompressionError {
  return new CompressionError('corrupt', `lz4: ${what}`);
}
