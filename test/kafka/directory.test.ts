import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { records } from '../../internal/batch/read.ts';
import { BatchHeader, parseBatchHeader } from '../../internal/batch/record-batch.ts';
import { maxExpandedBatchBytes } from '../../internal/limits/batch.ts';
import { KafkaDirectoryStore } from '../../internal/store/kafka-directory/kafka-directory-store.ts';
import type { StoredPartition, StoredState } from '../../internal/store/log-store.ts';
import { type ApacheKafka, hasJava, startApacheKafka } from '../support/apache-kafka.ts';
import { damageIn } from '../support/kafka-directory.ts';

const PRODUCER = 'org.apache.kafka.tools.ConsoleProducer';
const CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const TOPICS = 'org.apache.kafka.tools.TopicCommand';
const OFFSETS = 'org.apache.kafka.tools.GetOffsetShell';
const PATIENCE_MS = 300_000;
/** So that a few thousand records are several segments. */
const SEGMENT_BYTES = 1_048_576;

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe.runIf(hasJava())('a directory of Apache Kafka', () => {
  it(
    'is served, appended to, and read again by that Kafka, after a clean end and after a crash',
    async () => {
      const directory = newFolder();
      let kafka = await startKafka(directory);
      await mustRun(kafka, TOPICS, ['--create', '--topic', 'sensors', '--partitions', '1']);
      await produce(kafka, 'sensors', lines('kafka', 20_000));
      await consume(kafka, 'sensors', 5, ['--group', 'readers']);
      await kafka.stop();
      expect(await damageIn(directory)).toEqual([]);

      // Served as it lies there.
      let { store, state } = await open(directory);
      expect(partitionOf(state, 'sensors')).toMatchObject({ firstOffset: 0, nextOffset: 20_000 });
      expect(await valuesOf(store, partitionOf(state, 'sensors').id)).toEqual(lines('kafka', 20_000));
      expect(state.groups.get('readers')).toMatchObject([{ topic: 'sensors', partition: 0, offset: 5 }]);

      // Appended to, over the end of a segment, and with a topic of ours.
      await append(store, partitionOf(state, 'sensors'), lines('ours', 10_000));
      const topicId = new Uint8Array(16).fill(9);
      const configs = { 'retention.ms': '-1' };
      const made = await store.createTopic({
        name: 'made',
        topicId,
        configs,
        partitionCount: 2,
        createdAtMs: Date.now(),
      });
      await append(store, made.partitions[1], lines('made', 100));
      await store.close();
      expect(existsSync(join(directory, '.kafka_cleanshutdown'))).toBe(true);

      kafka = await startKafka(directory);
      const expected = [...lines('kafka', 20_000), ...lines('ours', 10_000)];
      expect(await consume(kafka, 'sensors', 30_000)).toEqual(expected);
      expect((await consume(kafka, 'made', 100)).sort()).toEqual(lines('made', 100).sort());
      const described = await mustRun(kafka, TOPICS, ['--describe', '--topic', 'made']);
      expect(described).toContain(Buffer.from(topicId).toString('base64url'));
      expect(described).toContain('retention.ms=-1');
      await produce(kafka, 'made', lines('later', 10));
      await kafka.stop();
      expect(await damageIn(directory)).toEqual([]);

      // Without a clean end, Kafka looks through what was appended itself.
      ({ store, state } = await open(directory));
      const sensors = partitionOf(state, 'sensors');
      await store.deleteUntil(sensors.id, 15_000);
      await append(store, sensors, lines('last', 1_000));
      await store.deleteTopic('made');
      await store.close();
      rmSync(join(directory, '.kafka_cleanshutdown'));

      kafka = await startKafka(directory);
      const last = [...expected.slice(15_000), ...lines('last', 1_000)];
      expect(await consume(kafka, 'sensors', 16_000)).toEqual(last);
      expect(await mustRun(kafka, OFFSETS, ['--topic', 'sensors', '--time', 'earliest'])).toContain(
        'sensors:0:15000',
      );
      expect(await mustRun(kafka, TOPICS, ['--list'])).not.toContain('made');
      await kafka.stop();
      expect(await damageIn(directory)).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'is not opened while that Kafka runs',
    async () => {
      const directory = newFolder();
      const kafka = await startKafka(directory);
      const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os' });
      await expect(store.open()).rejects.toMatchObject({ code: 'locked' });
      await kafka.stop();
      expect(await damageIn(directory)).toEqual([]);
    },
    PATIENCE_MS,
  );
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-kafka-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startKafka(logDir: string): Promise<ApacheKafka> {
  const kafka = await startApacheKafka({
    logDir,
    properties: { 'log.segment.bytes': String(SEGMENT_BYTES), 'log.retention.ms': '-1' },
  });
  cleanUps.push(() => kafka.kill());
  return kafka;
}

async function open(directory: string): Promise<{ store: KafkaDirectoryStore; state: StoredState }> {
  const store = new KafkaDirectoryStore({
    directories: [directory],
    fsync: 'commit',
    segmentBytes: SEGMENT_BYTES,
  });
  cleanUps.push(() => store.close());
  return { store, state: await store.open() };
}

function partitionOf(state: StoredState, topic: string): StoredPartition {
  return state.topics.find(({ name }) => name === topic)!.partitions[0];
}

function lines(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index} ${'x'.repeat(80)}`);
}

/** In batches of 100 records. */
async function append(store: KafkaDirectoryStore, partition: StoredPartition, values: string[]) {
  const timestamp = Date.now();
  let baseOffset = partition.nextOffset;
  const appended: Promise<void>[] = [];
  for (let at = 0; at < values.length; at += 100) {
    const part = values.slice(at, at + 100);
    const bytes = buildBatch(
      part.map((value) => ({ timestamp, key: null, value: Buffer.from(value) })),
      { baseOffset, partitionLeaderEpoch: partition.leaderEpoch, compression: 'lz4' },
    );
    const lastOffset = baseOffset + part.length - 1;
    const count = part.length;
    appended.push(
      store.append(partition.id, { baseOffset, lastOffset, count, maxTimestamp: timestamp, bytes }),
    );
    baseOffset = lastOffset + 1;
  }
  await Promise.all(appended);
}

async function valuesOf(store: KafkaDirectoryStore, id: number): Promise<string[]> {
  const values: string[] = [];
  for (let offset = 0; ; ) {
    const batches = await store.read(id, offset, 1_000_000);
    if (batches.length === 0) return values;
    for (const { bytes } of batches) {
      const header = parseBatchHeader(bytes, 0, new BatchHeader());
      for (const { value } of records(bytes, header, maxExpandedBatchBytes)) {
        values.push(Buffer.from(value!).toString());
      }
    }
    offset = batches.at(-1)!.lastOffset + 1;
  }
}

async function produce(kafka: ApacheKafka, topic: string, values: string[]): Promise<void> {
  const input = values.map((value) => `${value}\n`).join('');
  await mustRun(kafka, PRODUCER, ['--topic', topic], input);
}

async function consume(
  kafka: ApacheKafka,
  topic: string,
  count: number,
  more: string[] = [],
): Promise<string[]> {
  const options = ['--topic', topic, '--from-beginning', '--max-messages', String(count), ...more];
  const stdout = await mustRun(kafka, CONSUMER, [...options, '--timeout-ms', '60000']);
  return stdout.split('\n').filter((line) => line !== '');
}

async function mustRun(
  kafka: ApacheKafka,
  mainClass: string,
  args: string[],
  input?: string,
): Promise<string> {
  const { code, stdout, stderr } = await kafka.run(
    mainClass,
    ['--bootstrap-server', kafka.bootstrap, ...args],
    input === undefined ? {} : { input },
  );
  if (code !== 0) throw new Error(`${mainClass} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
