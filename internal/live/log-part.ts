import type { LogPart } from '../broker/delivery/publication.ts';
import type { TopicLog } from '../log/logs.ts';
import type { PartitionLog } from '../log/partition-log.ts';

const parts = new WeakMap<PartitionLog, LogPart>();

/** What messages of a partition say of where they were read: one object for all of them. */
export function logPartOf({ name, topicId }: TopicLog, partition: PartitionLog): LogPart {
  let part = parts.get(partition);
  if (part === undefined) {
    part = { log: name, logId: new Uint8Array(logIdBytes(topicId)), partition: partition.number };
    parts.set(partition, part);
  }
  return part;
}

/** The id of a log as its 16 bytes. */
export function logIdBytes(topicId: string): Buffer {
  return Buffer.from(topicId, 'base64url');
}
