import type { FileHandle } from 'node:fs/promises';
import { RecordBatchError } from '../../batch/batch-error.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchHeader,
  parseBatchHeader,
  SUPPORTED_MAGIC,
} from '../../batch/record-batch.ts';
import { kafkaWalkBytes, kafkaWalkPageBytes } from '../../limits/store.ts';
import { readAt } from './files.ts';

/**
 * Work on a file that says what it wants to read and is given the bytes, fewer where the file ends: the same code runs
 * at once while a directory is opened ({@link runAtOnce}), and beside everything else later ({@link run}). What it was
 * given is valid until it asks again.
 */
export type Walk<T> = Generator<{ position: number; length: number }, T, Uint8Array>;

/** The end of a walk. `torn`: the last batch is not whole; `bad`: what lies there is no batch, or not the next one. */
export interface WalkEnd {
  position: number;
  /** The offset behind the last batch that was passed. */
  nextOffset: number;
  state: 'complete' | 'stopped' | 'torn' | 'bad';
  /** Whether a header on the way was wrong, behind which the next batch could be found. */
  isDamaged: boolean;
}

/**
 * Goes from batch header to batch header, without reading what is between them.
 *
 * @param from where a batch begins.
 * @param end how long the file is, or how much of it counts.
 * @param minOffset offsets below cannot come.
 * @param visit is told of each batch and its position; false ends the walk in front of that batch.
 */
export function* walkHeaders(
  from: number,
  end: number,
  minOffset: number,
  visit: (header: BatchHeader, position: number) => boolean,
): Walk<WalkEnd> {
  const header = new BatchHeader();
  let window: Uint8Array = new Uint8Array(0);
  let windowAt = 0;
  let windowBytes = kafkaWalkBytes;
  let nextOffset = minOffset;
  let nextOffsetBefore = minOffset;
  let isDamaged = false;
  let position = from;
  const ended = (state: WalkEnd['state']) => ({ position, nextOffset, state, isDamaged });
  while (position < end) {
    if (end - position < BATCH_HEADER_BYTES) return ended('torn');
    if (position < windowAt || position + BATCH_HEADER_BYTES > windowAt + window.length) {
      const length = Math.min(windowBytes, end - position);
      window = yield { position, length };
      windowAt = position;
      if (window.length < BATCH_HEADER_BYTES) return ended('torn');
    }
    const at = position - windowAt;
    if (!parseSoundHeader(window, at, nextOffset, header)) {
      if (isZero(window, at)) return ended('torn');
      if (parseSoundHeader(window, at, nextOffsetBefore, header)) {
        // It was the batch before that had a wrong offset.
        isDamaged = true;
      } else {
        const next = position + claimedBytes(window, at);
        if (next <= position || next + BATCH_HEADER_BYTES > end) return ended('bad');
        window = yield { position: next, length: Math.min(windowBytes, end - next) };
        windowAt = next;
        if (window.length < BATCH_HEADER_BYTES) return ended('bad');
        if (!parseSoundHeader(window, 0, nextOffset + 1, header)) return ended('bad');
        isDamaged = true;
        position = next;
      }
    }
    const sizeBytes = header.end - header.at;
    if (position + sizeBytes > end) return ended('torn');
    if (!visit(header, position)) return ended('stopped');
    nextOffsetBefore = nextOffset;
    nextOffset = header.lastOffset + 1;
    position += sizeBytes;
    windowBytes = isLarge(sizeBytes) ? kafkaWalkPageBytes : kafkaWalkBytes;
  }
  return ended('complete');
}

/** What a walk reads of a batch. */
export function walkedBytes(sizeBytes: number): number {
  return isLarge(sizeBytes) ? kafkaWalkPageBytes : sizeBytes;
}

/** Whether so few batches fit what is read at once that a page for each of them is less. */
function isLarge(sizeBytes: number): boolean {
  return sizeBytes > kafkaWalkBytes / 4;
}

/** The length that a batch claims, whatever else its header says. */
export function claimedBytes(bytes: Uint8Array, at: number): number {
  const batchLength = new DataView(bytes.buffer, bytes.byteOffset + at).getInt32(8);
  return batchLength > 0 ? BATCH_LENGTH_END + batchLength : 0;
}

/**
 * Looks for the next batch behind damage: where batches begin that lie one behind the other until the end of `bytes`.
 * Bytes in a record that look like a batch do not.
 *
 * @returns where it begins, or -1.
 */
export function findBatches(bytes: Uint8Array, minOffset: number, endOffset: number): number {
  const header = new BatchHeader();
  for (let start = 1; start + BATCH_HEADER_BYTES <= bytes.length; start++) {
    if (bytes[start + MAGIC_AT] !== SUPPORTED_MAGIC) continue;
    let at = start;
    let nextOffset = minOffset;
    while (at + BATCH_HEADER_BYTES <= bytes.length && parseSoundHeader(bytes, at, nextOffset, header)) {
      at = header.end;
      nextOffset = header.lastOffset + 1;
    }
    if (at === bytes.length && nextOffset <= endOffset) return start;
  }
  return -1;
}

const MAGIC_AT = 16;

/** Whether a header lies there that can be one of a log whose next offset is at least `minOffset`. */
export function parseSoundHeader(
  bytes: Uint8Array,
  at: number,
  minOffset: number,
  header: BatchHeader,
): boolean {
  try {
    parseBatchHeader(bytes, at, header);
  } catch (error) {
    if (error instanceof RecordBatchError) return false;
    throw error;
  }
  return (
    header.baseOffset >= minOffset &&
    header.lastOffsetDelta >= 0 &&
    header.recordCount >= 0 &&
    Number.isSafeInteger(header.lastOffset + 1)
  );
}

/** Runs a walk without giving the turn to anybody. */
export function runAtOnce<T>(fd: number, walk: Walk<T>): T {
  const buffer = spareBuffer ?? new Uint8Array(kafkaWalkBytes);
  spareBuffer = undefined;
  try {
    let step = walk.next();
    while (!step.done) {
      const { position, length } = step.value;
      step = walk.next(readAt(fd, buffer.subarray(0, length), position));
    }
    return step.value;
  } finally {
    spareBuffer = buffer;
  }
}

/** For the next walk: a start makes several for each of thousands of partitions. */
let spareBuffer: Uint8Array | undefined;

/** Runs a walk beside everything else. */
export async function run<T>(handle: FileHandle, walk: Walk<T>): Promise<T> {
  const buffer = new Uint8Array(kafkaWalkBytes);
  let step = walk.next();
  while (!step.done) {
    const { position, length } = step.value;
    step = walk.next(await readFully(handle, buffer.subarray(0, length), position));
  }
  return step.value;
}

/** Reads until the buffer is full or the file ends; returns what was filled. */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<Uint8Array> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return into.subarray(0, done);
}

/** A crash may leave a file longer than what was written, filled with zeros. */
function isZero(bytes: Uint8Array, at: number): boolean {
  for (let end = at + BATCH_HEADER_BYTES; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
