import { topicsDescribeProgram } from '../../../internal/config/tinymq-topics.ts';
import { KafkaErrorCode } from '../../../internal/protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../../internal/protocol/kafka/schema.ts';
import { jsonLine, printableText } from '../../shared/printable.ts';
import { command } from '../../shared/run-program.ts';
import { withKafka } from '../connect.ts';
import type { KafkaClient, TopicMetadata } from '../kafka-client/client.ts';
import { keyOf } from '../kafka-client/offsets.ts';
import { demand } from '../kafka-client/refusal.ts';
import { allTopics } from './all-topics.ts';
import { type EligibleReplicas, eligibleReplicas } from './eligible-replicas.ts';
import { type Setting, settingsOf } from './settings.ts';

export const describe = command(topicsDescribeProgram, async (invocation) => {
  const { values, operands } = invocation;
  const render = values.json ? topicJson : topicText;
  const text = await withKafka(invocation, async (client) => {
    const topics =
      operands.length === 0
        ? await allTopics(client, values['exclude-internal'])
        : await namedTopics(client, operands);
    const names = topics.map(({ name }) => name!);
    const [settings, eligible] = await Promise.all([
      settingsOf(client, names),
      eligibleReplicas(client, names),
    ]);
    return topics.map((topic) => render(topic, settings.get(topic.name!) ?? [], eligible)).join('');
  });
  process.stdout.write(text);
});

async function namedTopics(client: KafkaClient, names: readonly string[]): Promise<TopicMetadata[]> {
  const { topics } = await client.metadata([...new Set(names)]);
  for (const { name, errorCode } of topics) {
    if (errorCode !== KafkaErrorCode.leaderNotAvailable) demand(`topic '${name}'`, errorCode);
  }
  return [...topics];
}

/** As Kafka's own `kafka-topics.sh` shows it. */
function topicText(
  topic: TopicMetadata,
  settings: readonly Setting[],
  eligible: ReadonlyMap<string, EligibleReplicas>,
): string {
  const name = printableText(topic.name!);
  const partitions = sortedPartitions(topic);
  const configs = settings.map((setting) => printableText(`${setting.name}=${setting.value}`)).join(',');
  const head = [
    `Topic: ${name}`,
    ...(topic.topicId === ZERO_UUID ? [] : [`TopicId: ${topic.topicId}`]),
    `PartitionCount: ${partitions.length}`,
    `ReplicationFactor: ${partitions[0]?.replicaNodes.length ?? 0}`,
    `Configs: ${configs}`,
  ];
  const rows = partitions.map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => {
    const { elr, lastKnownElr } = eligibleIn(topic, partitionIndex, eligible);
    return [
      '',
      `Topic: ${name}`,
      `Partition: ${partitionIndex}`,
      `Leader: ${leaderId === -1 ? 'none' : leaderId}`,
      `Replicas: ${replicaNodes.join(',')}`,
      `Isr: ${isrNodes.join(',')}`,
      `Elr: ${elr?.join(',') ?? 'N/A'}`,
      `LastKnownElr: ${lastKnownElr?.join(',') ?? 'N/A'}`,
    ].join('\t');
  });
  return [head.join('\t'), ...rows, ''].join('\n');
}

function topicJson(
  topic: TopicMetadata,
  settings: readonly Setting[],
  eligible: ReadonlyMap<string, EligibleReplicas>,
): string {
  const partitions = sortedPartitions(topic);
  return jsonLine({
    topic: topic.name,
    topicId: topic.topicId,
    partitionCount: partitions.length,
    replicationFactor: partitions[0]?.replicaNodes.length ?? 0,
    isInternal: topic.isInternal,
    configs: Object.fromEntries(settings.map(({ name, value }) => [name, value])),
    partitions: partitions.map(({ partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes }) => ({
      partition: partitionIndex,
      leader: leaderId,
      leaderEpoch,
      replicas: replicaNodes,
      isr: isrNodes,
      ...eligibleIn(topic, partitionIndex, eligible),
    })),
  });
}

function eligibleIn(
  { name }: TopicMetadata,
  partition: number,
  eligible: ReadonlyMap<string, EligibleReplicas>,
): EligibleReplicas {
  return eligible.get(keyOf({ topic: name!, partition })) ?? { elr: null, lastKnownElr: null };
}

function sortedPartitions({ partitions }: TopicMetadata): TopicMetadata['partitions'] {
  return partitions.toSorted((one, other) => one.partitionIndex - other.partitionIndex);
}
