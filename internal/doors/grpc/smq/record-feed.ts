import { recordBytes } from '../../../batch/read.ts';
import { BatchHeader, parseBatchHeader } from '../../../batch/record-batch.ts';
import { RecordCursor } from '../../../batch/record-cursor.ts';
import { maxExpandedBatchBytes } from '../../../limits/batch.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';

/** Walks the records of a partition from an offset on, whole batches at a time, without making anything per record. */
export class RecordFeed {
  /** The value of the record in hand. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  offset = 0;
  readonly #partition: PartitionLog;
  readonly #header = new BatchHeader();
  readonly #cursor = new RecordCursor();
  #position: number;
  #batches: { bytes: Uint8Array; lastOffset: number }[] = [];
  #next = 0;
  #records: { bytes: Uint8Array; start: number; end: number } | undefined;
  #index = 0;
  #lastOffset = 0;

  constructor(partition: PartitionLog, fromOffset: number) {
    this.#partition = partition;
    this.#position = fromOffset;
  }

  /** A header of the record in hand, where that is text; undefined where it has none. */
  header(name: string): string | undefined {
    if (this.#cursor.headerCount === 0) return undefined;
    const value = this.#cursor.headers(this.bytes).find(({ key }) => key === name)?.value;
    return value ? Buffer.from(value).toString('latin1') : undefined;
  }

  /** Every record before this was walked over. */
  get position(): number {
    return this.#position;
  }

  /** Whether {@link next} may find something without reading more. */
  get hasBatches(): boolean {
    return this.#records !== undefined || this.#next < this.#batches.length;
  }

  /**
   * Reads batches, at most `maxBytes` but one at least. Returns their bytes, 0 at the end of what can be read.
   *
   * @throws StoreUnavailableError.
   */
  async read(maxBytes: number): Promise<number> {
    this.#batches = await this.#partition.readIntact(this.#position, maxBytes, 'committed');
    this.#next = 0;
    return this.#batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  }

  /** Goes on at an offset that lies behind. */
  skipTo(offset: number): void {
    this.#position = Math.max(this.#position, offset);
  }

  /**
   * Takes the next record of the batches that were read in hand. False where there is none.
   *
   * @throws RecordBatchError for a batch that cannot be expanded.
   */
  next(): boolean {
    for (;;) {
      if (this.#records === undefined && !this.#nextBatch()) return false;
      const { bytes, start, end } = this.#records!;
      const header = this.#header;
      const cursor = this.#cursor;
      let at = start;
      while (this.#index < header.recordCount) {
        cursor.read(bytes, at, end, this.#index++);
        at = cursor.end;
        this.#records!.start = at;
        const offset = header.baseOffset + cursor.offsetDelta;
        if (offset < this.#position) continue;
        this.bytes = bytes;
        // A record without a value is a message without bytes.
        this.start = Math.max(0, cursor.valueStart);
        this.end = Math.max(0, cursor.valueEnd);
        this.offset = offset;
        this.#position = offset + 1;
        return true;
      }
      this.#records = undefined;
      this.#position = Math.max(this.#position, this.#lastOffset + 1);
    }
  }

  #nextBatch(): boolean {
    const batch = this.#batches[this.#next];
    if (batch === undefined) return false;
    // Batches that were read need not stay in memory.
    this.#batches[this.#next++] = NO_BATCH;
    const header = parseBatchHeader(batch.bytes, 0, this.#header);
    this.#lastOffset = batch.lastOffset;
    const isCommitted = this.#partition.isCommitted(header);
    this.#index = isCommitted ? 0 : header.recordCount;
    this.#records = isCommitted
      ? recordBytes(batch.bytes, header, maxExpandedBatchBytes)
      : { bytes: NOTHING, start: 0, end: 0 };
    return true;
  }
}

const NOTHING = new Uint8Array(0);
const NO_BATCH = { bytes: NOTHING, lastOffset: -1 };
