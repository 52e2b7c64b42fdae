import { listOffsets } from '../../protocol/kafka/apis/02-list-offsets.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { KafkaClient } from './client.ts';
import { demand } from './refusal.ts';

/** A partition by the name of its topic. */
export interface TopicPartition {
  topic: string;
  partition: number;
}

/** Offsets that a time may stand for. */
export const LATEST = -1;
export const EARLIEST = -2;
/** What ListOffsets says where no message is as late as the time that was asked for. */
const NO_OFFSET = -1;

/** A text that is different for different partitions. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Offsets in one partition. */
export interface OffsetRange {
  first: number;
  /** The next one. */
  end: number;
  /** The first one at or after a time; the end where no message is as late, or no time was asked for. */
  atTime: number;
}

/**
 * The range of each of some partitions, by {@link keyOf}. Partitions that do not exist are left out.
 *
 * @param timestamp in milliseconds since 1970.
 * @throws KafkaRefusal
 */
export async function offsetRanges(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  timestamp?: number,
): Promise<Map<string, OffsetRange>> {
  const [firsts, ends] = await Promise.all([
    offsetsAt(client, partitions, EARLIEST),
    offsetsAt(client, partitions, LATEST),
  ]);
  const found = timestamp === undefined ? undefined : await offsetsAt(client, partitions, timestamp);
  const ranges = new Map<string, OffsetRange>();
  for (const [key, end] of ends) {
    const first = firsts.get(key);
    if (first === undefined) continue;
    const atTime = found?.get(key) ?? NO_OFFSET;
    ranges.set(key, { first, end, atTime: atTime === NO_OFFSET ? end : atTime });
  }
  return ranges;
}

/**
 * The offset of a time in each of some partitions, by {@link keyOf}. Partitions that do not exist are left out.
 *
 * @param timestamp in milliseconds since 1970, {@link LATEST} or {@link EARLIEST}.
 * @param isolationLevel 1 to leave out what open transactions wrote.
 * @throws KafkaRefusal
 */
export function offsetsAt(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  timestamp: number,
  isolationLevel = 0,
): Promise<Map<string, number>> {
  return client.retrying(async () => {
    const found = new Map<string, number>();
    const leaders = await partitionsByLeader(client, partitions);
    await Promise.all(
      [...leaders].map(async ([leaderId, topics]) => {
        const connection = await client.connectionTo(leaderId);
        const answer = await connection.send(listOffsets, {
          replicaId: -1,
          isolationLevel,
          topics: [...topics].map(([name, indexes]) => ({
            name,
            partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })),
          })),
        });
        for (const { name, partitions } of answer.topics) {
          for (const { partitionIndex, errorCode, offset } of partitions) {
            demand(`partition ${partitionIndex} of topic '${name}'`, errorCode);
            found.set(keyOf({ topic: name, partition: partitionIndex }), offset);
          }
        }
      }),
    );
    return found;
  });
}

/** Partitions by topic, by the broker that leads them. */
async function partitionsByLeader(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
): Promise<Map<number, Map<string, number[]>>> {
  const leaders = new Map<number, Map<string, number[]>>();
  if (partitions.length === 0) return leaders;
  const wanted = new Set(partitions.map(keyOf));
  const { topics } = await client.metadata([...new Set(partitions.map(({ topic }) => topic))]);
  for (const { name, errorCode, partitions } of topics) {
    if (errorCode === KafkaErrorCode.unknownTopicOrPartition) continue;
    demand(`topic '${name}'`, errorCode);
    for (const { partitionIndex, leaderId, errorCode } of partitions) {
      if (!wanted.has(keyOf({ topic: name!, partition: partitionIndex }))) continue;
      if (leaderId === -1) demand(`partition ${partitionIndex} of topic '${name}'`, errorCode);
      const topics = leaders.get(leaderId) ?? new Map<string, number[]>();
      leaders.set(leaderId, topics);
      const indexes = topics.get(name!) ?? [];
      topics.set(name!, indexes);
      indexes.push(partitionIndex);
    }
  }
  return leaders;
}
