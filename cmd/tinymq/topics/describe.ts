import type { KafkaClient, TopicMetadata } from '../../../internal/clients/kafka/client.ts';
import { keyOf } from '../../../internal/clients/kafka/offsets.ts';
import { demand } from '../../../internal/clients/kafka/refusal.ts';
import { jsonLine, printableText } from '../../../internal/lib/printable.ts';
import { KafkaErrorCode } from '../../../internal/protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../../internal/protocol/kafka/schema.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { allTopics } from './all-topics.ts';
import { type EligibleReplicas, eligibleReplicas } from './eligible-replicas.ts';
import { topicsDescribeProgram } from './flags.ts';
import { type PartitionContents, partitionContents } from './partition-contents.ts';
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
    const [settings, eligible, contents] = await Promise.all([
      settingsOf(client, names),
      eligibleReplicas(client, names),
      partitionContents(client, topics),
    ]);
    const known = { eligible, contents };
    return topics.map((topic) => render(topic, settings.get(topic.name!) ?? [], known)).join('');
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

/** What is known of partitions beside the metadata, by {@link keyOf}. */
interface Known {
  eligible: ReadonlyMap<string, EligibleReplicas>;
  contents: ReadonlyMap<string, PartitionContents>;
}

/** As Kafka's own `kafka-topics.sh` shows it, with what lies in each partition behind that. */
function topicText(
  topic: TopicMetadata,
  settings: readonly Setting[],
  { eligible, contents }: Known,
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
      ...contentsText(contents.get(keyOf({ topic: topic.name!, partition: partitionIndex }))),
    ].join('\t');
  });
  return [head.join('\t'), ...rows, ''].join('\n');
}

function topicJson(
  topic: TopicMetadata,
  settings: readonly Setting[],
  { eligible, contents }: Known,
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
      ...contentsJson(contents.get(keyOf({ topic: topic.name!, partition: partitionIndex }))),
    })),
  });
}

/** The offsets count what compaction took away too. */
function contentsText(contents: PartitionContents | undefined): string[] {
  const { firstOffset = '-', endOffset = '-', messages = '-', bytes = '-' } = contentsJson(contents);
  return [
    `FirstOffset: ${firstOffset}`,
    `EndOffset: ${endOffset}`,
    `Messages: ${messages}`,
    `Bytes: ${bytes}`,
  ];
}

function contentsJson(contents: PartitionContents | undefined): {
  firstOffset?: number;
  endOffset?: number;
  messages?: number;
  bytes?: number;
} {
  if (contents === undefined) return {};
  const { first, end, bytes } = contents;
  return { firstOffset: first, endOffset: end, messages: end - first, bytes };
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
