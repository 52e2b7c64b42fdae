import { RecordBatchError } from '../batch/batch-error.ts';
import { records } from '../batch/read.ts';
import { type BatchHeader, parseBatchHeader } from '../batch/record-batch.ts';
import type { LogPart, Message } from '../broker/delivery/publication.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import type { TopicLog } from '../log/logs.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { StoredBatch } from '../store/log-store.ts';
import { matchesFilter } from '../topic.ts';
import { logPartOf } from './log-part.ts';
import { messageOf } from './records.ts';

/** A message and its place in the log that it was read from. */
export interface StoredMessage extends Message {
  readFrom: LogPart;
  offset: number;
  /** In milliseconds since 1970; below 0 where the log does not know. */
  publishedAtMs: number;
}

/** Which messages of a batch are wanted. */
export interface Wanted {
  filter: string;
  /** Whether the reader may have messages of a topic. Default: yes. */
  mayGet?: ((topic: string) => boolean) | undefined;
  fromOffset: number;
  /** Messages from before this time are left out; `-Infinity` for none. */
  sinceMs: number;
}

/**
 * The wanted messages of a batch that was read as `committed`, in order.
 *
 * @param header is written over.
 * @throws Error that names the place, where the batch cannot be read.
 */
export function storedMessages(
  topic: TopicLog,
  partition: PartitionLog,
  batch: StoredBatch,
  { filter, mayGet, fromOffset, sinceMs }: Wanted,
  header: BatchHeader,
): StoredMessage[] {
  const messages: StoredMessage[] = [];
  const { name } = topic;
  const readFrom = logPartOf(topic, partition);
  try {
    parseBatchHeader(batch.bytes, 0, header);
    if (!partition.isCommitted(header)) return [];
    for (const record of records(batch.bytes, header, maxExpandedBatchBytes)) {
      const { offset, timestamp: publishedAtMs } = record;
      if (offset < fromOffset || publishedAtMs < sinceMs) continue;
      const message = messageOf(record, name);
      if (!matchesFilter(filter, message.topic) || mayGet?.(message.topic) === false) continue;
      messages.push(Object.assign(message, { readFrom, offset, publishedAtMs }));
    }
    return messages;
  } catch (error) {
    if (!(error instanceof RecordBatchError)) throw error;
    const where = `${name}, offsets ${batch.baseOffset} to ${batch.lastOffset}`;
    throw new DamagedBatchError(`${where}: ${error.message}`, { cause: error });
  }
}

/** A batch whose records cannot be read. */
export class DamagedBatchError extends Error {
  override readonly name = 'DamagedBatchError';
}
