import { randomUUID } from 'node:crypto';
import type { CompressionAlgorithmValue } from '@platformatic/kafka';
import type { ConsumeOptions, ProduceOptions } from '../../support/client-program.ts';
import {
  batches,
  bootstrap,
  decoded,
  emit,
  encoded,
  inputEnded,
  main,
  requireInstalled,
  steps,
} from './lines.ts';

const {
  Admin,
  ConfigResourceTypes,
  Consumer,
  defaultPartitioner,
  IncrementalAlterConfigOperationTypes,
  ListOffsetTimestamps,
  Producer,
} = requireInstalled('@platformatic/kafka') as typeof import('@platformatic/kafka');

const usual = { clientId: 'interop', bootstrapBrokers: bootstrap };

async function produce({ topic, compression, idempotent, isPatient }: ProduceOptions): Promise<void> {
  const retries = isPatient ? { retries: 60 } : {};
  const producer = new Producer({ ...usual, ...retries, autocreateTopics: true });
  for await (const batch of batches()) {
    if (batch.length === 0) continue;
    const messages = batch.map(({ key, value, headers, partition, timestamp }) => ({
      topic,
      // It has no null.
      ...(key === null ? {} : { key: decoded(key)! }),
      ...(value === null ? {} : { value: decoded(value)! }),
      headers: new Map(headers.map(([name, each]) => [Buffer.from(name), decoded(each)!])),
      ...(partition === undefined ? {} : { partition }),
      ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
    }));
    const settings = {
      ...(compression === undefined ? {} : { compression: compression as CompressionAlgorithmValue }),
      ...(idempotent ? { idempotent, acks: -1 } : {}),
    };
    // What it had for one broker it sends again to the leader of the first message, also where other partitions of that have other
    // leaders by now. So who has to outlast a broker sends each partition by itself.
    const sends = isPatient ? [...Map.groupBy(messages, ({ partition }) => partition).values()] : [messages];
    const answers = await Promise.all(sends.map((each) => producer.send({ messages: each, ...settings })));
    const offsets = answers.flatMap(({ offsets = [] }) => offsets);
    // The answer names partitions and their first offsets.
    const metadata = await producer.metadata({ topics: [topic] });
    const count = metadata.topics.get(topic)!.partitionsCount;
    const next = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    for (const message of messages) {
      const partition = message.partition ?? defaultPartitioner(message, message.key) % count;
      const offset = next.get(partition)!;
      next.set(partition, offset + 1);
      emit({ partition, offset });
    }
  }
  await producer.close();
}

async function consume({ topic, group, count, maxBytes }: ConsumeOptions): Promise<void> {
  const ended = inputEnded();
  // There is no consumer without a group. To leave takes as long as a fetch that waits, five seconds by default.
  // By default it gives up after three seconds without a broker. It asks a former leader as many times, a second apart, before it
  // looks for the present one.
  const consumer = new Consumer({ ...usual, groupId: group ?? randomUUID(), retries: 15 });
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    autocommit: count === undefined,
    maxWaitTime: 200,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  let seen = 0;
  const last = new Map<number, () => void | Promise<void>>();
  const hasAll = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (message) => {
      if (seen === count) return;
      seen++;
      last.set(message.partition, () => message.commit());
      emit({
        partition: message.partition,
        offset: Number(message.offset),
        timestamp: Number(message.timestamp),
        key: encoded(message.key),
        value: encoded(message.value),
        headers: [...message.headers].map(([name, value]) => [name.toString(), encoded(value)]),
      });
      if (seen === count) resolve();
    });
  });
  await Promise.race([hasAll, ended]);
  if (group !== undefined && count !== undefined) for (const commit of last.values()) await commit();
  await consumer.close(true);
}

async function administer(): Promise<void> {
  const admin = new Admin(usual);
  const resourceType = ConfigResourceTypes.TOPIC;
  await steps(
    {
      async createTopic({ topic, partitions, configs = {} }) {
        const list = Object.entries(configs).map(([name, value]) => ({ name, value }));
        await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: list });
      },
      topics: async () => (await admin.listTopics()).sort(),
      async describeTopic({ topic }) {
        const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
        return metadata.topics.get(topic)!.partitionsCount;
      },
      async configs({ topic, names }) {
        const [described] = await admin.describeConfigs({
          resources: [{ resourceType, resourceName: topic, configurationKeys: names }],
        });
        return Object.fromEntries(described!.configs.map(({ name, value }) => [name, value]));
      },
      async alterConfigs({ topic, configs = {} }) {
        const changes = Object.entries(configs).map(([name, value]) => ({
          name,
          value,
          configOperation: IncrementalAlterConfigOperationTypes.SET,
        }));
        await admin.incrementalAlterConfigs({
          resources: [{ resourceType, resourceName: topic, configs: changes }],
        });
      },
      createPartitions: ({ topic, total }) =>
        admin.createPartitions({ topics: [{ name: topic, count: total, assignments: null }] }),
      async deleteRecords({ topic, partition, before }) {
        const partitions = [{ partition, offset: BigInt(before) }];
        const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
        return Number(deleted!.partitions[0]!.lowWatermark);
      },
      async offset({ topic, partition, at }) {
        const special = { earliest: ListOffsetTimestamps.EARLIEST, latest: ListOffsetTimestamps.LATEST };
        const timestamp = typeof at === 'number' ? BigInt(at) : special[at];
        const partitions = [{ partitionIndex: partition, timestamp }];
        const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
        return Number(listed!.partitions[0]!.offset);
      },
      groups: async () => [...(await admin.listGroups()).keys()].sort(),
      async describeGroup({ group }) {
        const described = (await admin.describeGroups({ groups: [group] })).get(group)!;
        return {
          state: described.state[0] + described.state.slice(1).toLowerCase(),
          members: described.members.size,
        };
      },
      async groupOffsets({ group }) {
        const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] });
        return Object.fromEntries(
          offsets!.topics.flatMap(({ name, partitions }) =>
            partitions.map((each) => [`${name}/${each.partitionIndex}`, Number(each.committedOffset)]),
          ),
        );
      },
      setGroupOffset: ({ group, topic, partition, offset }) =>
        admin.alterConsumerGroupOffsets({
          groupId: group,
          topics: [{ name: topic, partitionOffsets: [{ partition, offset: BigInt(offset) }] }],
        }),
      async deleteGroupOffset({ group, topic, partition }) {
        await admin.deleteConsumerGroupOffsets({
          groupId: group,
          topics: [{ name: topic, partitionIndexes: [partition] }],
        });
      },
      async deleteGroup({ group }) {
        await admin.deleteGroups({ groups: [group] });
      },
      deleteTopic: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
    },
    (error) => codeOf(error) ?? (error as Error).message,
  );
  await admin.close();
}

/** The code is some errors deep. */
function codeOf(error: unknown): number | undefined {
  const { apiCode, errors = [] } = error as { apiCode?: number; errors?: unknown[] };
  return apiCode ?? errors.map(codeOf).find((code) => code !== undefined);
}

await main({ produce, consume, admin: administer });
