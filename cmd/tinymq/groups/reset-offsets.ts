import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import {
  type CommittedOffset,
  commitOffsets,
  committedOffsets,
  describedGroup,
  noSuchGroup,
} from '../../../internal/clients/kafka/groups.ts';
import type { TopicPartition } from '../../../internal/clients/kafka/offsets.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { note } from '../report.ts';
import { tableText } from '../table.ts';
import { destinationOf, newOffsets } from './destination.ts';
import { groupsResetOffsetsProgram } from './flags.ts';
import { parseTopicPartitions, type TopicPartitions } from './topic-partitions.ts';

export const resetOffsets = command(groupsResetOffsetsProgram, async (invocation) => {
  const { values, operands } = invocation;
  const [groupId] = operands;
  const destination = destinationOf(values);
  const topics = values.topic.map(parseTopicPartitions);
  if (values['all-topics'] === topics.length > 0) throw new UsageError('say which -topic, or -all-topics');
  await withKafka(invocation, async (client) => {
    await demandInactive(client, groupId);
    const committed = await committedOffsets(client, groupId);
    const partitions = values['all-topics'] ? committed : await partitionsOf(client, topics);
    if (partitions.length === 0) throw noSuchGroup(groupId);
    const offsets = await newOffsets(client, destination, partitions, committed);
    if (values.execute) await client.retrying(() => commitOffsets(client, groupId, offsets));
    process.stdout.write(values.json ? asJson(groupId, offsets, values.execute) : asTable(groupId, offsets));
    if (!values.execute) note('Nothing was changed: this is what -execute would do.');
  });
});

/** Kafka refuses it as well, but in words that say less. */
async function demandInactive(client: KafkaClient, groupId: string): Promise<void> {
  const group = await describedGroup(client, groupId);
  if (group === undefined || group.members.length === 0) return;
  throw new Failure(
    `group '${groupId}' has ${group.members.length} members and is ${group.groupState}: stop them first, ` +
      'since they would go on from where they are',
  );
}

async function partitionsOf(
  client: KafkaClient,
  topics: readonly TopicPartitions[],
): Promise<TopicPartition[]> {
  const wanted: TopicPartition[] = [];
  for (const { topic, partitions } of topics) {
    const there = (await client.topic(topic)).partitions.map(({ partitionIndex }) => partitionIndex);
    const missing = partitions?.find((partition) => !there.includes(partition));
    if (missing !== undefined) {
      throw new Failure(`topic '${topic}' has no partition ${missing}, only 0 to ${there.length - 1}`);
    }
    for (const partition of partitions ?? there.sort((one, other) => one - other)) {
      wanted.push({ topic, partition });
    }
  }
  return wanted;
}

function asTable(groupId: string, offsets: readonly CommittedOffset[]): string {
  return tableText(
    [
      { title: 'GROUP', minWidth: 30 },
      { title: 'TOPIC', minWidth: 30 },
      { title: 'PARTITION', minWidth: 10 },
      { title: 'NEW-OFFSET' },
    ],
    offsets.map(({ topic, partition, offset }) => [groupId, topic, partition, offset]),
  );
}

function asJson(groupId: string, offsets: readonly CommittedOffset[], isExecuted: boolean): string {
  const lines = offsets.map(({ topic, partition, offset }) =>
    jsonLine({ group: groupId, topic, partition, newOffset: offset, executed: isExecuted }),
  );
  return lines.join('');
}
