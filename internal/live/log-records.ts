import { BatchBuilder } from '../batch/build.ts';
import { emptyBatch } from '../batch/empty-batch.ts';
import { recordsPaced } from '../batch/read.ts';
import { BatchHeader, parseBatchHeader } from '../batch/record-batch.ts';
import { contentForm, contentOf, type RecordForm } from '../batch/record-form.ts';
import { BrokerError, quoted } from '../errors.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import { importedBatchBytes } from '../limits/live.ts';
import type { TopicLog } from '../log/logs.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { TurnPace } from './turn-pace.ts';

export type { RecordForm };

/**
 * Records of a partition that count, from an offset on: whole batches with about so many bytes.
 *
 * @returns the records, and where to go on; undefined at the end.
 * @throws CorruptBatchError; RecordBatchError where a batch cannot be read.
 */
export async function readRecords(
  log: TopicLog,
  partition: PartitionLog,
  fromOffset: number,
  maxBytes: number,
): Promise<{ records: RecordForm[]; next: number | undefined }> {
  const batches = await partition.read(fromOffset, maxBytes, 'committed');
  const header = new BatchHeader();
  const pace = new TurnPace();
  const found: RecordForm[] = [];
  for (const { bytes } of batches) {
    parseBatchHeader(bytes, 0, header);
    if (!partition.isCommitted(header)) continue;
    const tstype = header.timestampType === 'create' ? 'create' : 'logappend';
    for (const record of await recordsPaced(bytes, header, maxExpandedBatchBytes, pace)) {
      const { offset, timestamp: ts } = record;
      if (offset < fromOffset) continue;
      found.push({
        ...{ topic: log.name, partition: partition.number, offset, tstype, ts },
        ...contentForm(record),
      });
    }
  }
  const last = batches.at(-1);
  return { records: found, next: last === undefined ? undefined : last.lastOffset + 1 };
}

/**
 * Appends records to the partitions that they name, in their order, with their times.
 *
 * @param keepsOffsets whether they get the offsets that they have; what lies between stays unused.
 * @returns when all of it is durable, how many there were.
 * @throws BrokerError where one of them cannot be, before anything is appended; StoreUnavailableError.
 */
export async function appendRecords(
  log: TopicLog,
  forms: readonly RecordForm[],
  keepsOffsets: boolean,
): Promise<number> {
  const byPartition = Map.groupBy(forms, ({ partition }) => partition);
  for (const [number, records] of byPartition) checkRecords(log, number, records, keepsOffsets);
  await Promise.all(
    Array.from(byPartition, ([number, records]) => appendTo(log.partitions[number]!, records, keepsOffsets)),
  );
  return forms.length;
}

function checkRecords(
  log: TopicLog,
  number: number,
  records: readonly RecordForm[],
  keepsOffsets: boolean,
): void {
  const partition = log.partitions[number];
  if (partition === undefined) {
    throw invalid(`log ${quoted(log.name)} has no partition ${number}`);
  }
  let next = partition.highWatermark;
  for (const record of records) {
    const where = `log ${quoted(log.name)} partition ${number}, offset ${record.offset}`;
    try {
      contentOf(record);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw invalid(`${where}: ${error.message}`);
    }
    if (!keepsOffsets) continue;
    if (!Number.isSafeInteger(record.offset)) throw invalid(`${where}: an offset is a whole number`);
    if (record.offset < next) throw invalid(`${where} is taken: the next one is ${next}`);
    next = record.offset + 1;
  }
}

async function appendTo(
  partition: PartitionLog,
  records: readonly RecordForm[],
  keepsOffsets: boolean,
): Promise<void> {
  const builder = new BatchBuilder();
  let next = partition.highWatermark;
  let maxTimestamp = -1;
  for (const form of records) {
    const { timestamp, key, value, headers } = contentOf(form);
    const isFull = builder.sizeBytes + (value?.length ?? 0) > importedBatchBytes;
    if (isFull || (keepsOffsets && form.offset > next)) await write();
    if (keepsOffsets && form.offset > next) await skipTo(form.offset);
    builder.append(timestamp, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
    maxTimestamp = Math.max(maxTimestamp, timestamp);
    next++;
  }
  await write();

  async function write(): Promise<void> {
    const { count } = builder;
    if (count === 0) return;
    // Who subscribes live is told of what happens, not of what has.
    await partition.append({ bytes: builder.finish(), count, maxTimestamp, isPublished: true });
    maxTimestamp = -1;
  }

  /** At the beginning of a log what was never there is deleted; later it is a gap, as compaction makes them. */
  async function skipTo(offset: number): Promise<void> {
    const isBeginning = partition.highWatermark === partition.firstOffset;
    while (next < offset) {
      await partition.append(emptyBatch(offset - next));
      next = partition.highWatermark;
    }
    if (isBeginning) await partition.deleteUntil(offset);
  }
}

function invalid(message: string): BrokerError {
  return new BrokerError('invalid-change', message);
}
