import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Admin, IHeaders, RecordMetadata } from 'kafkajs';
import type { ConsumedRecord, ConsumeOptions, ProduceOptions } from '../../support/client-program.ts';
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

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, Partitioners } =
  requireInstalled('kafkajs') as typeof import('kafkajs');

// It brings only gzip itself.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => promisify(zstdCompress)(encoder.buffer),
  decompress: (bytes: Buffer) => promisify(zstdDecompress)(bytes),
});

const COMPRESSIONS: Record<string, number> = { gzip: CompressionTypes.GZIP, zstd: CompressionTypes.ZSTD };

// What it says at other levels goes to the standard output.
const kafka = new Kafka({ brokers: bootstrap, logLevel: logLevel.WARN });

async function produce({ topic, compression, idempotent }: ProduceOptions): Promise<void> {
  const partitions = new Map<object, number>();
  const producer = kafka.producer({
    ...(idempotent ? { idempotent } : {}),
    // Only so can one know where a message goes: the answer names partitions and their first offsets.
    createPartitioner() {
      const usual = Partitioners.DefaultPartitioner();
      return (about) => {
        const partition = usual(about);
        partitions.set(about.message, partition);
        return partition;
      };
    },
  });
  await producer.connect();
  for await (const batch of batches()) {
    if (batch.length === 0) continue;
    const messages = batch.map(({ key, value, headers, partition, timestamp }) => ({
      key: decoded(key),
      value: decoded(value),
      headers: grouped(headers),
      ...(partition === undefined ? {} : { partition }),
      ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
    }));
    const settings = compression === undefined ? {} : { compression: COMPRESSIONS[compression]! };
    const next = new Map<number, number>();
    // It sends nothing to a broker that has answered. Where that has become the leader of a partition in the meantime, whose last
    // leader failed, the messages for it are not sent, and the answer says nothing of them.
    for (
      let left = messages;
      left.length > 0;
      left = left.filter((message) => !next.has(partitions.get(message)!))
    ) {
      const answers: RecordMetadata[] = await producer.send({ topic, messages: left, ...settings });
      for (const { partition, baseOffset } of answers) next.set(partition, Number(baseOffset));
    }
    for (const message of messages) {
      const partition = partitions.get(message)!;
      const offset = next.get(partition)!;
      next.set(partition, offset + 1);
      emit({ partition, offset });
    }
  }
  await producer.disconnect();
}

/** Headers of the same name lie in one list here. */
function grouped(headers: [string, string | null][]): IHeaders {
  const all: IHeaders = {};
  for (const [name, value] of headers) {
    const before = all[name];
    const bytes = decoded(value)!;
    all[name] = before === undefined ? bytes : [before, bytes].flat();
  }
  return all;
}

async function consume({ topic, group, count }: ConsumeOptions): Promise<void> {
  const ended = inputEnded();
  // There is no consumer without a group. To leave takes as long as a fetch that waits, five seconds by default.
  const consumer = kafka.consumer({ groupId: group ?? randomUUID(), maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const next = new Map<number, number>();
  let seen = 0;
  const hasAll = new Promise<void>((resolve) => {
    consumer.run({
      autoCommit: count === undefined,
      async eachMessage({ partition, message }) {
        if (seen === count) return;
        seen++;
        next.set(partition, Number(message.offset) + 1);
        emit({
          partition,
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: encoded(message.key),
          value: encoded(message.value),
          headers: Object.entries(message.headers ?? {}).flatMap(([name, values]) =>
            [values].flat().map((value) => [name, encoded(value as Buffer)]),
          ),
        } as ConsumedRecord);
        if (seen === count) resolve();
      },
    });
  });
  await Promise.race([hasAll, ended]);
  if (group !== undefined && count !== undefined) {
    const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }));
    await consumer.commitOffsets(offsets);
  }
  await consumer.disconnect();
}

async function administer(): Promise<void> {
  // It would ask for ten seconds for a topic that was deleted.
  const admin = kafka.admin({ retry: { retries: 2 } });
  await admin.connect();
  await steps(
    {
      async createTopic({ topic, partitions, configs = {} }) {
        const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
        const isNew = await admin.createTopics({
          topics: [{ topic, numPartitions: partitions, configEntries }],
        });
        // So it reports that the topic is there already.
        if (!isNew) throw { code: 36 };
      },
      topics: async () => (await admin.listTopics()).sort(),
      async describeTopic({ topic }) {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]!.partitions.length;
      },
      async configs({ topic, names }) {
        const { resources } = await admin.describeConfigs({
          resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: names }],
          includeSynonyms: false,
        });
        return Object.fromEntries(
          resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
        );
      },
      async alterConfigs({ topic, configs = {} }) {
        const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
        await admin.alterConfigs({
          validateOnly: false,
          resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
        });
      },
      async createPartitions({ topic, total }) {
        await admin.createPartitions({ topicPartitions: [{ topic, count: total }] });
      },
      async deleteRecords({ topic, partition, before }) {
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
        return offset(admin, topic, partition, 'earliest');
      },
      offset: ({ topic, partition, at }) => offset(admin, topic, partition, at),
      groups: async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId).sort(),
      async describeGroup({ group }) {
        const { groups } = await admin.describeGroups([group]);
        return { state: groups[0]!.state, members: groups[0]!.members.length };
      },
      async groupOffsets({ group }) {
        const topics = await admin.fetchOffsets({ groupId: group });
        return Object.fromEntries(
          topics.flatMap(({ topic, partitions }) =>
            partitions.map((each) => [`${topic}/${each.partition}`, Number(each.offset)]),
          ),
        );
      },
      async setGroupOffset({ group, topic, partition, offset }) {
        await admin.setOffsets({
          groupId: group,
          topic,
          partitions: [{ partition, offset: String(offset) }],
        });
      },
      async deleteGroup({ group }) {
        await admin.deleteGroups([group]);
      },
      async deleteTopic({ topic }) {
        await admin.deleteTopics({ topics: [topic] });
      },
    },
    codeOf,
  );
  await admin.disconnect();
}

async function offset(
  admin: Admin,
  topic: string,
  partition: number,
  at: 'earliest' | 'latest' | number,
): Promise<number> {
  if (typeof at === 'number') {
    const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, at);
    return Number(offsets.find((each) => each.partition === partition)!.offset);
  }
  const offsets = await admin.fetchTopicOffsets(topic);
  const { low, high } = offsets.find((each) => each.partition === partition)!;
  return Number(at === 'earliest' ? low : high);
}

/** The code is some errors deep. */
function codeOf(error: unknown): unknown {
  const { code, errors, cause, message } = error as Error & { code?: number; errors?: unknown[] };
  if (code !== undefined) return code;
  const inside = errors?.[0] ?? cause;
  return inside === undefined ? message : codeOf(inside);
}

await main({ produce, consume, admin: administer });
