import { closeSync, fstatSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { BatchHeader } from '../../batch/record-batch.ts';
import { kafkaIndexFileBytes, kafkaWalkBytes } from '../../limits/store.ts';
import type { FileHandles } from './file-handles.ts';
import { readAt } from './files.ts';
import { lastTimestampOf, SegmentIndex, timeEntryBytes } from './offset-index.ts';
import { readFully, run, runAtOnce, type Walk, type WalkEnd, walkHeaders } from './walk.ts';

/** One `.log` file with batches, and what is known about it. */
export class KafkaSegment {
  readonly baseOffset: number;
  /** Its path without a suffix. */
  readonly stem: string;
  /** The bytes of the file that count: whole batches that are durable. */
  sizeBytes: number;
  /** From here on batches were written by this process, from bytes whose checksums were compared before. */
  soundFrom = Number.POSITIVE_INFINITY;
  #index: SegmentIndex | undefined;
  #loading: Promise<SegmentIndex> | undefined;
  #maxTimestamp: number | undefined;

  constructor(stem: string, baseOffset: number, sizeBytes: number) {
    this.stem = stem;
    this.baseOffset = baseOffset;
    this.sizeBytes = sizeBytes;
  }

  get path(): string {
    return `${this.stem}.log`;
  }

  /** The largest timestamp, -1 for none, as far as it is known without reading. */
  get maxTimestamp(): number {
    return this.#index?.maxTimestamp ?? this.#maxTimestamp ?? -1;
  }

  /** A segment that was just made, with its index. */
  static withIndex(stem: string, baseOffset: number, sizeBytes: number, index: SegmentIndex): KafkaSegment {
    const segment = new KafkaSegment(stem, baseOffset, sizeBytes);
    segment.#index = index;
    return segment;
  }

  /** Looks only at the time index's last entry. */
  peek(): void {
    const fd = openIfThere(`${this.stem}.timeindex`);
    if (fd === undefined) return;
    try {
      const position = fstatSync(fd).size - timeEntryBytes;
      if (position < 0 || position % timeEntryBytes !== 0) return;
      this.#maxTimestamp = lastTimestampOf(readAt(fd, new Uint8Array(timeEntryBytes), position));
    } finally {
      closeSync(fd);
    }
  }

  /** Finds the end of the last whole batch, for the segment that is appended to; what lies behind does not count. */
  openAtEnd(): WalkEnd {
    const index = this.#readIndexFiles();
    const fd = openSync(this.path, 'r');
    try {
      let complete = index;
      let end = runAtOnce(fd, walkFromLast(index, this.baseOffset, this.sizeBytes));
      if (end.position === index.last.position && index.last.position > 0) {
        complete = new SegmentIndex(this.stem, this.baseOffset);
        end = runAtOnce(fd, walkFromLast(complete, this.baseOffset, this.sizeBytes));
      }
      this.#index = complete;
      this.sizeBytes = end.position;
      return end;
    } finally {
      closeSync(fd);
    }
  }

  /** The index that is known, or what the index files say. */
  indexAtOnce(): SegmentIndex {
    return this.#index ?? this.#readIndexFiles();
  }

  /** The index that is known, for the segment that is appended to. */
  get openIndex(): SegmentIndex {
    this.#index ??= new SegmentIndex(this.stem, this.baseOffset);
    return this.#index;
  }

  /** The index; the first time it is read or made. */
  index(handles: FileHandles): Promise<SegmentIndex> | SegmentIndex {
    if (this.#index !== undefined) return this.#index;
    this.#loading ??= this.#load(handles).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /**
   * Makes the index anew from the batches themselves. Where one is damaged, it goes on at the next place that the
   * index of before knows and that holds a batch.
   */
  async rebuildIndex(handles: FileHandles): Promise<SegmentIndex> {
    const before = this.#index;
    const rebuilt = new SegmentIndex(this.stem, this.baseOffset);
    await handles.use(this.path, async (handle) => {
      let end = await run(handle, walkInto(rebuilt, 0, this.sizeBytes, this.baseOffset));
      for (const hint of before?.behind(end.position) ?? []) {
        if (end.state !== 'bad' || hint.position <= end.position) continue;
        const next = await run(handle, walkInto(rebuilt, hint.position, this.sizeBytes, end.nextOffset));
        if (next.position > hint.position) end = next;
      }
    });
    this.#index = rebuilt;
    return rebuilt;
  }

  #readIndexFiles(): SegmentIndex {
    return SegmentIndex.fromFiles(this.stem, this.baseOffset, this.sizeBytes, {
      offsets: readIndexFile(`${this.stem}.index`),
      times: readIndexFile(`${this.stem}.timeindex`),
    });
  }

  async #load(handles: FileHandles): Promise<SegmentIndex> {
    const [offsets, times] = await Promise.all([
      readIndexFileLater(`${this.stem}.index`),
      readIndexFileLater(`${this.stem}.timeindex`),
    ]);
    const index = SegmentIndex.fromFiles(this.stem, this.baseOffset, this.sizeBytes, { offsets, times });
    // A segment that was rolled has entries until its end, unless somebody took them away.
    if (this.sizeBytes - index.last.position > kafkaWalkBytes) {
      await handles.use(this.path, (handle) =>
        run(handle, walkFromLast(index, this.baseOffset, this.sizeBytes)),
      );
    }
    this.#index = index;
    return index;
  }
}

/**
 * Tells of the batches of a segment from about an offset on, without giving the turn to anybody. Damaged bytes are passed
 * over if the index knows a place behind them.
 */
export function walkSegment(
  fd: number,
  segment: KafkaSegment,
  fromOffset: number,
  visit: (header: BatchHeader, position: number) => boolean,
): void {
  const index = segment.indexAtOnce();
  const walk = (position: number, minOffset: number): WalkEnd =>
    runAtOnce(fd, walkHeaders(position, segment.sizeBytes, minOffset, visit));
  let end = walk(index.forOffset(fromOffset).position, segment.baseOffset);
  for (const hint of index.behind(end.position)) {
    if (end.state !== 'bad') break;
    end = walk(hint.position, end.nextOffset);
  }
}

function walkFromLast(index: SegmentIndex, baseOffset: number, sizeBytes: number): Walk<WalkEnd> {
  return walkInto(index, index.last.position, sizeBytes, baseOffset);
}

function walkInto(index: SegmentIndex, from: number, end: number, minOffset: number): Walk<WalkEnd> {
  return walkHeaders(from, end, minOffset, (header, position) => {
    index.note(header.lastOffset, position, header.end - header.at, header.maxTimestamp);
    return true;
  });
}

function readIndexFile(file: string): Buffer {
  const fd = openIfThere(file);
  if (fd === undefined) return Buffer.alloc(0);
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, kafkaIndexFileBytes));
    return buffer.subarray(0, readAt(fd, buffer, 0).length);
  } finally {
    closeSync(fd);
  }
}

async function readIndexFileLater(file: string): Promise<Buffer> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return Buffer.alloc(0);
  }
  try {
    const buffer = Buffer.alloc(Math.min((await handle.stat()).size, kafkaIndexFileBytes));
    return buffer.subarray(0, (await readFully(handle, buffer, 0)).length);
  } finally {
    await handle.close();
  }
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}
