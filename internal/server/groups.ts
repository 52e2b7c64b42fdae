import type { Logger } from '../broker/broker.ts';
import { Groups } from '../groups/groups.ts';
import type { ReadPartitions } from '../groups/progress.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logs } from '../log/logs.ts';
import { assignedPartitions, subscribedTopics } from '../protocol/kafka/consumer-protocol.ts';
import type { LogStore, StoredGroups, TopicPartition } from '../store/log-store.ts';

/** Logs that are open, and what their store had of groups. */
export interface GroupsParts {
  logs: Logs;
  store: LogStore;
  stored: StoredGroups | undefined;
  clock: Clock | undefined;
  logger: Logger;
}

/** Opens the consumer groups of the logs. They are there without a door for their members too: people look after them. */
export function openGroups(parts: GroupsParts): { groups: Groups; close(): void } {
  const { logs, store, stored, clock, logger } = parts;
  const partitions = partitionsOf(logs);
  const words = { subscribedTopics, assignedPartitions };
  const groups = new Groups({ ...words, store, stored, partitions, log: logger, clock });
  const endForgetting = logs.onDeleted((topic) => groups.forgetTopic(topic.name));
  return {
    groups,
    close() {
      endForgetting();
      groups.close();
    },
  };
}

function partitionsOf(logs: Logs): ReadPartitions {
  const find = ({ topic, partition }: TopicPartition) => logs.topic(topic)?.partitions[partition];
  return {
    countOf: (topic) => logs.topic(topic)?.partitions.length ?? 0,
    endsOf(place) {
      const partition = find(place);
      return partition && { first: partition.firstOffset, end: partition.highWatermark };
    },
    offsetForTime: async (place, timeMs) => (await find(place)?.offsetForTime(timeMs)) ?? 0,
  };
}
