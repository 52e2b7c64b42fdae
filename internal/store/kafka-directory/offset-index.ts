import { type FileHandle, open } from 'node:fs/promises';
import { firstIndex } from '../../lib/first-index.ts';
import {
  kafkaHintIntervalBytes,
  kafkaIndexIntervalBytes,
  kafkaUnwrittenWalkBytes,
} from '../../limits/store.ts';
import { walkedBytes } from './walk.ts';

const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;
/** One of so many entries of a time index becomes a hint, as index entries are so much closer than hints. */
const ENTRIES_PER_HINT = kafkaHintIntervalBytes / kafkaIndexIntervalBytes;

/** A hint where an offset lies: the batch at `position` holds `offset` or ends before it. */
export interface Hint {
  offset: number;
  position: number;
}

/**
 * The places of batches in one segment: sparse hints in memory, and the entries for Kafka's index files:
 *
 *     .index       lastOffset - base (4)   position (4)
 *     .timeindex   largest timestamp so far (8)   lastOffset of the batch that has it - base (4)
 *
 * The entries of the files are hints too: whoever uses one looks whether it is right.
 */
export class SegmentIndex {
  readonly #stem: string;
  readonly #baseOffset: number;
  readonly #hints: Hint[];
  readonly #timeHints: TimeHint[] = [];
  #maxTimestamp = -1;
  #offsetOfMax: number;

  /** Entries of the files that are right, and those that are not in them yet. */
  #offsetEntryCount = 0;
  #timeEntryCount = 0;
  #lastTimeEntry = -1;
  #waitingOffsets: Hint[] = [];
  #waitingTimes: TimeHint[] = [];
  #isCut = false;
  #sinceEntryBytes = 0;
  #sinceHintBytes = 0;
  /** What a walk over the batches behind the entries in the files would read. */
  #unwrittenWalkBytes = 0;

  /** @param stem the segment's path without a suffix */
  constructor(stem: string, baseOffset: number) {
    this.#stem = stem;
    this.#baseOffset = baseOffset;
    this.#offsetOfMax = baseOffset;
    this.#hints = [{ offset: baseOffset, position: 0 }];
  }

  /** The index that the files' bytes give, as far as they make sense for a segment of this size. */
  static fromFiles(
    stem: string,
    baseOffset: number,
    segmentBytes: number,
    files: { offsets: Buffer; times: Buffer },
  ): SegmentIndex {
    const index = new SegmentIndex(stem, baseOffset);
    // Without times a hint would only hide that the batches before it have to be looked at.
    if (files.times.length === 0) return index;
    index.#takeOffsets(files.offsets, segmentBytes);
    index.#takeTimes(files.times);
    return index;
  }

  /** The largest timestamp of the batches that were noted or are in the time index, -1 for none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** The last hint. */
  get last(): Hint {
    return this.#hints.at(-1)!;
  }

  /** Takes up a batch that lies behind all others. */
  note(lastOffset: number, position: number, sizeBytes: number, maxTimestamp: number): void {
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#offsetOfMax = lastOffset;
    }
    if (this.#sinceHintBytes > kafkaHintIntervalBytes) {
      this.#hints.push({ offset: lastOffset, position });
      this.#timeHints.push({ timestamp: this.#maxTimestamp, offset: this.#offsetOfMax });
      this.#sinceHintBytes = 0;
    }
    if (this.#sinceEntryBytes > kafkaIndexIntervalBytes) {
      this.#waitingOffsets.push({ offset: lastOffset, position });
      this.#addTimeEntry();
      this.#sinceEntryBytes = 0;
    }
    this.#sinceHintBytes += sizeBytes;
    this.#sinceEntryBytes += sizeBytes;
    this.#unwrittenWalkBytes += walkedBytes(sizeBytes);
  }

  /** The nearest hint at or before an offset. */
  forOffset(offset: number): Hint {
    const found = lastIndex(this.#hints, (hint) => hint.offset <= offset);
    return this.#hints[Math.max(0, found)]!;
  }

  /** The nearest hint at or before a position. */
  forPosition(position: number): Hint {
    // The first one is the beginning of the segment.
    return this.#hints[lastIndex(this.#hints, (hint) => hint.position <= position)]!;
  }

  /** The hints behind a position. */
  behind(position: number): Hint[] {
    return this.#hints.slice(lastIndex(this.#hints, (hint) => hint.position <= position) + 1);
  }

  /** An offset before which no batch has reached a time. */
  offsetForTime(timestamp: number): number {
    const found = lastIndex(this.#timeHints, (hint) => hint.timestamp < timestamp);
    return this.#timeHints[found]?.offset ?? this.#baseOffset;
  }

  /** Whether so much lies behind the entries that are written that those which wait should be. */
  get isDue(): boolean {
    return this.#unwrittenWalkBytes >= kafkaUnwrittenWalkBytes;
  }

  /** Writes the entries that wait into the files. What lies behind the entries that are right is cut off. */
  async write(): Promise<void> {
    // Times first: whoever finds an entry among the offsets finds the times of everything before it.
    const times = this.#waitingTimes;
    const timeBytes = Buffer.alloc(times.length * TIME_ENTRY_BYTES);
    for (const [index, { timestamp, offset }] of times.entries()) {
      timeBytes.writeBigInt64BE(BigInt(timestamp), index * TIME_ENTRY_BYTES);
      timeBytes.writeInt32BE(offset - this.#baseOffset, index * TIME_ENTRY_BYTES + 8);
    }
    await this.#writeEntries('.timeindex', timeBytes, this.#timeEntryCount * TIME_ENTRY_BYTES);
    this.#timeEntryCount += times.length;
    this.#waitingTimes = [];
    const offsets = this.#waitingOffsets;
    const offsetBytes = Buffer.alloc(offsets.length * OFFSET_ENTRY_BYTES);
    for (const [index, { offset, position }] of offsets.entries()) {
      offsetBytes.writeInt32BE(offset - this.#baseOffset, index * OFFSET_ENTRY_BYTES);
      offsetBytes.writeInt32BE(position, index * OFFSET_ENTRY_BYTES + 4);
    }
    await this.#writeEntries('.index', offsetBytes, this.#offsetEntryCount * OFFSET_ENTRY_BYTES);
    this.#offsetEntryCount += offsets.length;
    this.#waitingOffsets = [];
    this.#unwrittenWalkBytes = 0;
    this.#isCut = true;
  }

  /** Completes the files: nothing comes behind, or Kafka takes over. */
  async finish(): Promise<void> {
    this.#addTimeEntry();
    await this.write();
  }

  async #writeEntries(suffix: string, bytes: Buffer, position: number): Promise<void> {
    if (bytes.length === 0 && this.#isCut) return;
    const handle = await openOrCreate(this.#stem + suffix);
    try {
      if (!this.#isCut) await handle.truncate(position);
      await handle.write(bytes, 0, bytes.length, position);
    } finally {
      await handle.close();
    }
  }

  #addTimeEntry(): void {
    if (this.#maxTimestamp <= this.#lastTimeEntry) return;
    this.#waitingTimes.push({ timestamp: this.#maxTimestamp, offset: this.#offsetOfMax });
    this.#lastTimeEntry = this.#maxTimestamp;
  }

  #takeOffsets(bytes: Buffer, segmentBytes: number): void {
    let last = { offset: this.#baseOffset - 1, position: 0 };
    let count = 0;
    for (let at = 0; at + OFFSET_ENTRY_BYTES <= bytes.length; at += OFFSET_ENTRY_BYTES) {
      const offset = this.#baseOffset + bytes.readInt32BE(at);
      const position = bytes.readInt32BE(at + 4);
      // Behind the last entry Kafka leaves zeros until it closes the file.
      if (offset <= last.offset || position <= last.position || position >= segmentBytes) break;
      last = { offset, position };
      count++;
      if (position - this.#hints.at(-1)!.position > kafkaHintIntervalBytes) this.#hints.push(last);
    }
    if (count > 0 && this.#hints.at(-1) !== last) this.#hints.push(last);
    this.#offsetEntryCount = count;
  }

  #takeTimes(bytes: Buffer): void {
    let offset = this.#baseOffset - 1;
    let count = 0;
    for (let at = 0; at + TIME_ENTRY_BYTES <= bytes.length; at += TIME_ENTRY_BYTES) {
      const timestamp = Number(bytes.readBigInt64BE(at));
      const nextOffset = this.#baseOffset + bytes.readInt32BE(at + 8);
      if (timestamp <= this.#maxTimestamp || nextOffset < offset || !Number.isSafeInteger(timestamp)) break;
      // Zeros, where nothing was written; but records may be from 1970.
      if (timestamp === 0 && (count > 0 || this.#offsetEntryCount === 0)) break;
      offset = nextOffset;
      this.#maxTimestamp = timestamp;
      if (count++ % ENTRIES_PER_HINT === 0) this.#timeHints.push({ timestamp, offset });
    }
    if (count > 0) this.#offsetOfMax = offset;
    this.#timeEntryCount = count;
    this.#lastTimeEntry = this.#maxTimestamp;
  }
}

interface TimeHint {
  timestamp: number;
  offset: number;
}

/** The last entry of a time index; undefined where it says nothing. */
export function lastTimestampOf(entry: Uint8Array): number | undefined {
  if (entry.length < TIME_ENTRY_BYTES) return undefined;
  const timestamp = Number(new DataView(entry.buffer, entry.byteOffset).getBigInt64(0));
  return timestamp > 0 && Number.isSafeInteger(timestamp) ? timestamp : undefined;
}

export const offsetEntryBytes = OFFSET_ENTRY_BYTES;
export const timeEntryBytes = TIME_ENTRY_BYTES;

async function openOrCreate(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return open(file, 'w', 0o644);
  }
}

/** The last index for which `test` holds, where it holds up to some index and for none behind it; -1 for none. */
function lastIndex<T>(items: readonly T[], test: (item: T) => boolean): number {
  return firstIndex(items, (item) => !test(item)) - 1;
}
