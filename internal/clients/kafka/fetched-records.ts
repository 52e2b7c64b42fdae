import { type KafkaRecord, records } from '../../batch/read.ts';
import {
  BATCH_HEADER_BYTES,
  BatchHeader,
  checkBatch,
  parseBatchHeader,
  type TimestampType,
} from '../../batch/record-batch.ts';
import { maxExpandedBatchBytes } from '../../limits/batch.ts';
import type { fetch } from '../../protocol/kafka/apis/01-fetch.ts';
import type { AnswerOf } from './connection.ts';

type FetchedPartition = AnswerOf<typeof fetch>['responses'][number]['partitions'][number];

/** The type of a control record that ends an aborted transaction, behind two bytes of version in its key. */
const ABORT = 0;

/**
 * The records of a partition's answer from an offset on: without the marks of transactions, and without what aborted
 * ones wrote where only committed messages are wanted.
 */
export class FetchedRecords {
  /** Where to read on, when all records have been walked through. */
  nextOffset: number;
  readonly #bytes: Uint8Array;
  readonly #aborted: { producerId: number; firstOffset: number }[];
  readonly #abortedProducers = new Set<number>();

  /** @param isolationLevel 1 for committed messages only. */
  constructor(fetched: FetchedPartition, isolationLevel: 0 | 1, fromOffset: number) {
    this.#bytes = fetched.records ?? new Uint8Array(0);
    this.#aborted =
      isolationLevel === 0
        ? []
        : (fetched.abortedTransactions ?? []).toSorted((one, other) => one.firstOffset - other.firstOffset);
    this.nextOffset = fromOffset;
  }

  /** @throws RecordBatchError where a batch is damaged. */
  *[Symbol.iterator](): Generator<[KafkaRecord, TimestampType], void, undefined> {
    const bytes = this.#bytes;
    const header = new BatchHeader();
    // What a broker sends last may be cut off, by the bound of how much to send.
    for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; at = header.end) {
      parseBatchHeader(bytes, at, header);
      if (header.end > bytes.length) return;
      checkBatch(bytes, header);
      const { lastOffset } = header;
      const all = records(bytes, header, maxExpandedBatchBytes);
      if (header.isControl) {
        this.#endTransaction(header.producerId, all);
      } else if (!this.#isAborted(header)) {
        const { timestampType } = header;
        for (const record of all) if (record.offset >= this.nextOffset) yield [record, timestampType];
      }
      this.nextOffset = Math.max(this.nextOffset, lastOffset + 1);
    }
  }

  #isAborted(header: BatchHeader): boolean {
    while (this.#aborted.length > 0 && this.#aborted[0].firstOffset <= header.lastOffset) {
      this.#abortedProducers.add(this.#aborted.shift()!.producerId);
    }
    return header.isTransactional && this.#abortedProducers.has(header.producerId);
  }

  #endTransaction(producerId: number, marks: Iterable<KafkaRecord>): void {
    for (const { key } of marks) {
      const isAbort = key !== null && key.length >= 4 && ((key[2] << 8) | key[3]) === ABORT;
      if (isAbort) this.#abortedProducers.delete(producerId);
    }
  }
}
