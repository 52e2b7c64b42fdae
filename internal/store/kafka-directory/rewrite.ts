import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BatchHeader } from '../../batch/record-batch.ts';
import { kafkaReadBytes } from '../../limits/store.ts';
import { reachesOver } from '../batch-rules.ts';
import type { NewBatch } from '../log-store.ts';
import { CorruptBatchError, StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import { checkRecordBatch, roll } from './append.ts';
import type { FileHandles } from './file-handles.ts';
import { INDEX_SUFFIXES, segmentName, TRANSACTION_INDEX_SUFFIX } from './files.ts';
import { SegmentIndex } from './offset-index.ts';
import type { KafkaPartition } from './partition.ts';
import { KafkaSegment } from './segment.ts';
import { writeTransactionIndex } from './transactions.ts';
import { readFully, run, type WalkEnd, walkHeaders } from './walk.ts';

/** Open files, which must not stay open when others take their place. */
export interface OpenFiles {
  readers: FileHandles;
  writers: FileHandles;
}

/** Removes the segments that lie below an offset, which is the first one now. */
export async function deleteSegments(
  partition: KafkaPartition,
  offset: number,
  files: OpenFiles,
): Promise<void> {
  if (offset === partition.nextOffset) await (await roll(partition))?.openIndex.finish();
  const goes = partition.segmentIndex(offset);
  const gone = partition.segments.slice(0, goes);
  await partition.gate.alone(async () => {
    for (const segment of gone) {
      partition.goneMaxTimestamp = Math.max(partition.goneMaxTimestamp, segment.maxTimestamp);
      await setAsDeleted(segment, files);
    }
    partition.segments = partition.segments.slice(goes);
    await partition.setFirstOffset(offset);
  });
  await removeDeleted(gone);
}

/**
 * Puts batches in the place of those from one offset to another. The segments that this concerns are written anew and
 * take the place of the old ones in Kafka's own way: `.cleaned` while they are written, `.swap` when they are whole.
 *
 * @throws StoreError `conflict` where a batch reaches over either end; CorruptBatchError
 */
export async function replaceBatches(
  partition: KafkaPartition,
  fromOffset: number,
  toOffset: number,
  batches: NewBatch[],
  segmentBytes: number,
  files: OpenFiles,
): Promise<void> {
  const header = new BatchHeader();
  for (const batch of batches) checkRecordBatch(batch, header);
  // The segment that is appended to holds the next offset, also when all its batches go.
  if (toOffset >= partition.segments.at(-1)!.baseOffset) await (await roll(partition))?.openIndex.finish();
  const start = partition.segmentIndex(fromOffset);
  const end = partition.segmentIndex(toOffset);
  const old = partition.segments.slice(start, end + 1);
  const range = await findRange(partition, old, fromOffset, toOffset, files.readers);
  const sink = new SegmentSink(partition, old[0]!.baseOffset, segmentBytes);
  let made: KafkaSegment[];
  try {
    await sink.copy(old[0]!, 0, range.start, files.readers);
    for (const batch of batches) await sink.add(batch);
    await sink.copy(old.at(-1)!, range.end, old.at(-1)!.sizeBytes, files.readers);
    made = await sink.finish();
    await writeTransactionIndexes(partition, made, partition.segments[end + 1]!.baseOffset);
  } catch (error) {
    await sink.discard();
    throw error;
  }
  // From the last to the first: as long as one is not swapped, Kafka throws all of them away after a crash.
  for (const { path, stem } of [...made].reverse()) {
    await rename(`${path}.cleaned`, `${path}.swap`);
    await renameIfThere(`${stem}${TRANSACTION_INDEX_SUFFIX}`, '.cleaned', '.swap');
  }
  syncDirectory(partition.folder);
  const goneMaxTimestamp = Math.max(partition.goneMaxTimestamp, ...old.map((each) => each.maxTimestamp));
  await partition.gate.alone(async () => {
    for (const segment of old) await setAsDeleted(segment, files);
    for (const { path, stem } of made) {
      await rename(`${path}.swap`, path);
      await renameIfThere(`${stem}${TRANSACTION_INDEX_SUFFIX}`, '.swap', '');
    }
    partition.goneMaxTimestamp = goneMaxTimestamp;
    partition.segments = [
      ...partition.segments.slice(0, start),
      ...made,
      ...partition.segments.slice(end + 1),
    ];
    await partition.setFirstOffset(partition.firstOffset);
  });
  syncDirectory(partition.folder);
  for (const segment of made) await segment.openIndex.finish();
  await removeDeleted(old);
}

/** The aborted transactions of the new segments: without them Kafka takes their records for committed ones. */
async function writeTransactionIndexes(
  { transactions }: KafkaPartition,
  made: readonly KafkaSegment[],
  endOffset: number,
): Promise<void> {
  for (const [at, { stem, baseOffset }] of made.entries()) {
    const end = made[at + 1]?.baseOffset ?? endOffset;
    const aborted = transactions.abortedEndingIn(baseOffset, end);
    if (aborted.length > 0) await writeTransactionIndex(stem, aborted, '.cleaned');
  }
}

async function renameIfThere(file: string, from: string, to: string): Promise<void> {
  try {
    await rename(file + from, file + to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The start of the range in the first of these segments, and its end in the last. */
async function findRange(
  partition: KafkaPartition,
  segments: KafkaSegment[],
  fromOffset: number,
  toOffset: number,
  readers: FileHandles,
): Promise<{ start: number; end: number }> {
  const walk = async (segment: KafkaSegment, visit: (header: BatchHeader) => boolean): Promise<WalkEnd> => {
    const { sizeBytes, baseOffset } = segment;
    const end = await readers.use(segment.path, (handle) =>
      run(handle, walkHeaders(0, sizeBytes, baseOffset, visit)),
    );
    if (end.state === 'bad' || end.state === 'torn' || end.isDamaged) {
      throw new CorruptBatchError(partition.id, end.nextOffset, Math.max(toOffset, end.nextOffset));
    }
    return end;
  };
  const start = await walk(segments[0]!, (header) => {
    if (header.lastOffset < fromOffset) return true;
    if (header.baseOffset < fromOffset) throw reachesOver(header.baseOffset, header.lastOffset);
    return false;
  });
  const end = await walk(segments.at(-1)!, (header) => {
    if (header.baseOffset > toOffset) return false;
    if (header.lastOffset > toOffset) throw reachesOver(header.baseOffset, header.lastOffset);
    return true;
  });
  return { start: start.position, end: end.position };
}

/** Writes new segments, `.cleaned` behind their names. */
class SegmentSink {
  readonly #partition: KafkaPartition;
  readonly #segmentBytes: number;
  readonly #made: KafkaSegment[] = [];
  #output: Awaited<ReturnType<typeof open>> | undefined;
  #index: SegmentIndex | undefined;
  #baseOffset: number;
  #sizeBytes = 0;

  constructor(partition: KafkaPartition, baseOffset: number, segmentBytes: number) {
    this.#partition = partition;
    this.#baseOffset = baseOffset;
    this.#segmentBytes = segmentBytes;
  }

  /** Copies whole batches of a segment, as many as lie between two positions. */
  async copy(from: KafkaSegment, start: number, end: number, readers: FileHandles): Promise<void> {
    if (start >= end) return;
    await readers.use(from.path, async (handle) => {
      let firstOffset = from.baseOffset;
      const seeFirst = (header: BatchHeader) => {
        firstOffset = header.baseOffset;
        return false;
      };
      await run(handle, walkHeaders(start, end, from.baseOffset, seeFirst));
      await this.#begin(end - start, firstOffset);
      const at = this.#sizeBytes - start;
      const walked = await run(
        handle,
        walkHeaders(start, end, from.baseOffset, ({ lastOffset, maxTimestamp, end, at: begin }, position) => {
          this.#index!.note(lastOffset, position + at, end - begin, maxTimestamp);
          return true;
        }),
      );
      if (walked.state !== 'complete' || walked.isDamaged) {
        throw new CorruptBatchError(this.#partition.id, walked.nextOffset, walked.nextOffset);
      }
      const buffer = new Uint8Array(Math.min(kafkaReadBytes, end - start));
      for (let position = start; position < end; ) {
        const wanted = buffer.subarray(0, Math.min(buffer.length, end - position));
        const bytes = await readFully(handle, wanted, position);
        if (bytes.length === 0) throw new StoreError('corrupt', `${from.path} became shorter`);
        await this.#write(bytes);
        position += bytes.length;
      }
    });
  }

  async add(batch: NewBatch): Promise<void> {
    await this.#begin(batch.bytes.length, batch.baseOffset);
    this.#index!.note(batch.lastOffset, this.#sizeBytes, batch.bytes.length, batch.maxTimestamp);
    await this.#write(batch.bytes);
  }

  /** The segments, on the disk under their `.cleaned` names. */
  async finish(): Promise<KafkaSegment[]> {
    if (this.#output === undefined) await this.#begin(0, this.#baseOffset);
    await this.#end();
    return this.#made;
  }

  async discard(): Promise<void> {
    await this.#output?.close();
    for (const { path, stem } of this.#made) {
      await rm(`${path}.cleaned`, { force: true });
      await rm(`${stem}${TRANSACTION_INDEX_SUFFIX}.cleaned`, { force: true });
    }
    await rm(`${this.#stem()}.log.cleaned`, { force: true });
  }

  /** Makes room for so many bytes: in a new segment if this one is full. The first keeps the base of the old one. */
  async #begin(byteLength: number, baseOffset: number): Promise<void> {
    if (this.#output !== undefined) {
      if (this.#sizeBytes === 0 || this.#sizeBytes + byteLength <= this.#segmentBytes) return;
      await this.#end();
      this.#baseOffset = baseOffset;
    }
    this.#output = await open(`${this.#stem()}.log.cleaned`, 'w', 0o644);
    this.#index = new SegmentIndex(this.#stem(), this.#baseOffset);
    this.#sizeBytes = 0;
  }

  async #end(): Promise<void> {
    await this.#output!.datasync();
    await this.#output!.close();
    this.#output = undefined;
    this.#made.push(KafkaSegment.withIndex(this.#stem(), this.#baseOffset, this.#sizeBytes, this.#index!));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#output!.write(bytes, done, bytes.length - done)).bytesWritten;
    }
    this.#sizeBytes += bytes.length;
  }

  #stem(): string {
    return join(this.#partition.folder, segmentName(this.#baseOffset));
  }
}

/** Takes a segment's files away from their names. */
async function setAsDeleted(segment: KafkaSegment, { readers, writers }: OpenFiles): Promise<void> {
  await readers.forget(segment.path);
  await writers.forget(segment.path);
  await rename(segment.path, `${segment.path}.deleted`);
  for (const suffix of [...INDEX_SUFFIXES, '.snapshot']) await rm(segment.stem + suffix, { force: true });
}

async function removeDeleted(segments: KafkaSegment[]): Promise<void> {
  for (const { path } of segments) await rm(`${path}.deleted`, { force: true });
}
