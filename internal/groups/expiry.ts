import { groupOffsetsRetentionMs } from '../limits/groups.ts';
import type { TopicPartition } from '../store/log-store.ts';
import type { OffsetsByTopic } from './committed-offsets.ts';
import type { Group } from './group.ts';
import { CONSUMER } from './group-types.ts';

/**
 * The offsets of a group that are kept no longer. Without members they stay for the retention after the last one left
 * and after the last commit; while consumers are at work, only those of topics that none of them reads any more go.
 *
 * @param isSubscribed whether a member of the group reads a topic.
 * @param nowMs milliseconds since 1970.
 */
export function expiredOffsets(
  group: Group,
  offsets: OffsetsByTopic,
  isSubscribed: (topic: string) => boolean,
  nowMs: number,
): TopicPartition[] {
  if (group.state !== 'Empty' && (group.state !== 'Stable' || group.protocolType !== CONSUMER)) return [];
  const expired: TopicPartition[] = [];
  for (const [topic, partitions] of offsets) {
    if (group.state === 'Stable' && isSubscribed(topic)) continue;
    for (const [partition, { committedAtMs }] of partitions) {
      const lastUsedAtMs = Math.max(committedAtMs, group.emptySinceMs ?? 0);
      if (nowMs - lastUsedAtMs >= groupOffsetsRetentionMs) expired.push({ topic, partition });
    }
  }
  return expired;
}
