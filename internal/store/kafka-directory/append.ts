import { existsSync } from 'node:fs';
import { open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordBatchError } from '../../batch/batch-error.ts';
import { type TransactionKind, transactionKind } from '../../batch/control-batch.ts';
import { BatchHeader, parseBatchHeader } from '../../batch/record-batch.ts';
import { kafkaSegmentBytesCeiling } from '../../limits/store.ts';
import { checkNext } from '../batch-rules.ts';
import type { NewBatch } from '../log-store.ts';
import { StoreError } from '../store-error.ts';
import type { FileHandles } from './file-handles.ts';
import type { FileWrite } from './file-write.ts';
import { encodeEpochs, LEADER_EPOCH_FILE, segmentName, writeEpochs } from './files.ts';
import { NewFiles } from './new-files.ts';
import type { KafkaPartition } from './partition.ts';
import { KafkaSegment } from './segment.ts';

/** The part of the store that appending needs. */
export interface AppendOptions {
  /** Of segment files, opened for writing. */
  handles: FileHandles;
  /** Is told of the file that keeps what was cut off. */
  onCut(file: string, reason: string): void;
}

/** The part of a group that goes to one segment. */
interface Part {
  segment: KafkaSegment;
  isNew: boolean;
  batches: NewBatch[];
  byteLength: number;
}

/**
 * Appends a group of batches to one partition: {@link add} each, {@link prepare} the files where it needs some, and when its
 * {@link writes} are done {@link commit}, or {@link undo} where they are not. Nothing can be seen by readers before the commit.
 */
export class Appending {
  readonly partition: KafkaPartition;
  readonly #options: AppendOptions;
  readonly #segmentBytes: number;
  readonly #parts: Part[] = [];
  readonly #header = new BatchHeader();
  readonly #newEpochs: { epoch: number; startOffset: number }[] = [];
  readonly #steps: { producerId: number; kind: TransactionKind; offset: number }[] = [];
  #nextOffset: number;
  /** The length that the new part of the last segment would get. */
  #endBytes: number;

  /** @param segmentBytes from which size on a new segment begins */
  constructor(partition: KafkaPartition, segmentBytes: number, options: AppendOptions) {
    this.partition = partition;
    this.#segmentBytes = Math.min(segmentBytes, kafkaSegmentBytesCeiling);
    this.#options = options;
    this.#nextOffset = partition.nextOffset;
    this.#endBytes = partition.segments.at(-1)?.sizeBytes ?? 0;
  }

  /** The offset that the next batch has to have. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /**
   * Takes a batch, and returns whether its header tells what is to be kept of its producer.
   *
   * @param mayLeaveGap whether it may begin behind the next offset.
   * @throws StoreError `conflict` unless it is the next one, `invalid` for what is no record batch of these offsets.
   */
  add(batch: NewBatch, mayLeaveGap = false): boolean {
    if (!mayLeaveGap || batch.baseOffset < this.#nextOffset) checkNext(batch.baseOffset, this.#nextOffset);
    checkRecordBatch(batch, this.#header);
    this.#noteTransaction(batch);
    this.#noteEpoch(this.#header.partitionLeaderEpoch, batch.baseOffset);
    const part = this.#partFor(batch);
    part.batches.push(batch);
    part.byteLength += batch.bytes.length;
    this.#endBytes += batch.bytes.length;
    this.#nextOffset = batch.lastOffset + 1;
    return batch.producer === undefined || isOfProducer(this.#header, Number(batch.producer.id));
  }

  /**
   * Whether a batch may be added to those that are there. One that begins a segment may not: if a crash left the new file and not what is
   * to be written to the one before, there would be a gap in the offsets.
   */
  fits(batch: NewBatch): boolean {
    return this.#parts.length === 0 || this.#segmentFor(batch) !== undefined;
  }

  /** Whether there are files to be made or mended before anything is written. */
  get needsFiles(): boolean {
    if (this.#newEpochs.length > 0 || this.partition.tornAt !== undefined) return true;
    return this.#parts.some(({ isNew }) => isNew);
  }

  /** Makes the files ready; the new ones have to last before anything is written to them. */
  async prepare(newFiles: NewFiles): Promise<void> {
    const { partition } = this;
    if (this.#newEpochs.length > 0) {
      const epochs = [...partition.epochs, ...this.#newEpochs];
      const file = join(partition.folder, LEADER_EPOCH_FILE);
      if (await newFiles.makeFolder(partition)) await newFiles.write(file, encodeEpochs(epochs));
      else await writeEpochs(file, epochs);
    }
    await cutTorn(partition, this.#options.onCut);
    for (const { segment, isNew } of this.#parts) {
      if (isNew) await newFiles.makeSegment(partition, segment.path);
    }
  }

  /** What is to be written. */
  get writes(): FileWrite[] {
    return this.#parts.map(({ segment, batches, byteLength }) => ({
      path: segment.path,
      position: segment.sizeBytes,
      buffers: batches.map(({ bytes }) => bytes),
      byteLength,
    }));
  }

  /** Whether a transaction ends here whose records do not count. */
  get aborts(): boolean {
    return this.#steps.some(({ kind }) => kind === 'abort');
  }

  /** Lets readers see it. @returns the segments that nothing comes behind any more. */
  commit(): KafkaSegment[] {
    const { partition } = this;
    const full: KafkaSegment[] = [];
    for (const { segment, isNew, batches } of this.#parts) {
      if (isNew) {
        const last = partition.segments.at(-1);
        if (last !== undefined) full.push(last);
        partition.segments = [...partition.segments, segment];
      }
      let position = segment.sizeBytes;
      segment.soundFrom = Math.min(segment.soundFrom, position);
      for (const { lastOffset, maxTimestamp, bytes } of batches) {
        segment.openIndex.note(lastOffset, position, bytes.length, maxTimestamp);
        position += bytes.length;
      }
      segment.sizeBytes = position;
    }
    for (const { offset, ...step } of this.#steps) partition.transactions.apply(step, offset);
    partition.epochs.push(...this.#newEpochs);
    partition.nextOffset = this.#nextOffset;
    return full;
  }

  /** Takes away what may have been written. */
  async undo(): Promise<void> {
    for (const { segment, isNew } of this.#parts) {
      await this.#options.handles.forget(segment.path);
      if (isNew) await rm(segment.path, { force: true });
      else if (this.partition.tornAt === undefined) await truncate(segment.path, segment.sizeBytes);
    }
    // The folder may be what could not be made.
    if (this.#newEpochs.length > 0 && existsSync(this.partition.folder)) {
      await writeEpochs(join(this.partition.folder, LEADER_EPOCH_FILE), this.partition.epochs);
    }
  }

  #partFor(batch: NewBatch): Part {
    const segment = this.#segmentFor(batch);
    const current = this.#parts.at(-1);
    if (segment !== undefined && current !== undefined) return current;
    if (segment === undefined) this.#endBytes = 0;
    const part = {
      segment: segment ?? this.#newSegment(batch.baseOffset),
      isNew: segment === undefined,
      batches: [],
      byteLength: 0,
    };
    this.#parts.push(part);
    return part;
  }

  /** The last segment, unless a batch begins a new one. */
  #segmentFor({ bytes, lastOffset }: NewBatch): KafkaSegment | undefined {
    const segment = this.#parts.at(-1)?.segment ?? this.partition.segments.at(-1);
    if (segment === undefined || lastOffset - segment.baseOffset > MAX_RELATIVE_OFFSET) return undefined;
    if (this.#endBytes > 0 && this.#endBytes + bytes.length > this.#segmentBytes) return undefined;
    return segment;
  }

  #newSegment(baseOffset: number): KafkaSegment {
    return new KafkaSegment(join(this.partition.folder, segmentName(baseOffset)), baseOffset, 0);
  }

  #noteTransaction({ baseOffset, bytes }: NewBatch): void {
    const { producerId, isTransactional } = this.#header;
    if (!isTransactional) return;
    const kind = readable(() => transactionKind(bytes, this.#header));
    if (kind !== undefined) this.#steps.push({ producerId, kind, offset: baseOffset });
  }

  #noteEpoch(epoch: number, startOffset: number): void {
    const last = this.#newEpochs.at(-1) ?? this.partition.epochs.at(-1);
    if (epoch >= 0 && (last === undefined || epoch > last.epoch))
      this.#newEpochs.push({ epoch, startOffset });
  }
}

/**
 * Begins a new segment at the next offset, so that the ones before can change or go; or at a later one, which is the
 * next then.
 *
 * @returns the segment that is complete now, if there is one.
 */
export async function roll(
  partition: KafkaPartition,
  offset = partition.nextOffset,
): Promise<KafkaSegment | undefined> {
  const last = partition.segments.at(-1);
  if (last !== undefined && last.baseOffset === offset) return undefined;
  const stem = join(partition.folder, segmentName(offset));
  const newFiles = new NewFiles();
  await newFiles.makeSegment(partition, `${stem}.log`);
  await newFiles.sync();
  partition.segments = [...partition.segments, new KafkaSegment(stem, offset, 0)];
  partition.nextOffset = offset;
  return last;
}

/** Whether a header says all that is kept of a producer. The marks that end transactions have no sequence. */
export function isOfProducer(header: BatchHeader, id: number): boolean {
  return header.producerId === id && header.baseSequence >= 0 && !header.isControl;
}

/** Index entries hold the difference of an offset to the segment's first one in 31 bits. */
const MAX_RELATIVE_OFFSET = 2 ** 31 - 1;

/** @throws StoreError `invalid` unless the bytes are one record batch with just these offsets. */
export function checkRecordBatch(batch: NewBatch, header: BatchHeader): void {
  readable(() => parseBatchHeader(batch.bytes, 0, header));
  const { baseOffset, lastOffset, end } = header;
  if (baseOffset !== batch.baseOffset || lastOffset !== batch.lastOffset || end !== batch.bytes.length) {
    throw new StoreError(
      'invalid',
      `a record batch of ${end} bytes with the offsets ${baseOffset} to ${lastOffset}, handed over as ` +
        `${batch.bytes.length} bytes with ${batch.baseOffset} to ${batch.lastOffset}`,
    );
  }
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RecordBatchError)) throw error;
    throw new StoreError('invalid', `a Kafka log directory holds record batches only: ${error.message}`);
  }
}

/**
 * Cuts off what lies behind the last whole batch, before anything comes behind it. A copy stays, as it may not have been
 * worthless.
 */
export async function cutTorn(partition: KafkaPartition, onCut: AppendOptions['onCut']): Promise<void> {
  if (partition.tornAt === undefined) return;
  const segment = partition.segments.at(-1)!;
  const position = partition.tornAt;
  const kept = `${segment.stem}.cut-${position}`;
  const handle = await open(segment.path, 'r+');
  try {
    const copy = await open(kept, 'w', 0o644);
    let isZero = true;
    try {
      const buffer = new Uint8Array(64 * 1024);
      for (let at = position; ; ) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) break;
        isZero &&= buffer.subarray(0, bytesRead).every((byte) => byte === 0);
        await copy.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      await copy.datasync();
    } finally {
      await copy.close();
    }
    await handle.truncate(position);
    await handle.datasync();
    partition.tornAt = undefined;
    if (isZero) await rm(kept);
    else onCut(kept, `no whole batch lies in ${segment.path} from byte ${position} on`);
  } finally {
    await handle.close();
  }
}
