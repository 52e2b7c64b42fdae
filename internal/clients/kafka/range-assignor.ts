import type { TopicPartition } from './offsets.ts';

/** A member and the topics that it wants. */
export interface Subscriber {
  memberId: string;
  topics: readonly string[];
}

/**
 * Shares partitions as Kafka's range assignor does: of each topic, every member that wants it gets a stretch of
 * neighbours, the first ones of them one more where it does not come out even.
 *
 * @param partitionCounts by topic; topics that do not exist are left out.
 * @returns the partitions of every member, none for some of them.
 */
export function assignRanges(
  members: readonly Subscriber[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assignments = new Map(members.map(({ memberId }) => [memberId, [] as TopicPartition[]]));
  const sorted = members.toSorted((one, other) => (one.memberId < other.memberId ? -1 : 1));
  for (const [topic, count] of partitionCounts) {
    const wanting = sorted.filter(({ topics }) => topics.includes(topic));
    const each = Math.floor(count / wanting.length);
    const withOneMore = count % wanting.length;
    let next = 0;
    for (const [index, { memberId }] of wanting.entries()) {
      const share = each + (index < withOneMore ? 1 : 0);
      for (let left = share; left > 0; left--) assignments.get(memberId)!.push({ topic, partition: next++ });
    }
  }
  return assignments;
}
