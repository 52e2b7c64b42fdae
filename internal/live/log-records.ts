import { BatchBuilder } from '../batch/build.ts';
import { emptyBatch } from '../batch/empty-batch.ts';
import { recordsPaced } from '../batch/read.ts';
import { BatchHeader, parseBatchHeader } from '../batch/record-batch.ts';
import { contentForm, contentOf, type RecordForm } from '../batch/record-form.ts';
import { BrokerError, quoted } from '../errors.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import { importedBatchBytes } from '../limits/live.ts';
import type { TopicLog } from '../log/logs.ts';
import type { PartitionLog, UnplacedBatch } from '../log/partition-log.ts';
import { CorruptBatchError, StoreError } from '../store/store-error.ts';
import { TurnPace } from './turn-pace.ts';

export type { RecordForm };

/** Offsets of a partition. */
export interface OffsetSpan {
  readonly first: number;
  readonly last: number;
}

/** Some of the records of a partition. */
export interface RecordsRead {
  readonly records: RecordForm[];
  /** Where to go on; undefined at the end. */
  readonly next?: number;
  /** A batch that lies there instead of records, and is damaged. */
  readonly damaged?: OffsetSpan;
}

/**
 * Records of a partition that count, from an offset on: whole batches with about so many bytes.
 *
 * @throws RecordBatchError where a batch cannot be read; StoreUnavailableError.
 */
export async function readRecords(
  log: TopicLog,
  partition: PartitionLog,
  fromOffset: number,
  maxBytes: number,
): Promise<RecordsRead> {
  const batches = await partition.readOrDamage(fromOffset, maxBytes);
  if (batches instanceof CorruptBatchError) {
    const { baseOffset: first, lastOffset: last } = batches;
    return { records: [], next: last + 1, damaged: { first, last } };
  }
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
  return { records: found, ...(last && { next: last.lastOffset + 1 }) };
}

/** Where a partition is to end, though nothing is kept there any more. */
export interface PartitionEnd {
  readonly partition: number;
  readonly nextOffset: number;
}

/**
 * Appends records to the partitions that they name, in their order, with their times.
 *
 * @param keepsOffsets whether they get the offsets that they have; what lies between stays unused.
 * @param ends where partitions are to end at least, if offsets are kept.
 * @returns when all of it is durable, how many there were.
 * @throws BrokerError where one of them cannot be, before anything is appended, or where somebody else appends; StoreUnavailableError.
 */
export async function appendRecords(
  log: TopicLog,
  forms: readonly RecordForm[],
  keepsOffsets: boolean,
  ends: readonly PartitionEnd[] = [],
): Promise<number> {
  const byPartition = Map.groupBy(forms, ({ partition }) => partition);
  const endOf = new Map(keepsOffsets ? ends.map(({ partition, nextOffset }) => [partition, nextOffset]) : []);
  for (const number of endOf.keys()) if (!byPartition.has(number)) byPartition.set(number, []);
  for (const [number, records] of byPartition) checkRecords(log, number, records, keepsOffsets);
  const appending = Array.from(byPartition, ([number, records]) => {
    const partition = log.partitions[number]!;
    return keepsOffsets
      ? new PlacedRecords(partition).append(records, endOf.get(number) ?? 0)
      : appendBehind(partition, records);
  });
  await Promise.all(appending);
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

/** What is gathered of records until it is a batch. */
class Gathered {
  readonly #builder = new BatchBuilder();
  #maxTimestamp = -1;

  get count(): number {
    return this.#builder.count;
  }

  isFullWith({ length }: { readonly length: number }): boolean {
    return this.#builder.sizeBytes + length > importedBatchBytes;
  }

  add({ timestamp, key, value, headers }: ReturnType<typeof contentOf>): void {
    this.#builder.append(timestamp, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
    this.#maxTimestamp = Math.max(this.#maxTimestamp, timestamp);
  }

  /** Who subscribes live is told of what happens, not of what has. */
  finish(): UnplacedBatch {
    const { count } = this;
    const maxTimestamp = this.#maxTimestamp;
    this.#maxTimestamp = -1;
    return { bytes: this.#builder.finish(), count, maxTimestamp, isPublished: true };
  }
}

async function appendBehind(partition: PartitionLog, records: readonly RecordForm[]): Promise<void> {
  const gathered = new Gathered();
  for (const form of records) {
    const content = contentOf(form);
    if (gathered.count > 0 && gathered.isFullWith(content.value ?? NOTHING))
      await partition.append(gathered.finish());
    gathered.add(content);
  }
  if (gathered.count > 0) await partition.append(gathered.finish());
}

/** Records of one partition that keep their offsets: each batch says where it has to lie, as others may append too. */
class PlacedRecords {
  readonly #partition: PartitionLog;
  readonly #gathered = new Gathered();
  readonly #isBeginning: boolean;
  /** Behind what is stored. */
  #end: number;

  constructor(partition: PartitionLog) {
    this.#partition = partition;
    this.#end = partition.highWatermark;
    this.#isBeginning = partition.firstOffset === this.#end;
  }

  async append(records: readonly RecordForm[], untilOffset: number): Promise<void> {
    const gathered = this.#gathered;
    let isBeginning = this.#isBeginning;
    for (const form of records) {
      const content = contentOf(form);
      const isGap = form.offset > this.#end + gathered.count;
      if (isGap || gathered.isFullWith(content.value ?? NOTHING)) await this.#write();
      if (isGap) await this.#skipTo(form.offset, isBeginning);
      isBeginning = false;
      gathered.add(content);
    }
    await this.#write();
    await this.#skipTo(untilOffset, isBeginning);
  }

  async #write(): Promise<void> {
    if (this.#gathered.count > 0) await this.#place(this.#gathered.finish());
  }

  async #place(batch: UnplacedBatch): Promise<void> {
    try {
      await this.#partition.append({ ...batch, baseOffset: this.#end });
      this.#end += batch.count;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'exists') throw invalid(error.message);
      throw error;
    }
  }

  /** At the beginning of a log what was never there is deleted; later it is a gap, as compaction makes them. */
  async #skipTo(offset: number, isBeginning: boolean): Promise<void> {
    if (offset <= this.#end) return;
    while (this.#end < offset) await this.#place(emptyBatch(offset - this.#end));
    if (isBeginning) await this.#partition.deleteUntil(offset);
  }
}

const NOTHING = new Uint8Array(0);

function invalid(message: string): BrokerError {
  return new BrokerError('invalid-change', message);
}
