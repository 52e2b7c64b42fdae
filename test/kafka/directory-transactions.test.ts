import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { KafkaDirectoryStore } from '../../internal/store/kafka-directory/kafka-directory-store.ts';
import { connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type ApacheKafka, hasJava, kafkaClasspath, startApacheKafka } from '../support/apache-kafka.ts';
import { eventually } from '../support/eventually.ts';
import { mustRun } from '../support/installed-once.ts';
import { damageIn } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

const TRANSACTIONS = fileURLToPath(new URL('../support/kafka-peer/Transactions.java', import.meta.url));
const TOPICS = 'org.apache.kafka.tools.TopicCommand';
const GROUPS = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
const PATIENCE_MS = 300_000;
const TOPIC = 'orders';
/** What the oldest open transaction begins with. */
const STABLE = 8;
const END = 12;

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe.runIf(hasJava())('transactions in a directory of Apache Kafka (needs java and mvn)', () => {
  it(
    'are told as that Kafka tells them, and that Kafka goes on with them and with what groups committed here',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'tinymq-kafka-'));
      cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
      const first = await startKafka(directory);
      await must(first, TOPICS, ['--create', '--topic', TOPIC, '--partitions', '1']);
      await mustRun('java', ['-cp', await kafkaClasspath(), TRANSACTIONS, first.bootstrap]);
      const told = await allAnswers(`tcp://${first.bootstrap}`);
      expect(told.committed0).toMatchObject({ highWatermark: END, lastStableOffset: STABLE });
      expect(told.committed0.abortedTransactions).toHaveLength(2);
      await first.stop();
      expect(await damageIn(directory)).toEqual([]);

      // The same here, field by field, and live readers see committed records only.
      let broker = await startHere(directory);
      expect(await allAnswers(urlOf(broker, 'kafka'))).toEqual(told);
      expect(await replayed(broker, 4)).toEqual(['before', 'committed 1', 'committed 2', 'between']);
      const wire = await openWire(urlOf(broker, 'kafka'));
      // Only the offsets of transactions that were committed count.
      expect(await committedBy(wire, 'in-transaction')).toBe(2);
      expect(await committedBy(wire, 'in-aborted')).toBe(-1);
      await commit(wire, 'readers', 7);
      await commit(wire, 'in-transaction', 3);
      await broker.close();
      expect(await damageIn(directory)).toEqual([]);

      // A segment is written anew, as compaction does it.
      const store = new KafkaDirectoryStore({ directories: [directory], fsync: 'os' });
      cleanUps.push(() => store.close());
      const { topics } = await store.open();
      await store.replace(topics.find(({ name }) => name === TOPIC)!.partitions[0].id, 0, 0, []);
      await store.close();

      const second = await startKafka(directory);
      const { committed0: _, uncommitted0: __, ...rest } = await allAnswers(`tcp://${second.bootstrap}`);
      const { committed0: ___, uncommitted0: ____, ...restTold } = told;
      expect(rest).toEqual(restTold);
      const described = await must(second, GROUPS, ['--describe', '--all-groups', '--offsets']);
      expect(described).toMatch(new RegExp(`readers +${TOPIC} +0 +7 `));
      expect(described).toMatch(new RegExp(`in-transaction +${TOPIC} +0 +3 `));
      await second.stop();
      expect(await damageIn(directory)).toEqual([]);
      broker = await startHere(directory);
      expect(await committedBy(await openWire(urlOf(broker, 'kafka')), 'readers')).toBe(7);
    },
    PATIENCE_MS,
  );
});

async function startKafka(logDir: string): Promise<ApacheKafka> {
  const kafka = await startApacheKafka({ logDir, properties: { 'offsets.topic.num.partitions': '5' } });
  cleanUps.push(() => kafka.kill());
  return kafka;
}

async function startHere(directory: string): Promise<RunningBroker> {
  const any = ['tcp://127.0.0.1:0'];
  const broker = await startBroker({
    listen: any,
    kafka: { listen: any },
    kafkaLogDirs: { directories: [directory] },
  });
  cleanUps.push(() => broker.close());
  return broker;
}

async function openWire(url: string): Promise<KafkaWire> {
  const wire = await KafkaWire.open(url);
  cleanUps.push(() => wire.close());
  return wire;
}

interface Answered {
  highWatermark: number;
  lastStableOffset: number;
  abortedTransactions: unknown[] | null;
}

/** What Fetch says from each offset on, and ListOffsets by each way to ask, to both kinds of readers. */
async function allAnswers(url: string): Promise<Record<string, Answered>> {
  const wire = await openWire(url);
  const answers: Record<string, unknown> = {};
  for (const [isolation, level] of [
    ['uncommitted', 0],
    ['committed', 1],
  ] as const) {
    for (let offset = 0; offset <= END + 1; offset++) {
      const { responses } = await wire.ask(fetch, 12, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1e6,
        isolationLevel: level,
        topics: [
          { topic: TOPIC, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1e6 }] },
        ],
      });
      const { records, ...answer } = responses[0].partitions[0];
      answers[`${isolation}${offset}`] = { ...answer, records: Buffer.from(records ?? []).toString('hex') };
    }
    for (const timestamp of [-1, -2, -3, 1]) {
      const { topics } = await wire.ask(listOffsets, 7, {
        replicaId: -1,
        isolationLevel: level,
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] }],
      });
      // Another start is another epoch of the leader, and the first record goes below.
      const { leaderEpoch: _, ...answer } = topics[0].partitions[0];
      if (timestamp < 0) answers[`${isolation} at ${timestamp}`] = answer;
    }
  }
  return answers as Record<string, Answered>;
}

async function replayed(broker: RunningBroker, count: number): Promise<string[]> {
  const client = await connect(urlOf(broker, 'frames'));
  const heard: string[] = [];
  await client.subscribe(TOPIC, (message) => heard.push(message.text()), { from: 'earliest' });
  await eventually(() => heard.length >= count, 'what was committed');
  await client.close();
  return heard;
}

async function commit(wire: KafkaWire, groupId: string, committedOffset: number): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }];
  const { topics } = await wire.ask(offsetCommit, 7, {
    groupId,
    memberId: '',
    topics: [{ name: TOPIC, partitions }],
  });
  expect(topics[0].partitions[0].errorCode).toBe(0);
}

async function committedBy(wire: KafkaWire, groupId: string): Promise<number> {
  const { topics } = await wire.ask(offsetFetch, 5, {
    groupId,
    topics: [{ name: TOPIC, partitionIndexes: [0] }],
  });
  return topics[0].partitions[0].committedOffset;
}

async function must(kafka: ApacheKafka, mainClass: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kafka.run(mainClass, [
    '--bootstrap-server',
    kafka.bootstrap,
    ...args,
  ]);
  if (code !== 0) throw new Error(`${mainClass} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
