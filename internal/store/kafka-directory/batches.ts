import { closeSync, fstatSync, openSync } from 'node:fs';
import { RecordBatchError } from '../../batch/batch-error.ts';
import { type KafkaRecord, records } from '../../batch/read.ts';
import { BatchHeader, checkBatch, parseBatchHeader } from '../../batch/record-batch.ts';
import { maxExpandedBatchBytes } from '../../limits/batch.ts';
import { StoreError } from '../store-error.ts';
import { readAt } from './files.ts';
import { runAtOnce, walkHeaders } from './walk.ts';

/** A batch of a small internal log: what its header says, and its records, read when they are asked for. */
export interface InternalBatch {
  header: BatchHeader;
  records(): Iterable<KafkaRecord>;
}

/**
 * Tells of all whole batches of one file of an internal log, in order. A torn one at the end is left out.
 *
 * @param visit the batch is valid until it returns.
 * @throws StoreError `corrupt` where a batch is damaged
 */
export function readInternalBatches(file: string, visit: (batch: InternalBatch) => void): void {
  const fd = openSync(file, 'r');
  try {
    const places: { position: number; sizeBytes: number }[] = [];
    const end = runAtOnce(
      fd,
      walkHeaders(0, fstatSync(fd).size, 0, (header, position) => {
        places.push({ position, sizeBytes: header.end - header.at });
        return true;
      }),
    );
    for (const { position, sizeBytes } of places) {
      const bytes = readAt(fd, new Uint8Array(sizeBytes), position);
      visit(checkedBatch(file, bytes, position));
    }
    if (end.state === 'bad' || end.isDamaged)
      throw damaged(file, end.position, 'a header is no batch header');
  } catch (error) {
    if (error instanceof RecordBatchError) throw damaged(file, 0, error.message);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function checkedBatch(file: string, bytes: Uint8Array, position: number): InternalBatch {
  const header = new BatchHeader();
  try {
    parseWhole(bytes, header);
  } catch (error) {
    if (error instanceof RecordBatchError) throw damaged(file, position, error.message);
    throw error;
  }
  return { header, records: () => records(bytes, header, maxExpandedBatchBytes) };
}

function parseWhole(bytes: Uint8Array, header: BatchHeader): void {
  parseBatchHeader(bytes, 0, header);
  checkBatch(bytes, header);
}

function damaged(file: string, position: number, problem: string): StoreError {
  return new StoreError('corrupt', `${file} is damaged at byte ${position}: ${problem}`);
}
