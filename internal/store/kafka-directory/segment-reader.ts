import type { FileHandle } from 'node:fs/promises';
import { RecordBatchError } from '../../batch/batch-error.ts';
import { BATCH_HEADER_BYTES, BatchHeader, checkBatch } from '../../batch/record-batch.ts';
import type { LentMemory } from '../../lib/lent-memory.ts';
import { kafkaHintIntervalBytes, kafkaReadBytes, kafkaWalkBytes } from '../../limits/store.ts';
import type { StoredBatch } from '../log-store.ts';
import type { FileHandles } from './file-handles.ts';
import type { Hint } from './offset-index.ts';
import type { KafkaSegment } from './segment.ts';
import { claimedBytes, findBatches, parseSoundHeader, readFully } from './walk.ts';

/** The batches that a read has gathered so far, from one segment after another. */
export interface Found {
  batches: StoredBatch[];
  bytes: number;
  readonly maxBytes: number;
  /** Where the bytes of the batches lie; in memory of their own where it is undefined. */
  readonly memory: LentMemory | undefined;
  /** The damaged batch that ended a read. */
  corrupt: { baseOffset: number; lastOffset: number } | undefined;
}

/**
 * Reads batches of one segment and checks each: its checksum, unless this process wrote it, and, because that does not cover
 * offset and length, whether it fits between its neighbours.
 */
export class SegmentReader {
  readonly #segment: KafkaSegment;
  readonly #handles: FileHandles;
  readonly #endOffset: number;
  /** Captured, as it grows while this reads. */
  readonly #sizeBytes: number;
  readonly #header = new BatchHeader();
  readonly #next = new BatchHeader();
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkAt = 0;

  /** @param endOffset the offset that the next segment begins with, or the partition's next one. */
  constructor(segment: KafkaSegment, handles: FileHandles, endOffset: number) {
    this.#segment = segment;
    this.#handles = handles;
    this.#endOffset = endOffset;
    this.#sizeBytes = segment.sizeBytes;
  }

  /** Whether to go on with the next segment. */
  async read(fromOffset: number, into: Found): Promise<boolean> {
    const index = await this.#segment.index(this.#handles);
    return this.#handles.use(this.#segment.path, async (handle) => {
      let outcome = await this.#readFrom(handle, index.forOffset(fromOffset), fromOffset, into, false);
      if (outcome === 'wrong-hint') {
        // The index was wrong, or the batch that it led to is damaged.
        const rebuilt = await this.#segment.rebuildIndex(this.#handles);
        outcome = await this.#readFrom(handle, rebuilt.forOffset(fromOffset), fromOffset, into, true);
      }
      return outcome === 'end';
    });
  }

  async #readFrom(
    handle: FileHandle,
    hint: Hint,
    fromOffset: number,
    into: Found,
    isHintTrusted: boolean,
  ): Promise<Outcome> {
    const header = this.#header;
    let position = hint.position;
    let expected = this.#segment.baseOffset;
    let expectedBefore = expected;
    let positionBefore = position;
    while (position < this.#sizeBytes) {
      await this.#ensure(handle, position, BATCH_HEADER_BYTES, into);
      const isSound = this.#parse(position, expected);
      if (position === hint.position && position > 0 && !isHintTrusted) {
        if (!isSound || header.lastOffset !== hint.offset) return 'wrong-hint';
      }
      // If the batch before had a wrong offset, this one is right.
      const isThere = isSound || this.#parse(position, expectedBefore);
      const sizeBytes = header.end - header.at;
      const end = position + sizeBytes;
      let isRight = isThere && end <= this.#sizeBytes;
      if (isRight && header.lastOffset >= fromOffset) {
        if (into.batches.length > 0 && into.bytes + sizeBytes > into.maxBytes) return 'enough';
        // One header more, to see whether this batch ends where the next one begins.
        await this.#ensure(handle, position, sizeBytes + BATCH_HEADER_BYTES, into);
        this.#parse(position, expectedBefore);
        isRight = this.#isOffsetRight(end, expected);
        if (isRight) {
          if (position < this.#segment.soundFrom && !this.#isWhole()) {
            into.corrupt = { baseOffset: header.baseOffset, lastOffset: header.lastOffset };
            return 'corrupt';
          }
          into.batches.push(this.#batch());
          into.bytes += sizeBytes;
          if (into.bytes >= into.maxBytes) return 'enough';
        }
      }
      if (!isRight) {
        const claimedEnd = position + claimedBytes(this.#chunk, position - this.#chunkAt);
        const next = await this.#behindDamage(handle, expected, positionBefore, claimedEnd);
        if (next.baseOffset > Math.max(expected, fromOffset)) {
          into.corrupt = { baseOffset: Math.max(expected, fromOffset), lastOffset: next.baseOffset - 1 };
          return 'corrupt';
        }
        expectedBefore = expected = next.baseOffset;
        positionBefore = position = next.position;
        continue;
      }
      expectedBefore = expected;
      expected = header.lastOffset + 1;
      positionBefore = position;
      position = end;
    }
    return 'end';
  }

  #parse(position: number, expected: number): boolean {
    return parseSoundHeader(this.#chunk, position - this.#chunkAt, expected, this.#header);
  }

  #batch(): StoredBatch {
    const { at, end, baseOffset, lastOffset, recordCount, maxTimestamp } = this.#header;
    return { baseOffset, lastOffset, count: recordCount, maxTimestamp, bytes: this.#chunk.subarray(at, end) };
  }

  /** Reads on, so that so many bytes are there from a position; more at once, if they are wanted. */
  async #ensure(handle: FileHandle, position: number, byteCount: number, into: Found): Promise<void> {
    const left = this.#sizeBytes - position;
    const needed = Math.min(byteCount, left);
    if (position >= this.#chunkAt && position + needed <= this.#chunkAt + this.#chunk.length) return;
    const wanted = Math.min(into.maxBytes - into.bytes + kafkaHintIntervalBytes, kafkaReadBytes);
    const length = Math.min(left, Math.max(needed, wanted, kafkaWalkBytes));
    // Batches are handed out as parts of this buffer.
    const buffer = into.memory?.buffer(length) ?? Buffer.allocUnsafeSlow(length);
    this.#chunk = await readFully(handle, buffer, position);
    this.#chunkAt = position;
  }

  #isWhole(): boolean {
    try {
      checkBatch(this.#chunk, this.#header);
      return true;
    } catch (error) {
      if (error instanceof RecordBatchError) return false;
      throw error;
    }
  }

  /** The offset that the batch at a position begins with; the segment's end where there is none that is sound. */
  #nextBase(position: number): number {
    const at = position - this.#chunkAt;
    if (at + BATCH_HEADER_BYTES > this.#chunk.length) return this.#endOffset;
    return parseSoundHeader(this.#chunk, at, 0, this.#next) ? this.#next.baseOffset : this.#endOffset;
  }

  /** Whether the offsets of the batch in hand end before the next batch, which begins at `end`. */
  #isOffsetRight(end: number, expected: number): boolean {
    const { baseOffset, lastOffset } = this.#header;
    if (lastOffset >= this.#endOffset) return false;
    // One that follows the batch before without a gap is right, and then it is the next one that is wrong.
    return baseOffset === expected || lastOffset < this.#nextBase(end);
  }

  /**
   * The next batch behind something that is none: where it claims to end, or else where batches are found again; the
   * segment's end if there is no such place.
   *
   * @param position of the batch before, as it may be that one whose length is wrong.
   */
  async #behindDamage(
    handle: FileHandle,
    expected: number,
    position: number,
    claimedEnd: number,
  ): Promise<{ position: number; baseOffset: number }> {
    const places = [claimedEnd, await this.#searchedBehind(handle, expected, position)];
    for (const place of places) {
      if (place <= position || place >= this.#sizeBytes) continue;
      const bytes = await readFully(handle, new Uint8Array(BATCH_HEADER_BYTES), place);
      const isSound = parseSoundHeader(bytes, 0, expected, this.#next);
      if (isSound && this.#next.lastOffset < this.#endOffset) {
        return { position: place, baseOffset: this.#next.baseOffset };
      }
    }
    return { position: this.#sizeBytes, baseOffset: this.#endOffset };
  }

  /** The place where batches begin again that lead to the next one that the index knows; else that one. */
  async #searchedBehind(handle: FileHandle, expected: number, position: number): Promise<number> {
    const index = await this.#segment.index(this.#handles);
    const known = index.behind(position).find((hint) => hint.offset > expected);
    const end = known?.position ?? this.#sizeBytes;
    if (end - position > kafkaReadBytes) return end;
    const bytes = await readFully(handle, new Uint8Array(end - position), position);
    const found = findBatches(bytes, expected, known?.offset ?? this.#endOffset);
    return found < 0 ? end : position + found;
  }
}

/** Why a read of a segment ended. */
type Outcome = 'end' | 'enough' | 'corrupt' | 'wrong-hint';
