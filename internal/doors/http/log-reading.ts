import { BatchHeader } from '../../batch/record-batch.ts';
import { httpReadBytes } from '../../limits/http.ts';
import { isMixed } from '../../live/capture.ts';
import { firstOffset, startIn } from '../../live/read-start.ts';
import type { ReplayStart } from '../../live/replay-filter.ts';
import { type StoredMessage, storedMessages } from '../../live/stored-messages.ts';
import { CorruptBatchError, type Logs, type TopicLog } from '../../log/logs.ts';
import { isInternalTopic, liveTopicOf } from '../../log/names.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import { matchesFilter } from '../../topic.ts';
import type { Place } from './message-json.ts';

/** A message with its place. */
export interface PlacedMessage {
  message: StoredMessage;
  place: Place;
}

/** What is to be read. */
export interface LogRequest {
  filter: string;
  /** Whether the client may get messages of a topic that the filter matches. */
  mayGet(topic: string): boolean;
}

/**
 * The messages of a filter that are in the logs now, from a start on: one partition after the other, each in its order.
 *
 * @throws StoreUnavailableError, DamagedBatchError.
 */
export async function* readLogs(
  logs: Logs,
  asked: LogRequest,
  start: ReplayStart,
): AsyncGenerator<PlacedMessage> {
  const header = new BatchHeader();
  for (const topic of logs.topics()) {
    if (!mayHold(topic, asked.filter)) continue;
    for (const partition of topic.partitions) yield* readPartition(topic, partition, asked, start, header);
  }
}

function mayHold(topic: TopicLog, filter: string): boolean {
  if (isInternalTopic(topic.name)) return false;
  return isMixed(topic) || matchesFilter(filter, liveTopicOf(topic.name));
}

async function* readPartition(
  topic: TopicLog,
  partition: PartitionLog,
  asked: LogRequest,
  start: ReplayStart,
  header: BatchHeader,
): AsyncGenerator<PlacedMessage> {
  const place = { log: topic.name, partition: partition.number };
  const from = startIn(partition, start);
  const { sinceMs } = from;
  const end = partition.readableEnd('committed');
  let next = await firstOffset(partition, from);
  while (next < end) {
    const batches = await partition.readIntact(next, httpReadBytes, 'committed');
    // Nothing lies up to the end any more, where compaction has taken the newest records.
    if (batches.length === 0) return;
    for (const batch of batches) {
      if (batch.baseOffset >= end) return;
      const wanted = { ...asked, fromOffset: next, sinceMs };
      for (const message of storedMessages(topic, partition, batch, wanted, header)) yield { message, place };
      next = batch.lastOffset + 1;
    }
  }
}

/** Batches that are looked at for a last message: at the end of a log may stand marks of transactions, or other topics. */
const BATCHES_LOOKED_AT = 64;

/** The newest message of a topic in a log; undefined where none of the newest batches has one. */
export async function lastMessage(log: TopicLog, topic: string): Promise<PlacedMessage | undefined> {
  const header = new BatchHeader();
  let last: PlacedMessage | undefined;
  for (const partition of log.partitions) {
    const message = await lastOf(log, partition, topic, header);
    if (message === undefined || (last && last.message.publishedAtMs > message.publishedAtMs)) continue;
    last = { message, place: { log: log.name, partition: partition.number } };
  }
  return last;
}

async function lastOf(
  log: TopicLog,
  partition: PartitionLog,
  topic: string,
  header: BatchHeader,
): Promise<StoredMessage | undefined> {
  const wanted = { filter: topic, fromOffset: 0, sinceMs: Number.NEGATIVE_INFINITY };
  let end = partition.readableEnd('committed');
  for (let looked = 0; looked < BATCHES_LOOKED_AT && end > partition.firstOffset; looked++) {
    const found = await partition.readOrDamage(end - 1, 1, 'committed');
    if (found instanceof CorruptBatchError) {
      end = found.baseOffset;
      continue;
    }
    const [batch] = found;
    if (batch === undefined) return undefined;
    const last = storedMessages(log, partition, batch, wanted, header).at(-1);
    if (last !== undefined) return last;
    end = batch.baseOffset;
  }
  return undefined;
}
