import { existsSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * The write-ahead log of SQLite (https://sqlite.org/fileformat2.html#walformat), numbers big endian:
 *
 *     header   magic (4)   version (4)   page bytes (4)   sequence (4)   salt (8)   checksum (8)
 *     frame    page (4)   pages after commit, 0 within a transaction (4)   salt (8)   checksum (8)   the page
 *
 * A checksum goes on from the one before. Frames with another salt are from before the log began anew, and count no more.
 */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const BIG_ENDIAN_CHECKSUMS = 0x377f0683;
const LITTLE_ENDIAN_CHECKSUMS = 0x377f0682;

/** A frame that is being written may look damaged. So the file is looked at again as long as it changes, with this between. */
const BETWEEN_LOOKS_MS = 20;

/**
 * What is wrong with a write-ahead log. SQLite takes it as it is up to the first frame that is not what was written, and passes
 * over all behind that without a word; so a flipped bit loses transactions that were acknowledged.
 *
 * @param file where it may be; a broker may be writing it.
 * @returns undefined where nothing is wrong, or there is none.
 */
export async function walProblem(file: string): Promise<string | undefined> {
  for (;;) {
    if (!existsSync(file)) return undefined;
    const { mtimeMs } = statSync(file);
    const problem = problemIn(readFileSync(file));
    if (problem === undefined) return undefined;
    await delay(BETWEEN_LOOKS_MS);
    if (statSync(file, { throwIfNoEntry: false })?.mtimeMs === mtimeMs) return problem;
  }
}

function problemIn(bytes: Buffer): string | undefined {
  if (bytes.length <= HEADER_BYTES) return undefined;
  const magic = bytes.readUInt32BE(0);
  const pageBytes = bytes.readUInt32BE(8);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  let sums: Sums = [0, 0];
  const isKnown = magic === LITTLE_ENDIAN_CHECKSUMS || magic === BIG_ENDIAN_CHECKSUMS;
  const swapped = magic === BIG_ENDIAN_CHECKSUMS;
  if (isKnown) sums = added(sums, bytes.subarray(0, 24), swapped);
  if (!isKnown || !areAt(bytes, 24, sums)) return 'its header is damaged: nothing in it counts any more';
  const frames = Math.floor((bytes.length - HEADER_BYTES) / frameBytes);
  for (let frame = 0; frame < frames; frame++) {
    const at = HEADER_BYTES + frame * frameBytes;
    sums = frameSums(bytes, at, pageBytes, sums, swapped);
    if (areAt(bytes, at + 16, sums) && hasSalt(bytes, at)) continue;
    return isOfThisLog(bytes, at, frame, frames, { frameBytes, pageBytes, swapped })
      ? `frame ${frame + 1} is not what was written: the transactions from there on are lost`
      : undefined;
  }
  return undefined;
}

type Sums = readonly [number, number];

interface Layout {
  readonly frameBytes: number;
  readonly pageBytes: number;
  readonly swapped: boolean;
}

/**
 * Whether a frame that does not fit was written into this log, rather than left from before: it has the salt, or half of it,
 * or one behind it goes on from what stands in it.
 */
function isOfThisLog(bytes: Buffer, at: number, frame: number, frames: number, layout: Layout): boolean {
  if (bytes.readUInt32BE(8 + at) === bytes.readUInt32BE(16)) return true;
  if (bytes.readUInt32BE(12 + at) === bytes.readUInt32BE(20)) return true;
  if (frame + 1 >= frames) return false;
  const stored: Sums = [bytes.readUInt32BE(at + 16), bytes.readUInt32BE(at + 20)];
  const next = at + layout.frameBytes;
  return (
    hasSalt(bytes, next) &&
    areAt(bytes, next + 16, frameSums(bytes, next, layout.pageBytes, stored, layout.swapped))
  );
}

function hasSalt(bytes: Buffer, at: number): boolean {
  return bytes.compare(bytes, 16, 24, at + 8, at + 16) === 0;
}

function areAt(bytes: Buffer, at: number, [first, second]: Sums): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function frameSums(bytes: Buffer, at: number, pageBytes: number, before: Sums, swapped: boolean): Sums {
  const head = added(before, bytes.subarray(at, at + 8), swapped);
  const page = at + FRAME_HEADER_BYTES;
  return added(head, bytes.subarray(page, page + pageBytes), swapped);
}

function added([first, second]: Sums, bytes: Buffer, swapped: boolean): Sums {
  let a = first;
  let b = second;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + (swapped ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0;
    b = (b + (swapped ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}
