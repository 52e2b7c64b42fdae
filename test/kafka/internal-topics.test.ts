import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteTopics } from '../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { createPartitions } from '../../internal/protocol/kafka/apis/37-create-partitions.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../internal/protocol/kafka/schema.ts';
import { connect } from '../../pkg/client/index.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { eventually } from '../support/eventually.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';

/*
 * Kafka's own topics are not topics like others: one record in __consumer_offsets that is no commit keeps a Kafka that
 * goes on with the directory from loading the groups of that partition.
 */

const INTERNAL = ['__consumer_offsets', '__transaction_state', '__share_group_state'];
const { invalidTopicException, unknownTopicOrPartition, topicAlreadyExists, none } = KafkaErrorCode;

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options: BrokerOptions): Promise<{ broker: RunningBroker; wire: KafkaWire }> {
  const any = ['tcp://127.0.0.1:0'];
  const broker = await startBroker({
    listen: any,
    kafka: { listen: any },
    grpc: { listen: any },
    ...options,
  });
  cleanUps.push(() => broker.close());
  const wire = await KafkaWire.open(urlOf(broker, 'kafka'));
  cleanUps.push(() => wire.close());
  return { broker, wire };
}

/** On a directory of a Kafka, in which a group has committed. */
async function startOnDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'tinymq-internal-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  writeKafkaDirectory(directory, [{ name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionCount: 1 }]);
  const started = await start({ kafkaLogDirs: { directories: [directory], offsetsPartitions: 1 } });
  const { topics } = await started.wire.ask(offsetCommit, 7, {
    groupId: 'readers',
    memberId: '',
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }] }],
  });
  expect(topics[0].partitions[0]).toMatchObject({ errorCode: none });
  return started;
}

async function described(wire: KafkaWire, name: string, allowAutoTopicCreation = true) {
  const { topics } = await wire.ask(metadata, 12, { topics: [{ name }], allowAutoTopicCreation });
  return topics[0];
}

async function produced(wire: KafkaWire, topic: { name?: string; topicId?: string }, version = 9) {
  const records = buildBatch([{ timestamp: Date.now(), key: null, value: Buffer.from('x') }]);
  const { responses } = await wire.ask(produce, version, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ ...topic, partitionData: [{ index: 0, records }] }],
  });
  return responses[0].partitionResponses[0].errorCode;
}

async function created(wire: KafkaWire, name: string) {
  const asked = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await wire.ask(createTopics, 7, { topics: [asked] });
  return topics[0].errorCode;
}

describe("Kafka's own topics", () => {
  it.each(INTERNAL)('%s: never comes to be, and nobody writes there', async (name) => {
    const { wire } = await start({ memory: true, logs: [{ filter: '#' }] });
    expect(await described(wire, name)).toMatchObject({
      errorCode: unknownTopicOrPartition,
      isInternal: true,
    });
    expect(await produced(wire, { name })).toBe(invalidTopicException);
    expect(await created(wire, name)).toBe(invalidTopicException);
    expect(await described(wire, name, false)).toMatchObject({ errorCode: unknownTopicOrPartition });
  });

  it('are not made by live messages, which reach their subscribers', async () => {
    const { broker, wire } = await start({ memory: true, logs: [{ filter: '#' }] });
    const client = await connect(urlOf(broker, 'frames'));
    const heard: string[] = [];
    await client.subscribe('#', ({ topic }) => heard.push(topic));
    // What a log cannot have in its name becomes '_'.
    for (const topic of ['__consumer_offsets', '__consumer offsets', 'ordinary'])
      await client.publish(topic, 'x');
    await eventually(() => heard.length === 3, 'all three');
    await eventually(
      async () => (await described(wire, 'ordinary', false)).errorCode === none,
      'the ordinary log',
    );
    expect(await described(wire, '__consumer_offsets', false)).toMatchObject({
      errorCode: unknownTopicOrPartition,
    });
    await client.close();
  });

  it('cannot be named for what is kept', async () => {
    for (const log of [{ filter: '#', name: '__consumer_offsets' }, { filter: '__transaction_state' }]) {
      await expect(start({ memory: true, logs: [log] })).rejects.toThrow("is a topic of Kafka's own");
    }
  });

  it('are no topics for clients of SMQ', async () => {
    const { broker } = await start({ memory: true });
    const client = new TestClient(urlOf(broker, 'grpc'));
    cleanUps.push(() => client.close());
    await expect(client.unary('CreateTopic', { topic: '__consumer_offsets' })).rejects.toThrow(
      '2: invalid topic name: __consumer_offsets',
    );
  });

  it("are read on a Kafka's directory, and changed by nobody, whichever way", async () => {
    const { broker, wire } = await startOnDirectory();
    const name = '__consumer_offsets';
    const topic = await described(wire, name);
    expect(topic).toMatchObject({ errorCode: none, isInternal: true });
    expect(await produced(wire, { name })).toBe(invalidTopicException);
    expect(await produced(wire, { topicId: topic.topicId }, 13)).toBe(invalidTopicException);
    expect(await created(wire, name)).toBe(topicAlreadyExists);
    const records = await wire.ask(deleteRecords, 2, {
      topics: [{ name, partitions: [{ partitionIndex: 0, offset: -1 }] }],
      timeoutMs: 1000,
    });
    expect(records.topics[0].partitions[0]).toMatchObject({ errorCode: invalidTopicException });
    const more = await wire.ask(createPartitions, 3, {
      topics: [{ name, count: 9, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    });
    expect(more.results[0]).toMatchObject({ errorCode: invalidTopicException });
    for (const asked of [
      { name, topicId: ZERO_UUID },
      { name: null, topicId: topic.topicId },
    ]) {
      const { responses } = await wire.ask(deleteTopics, 6, { topics: [asked], timeoutMs: 1000 });
      expect(responses[0]).toMatchObject({ errorCode: invalidTopicException });
    }
    const client = await connect(urlOf(broker, 'frames'));
    await client.publish(name, 'no commit');
    await client.close();
    const smq = new TestClient(urlOf(broker, 'grpc'));
    cleanUps.push(() => smq.close());
    const message = new Uint8Array([1]);
    await expect(smq.unary('Produce', { topic: name, message })).rejects.toThrow(
      `2: invalid topic name: ${name}`,
    );
    await expect(smq.unary('DeleteUntilOffset', { topic: name, offset: 1n })).rejects.toThrow(
      'invalid topic name',
    );

    const { responses } = await wire.ask(fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1e6,
      isolationLevel: 1,
      topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1e6 }] }],
    });
    expect(responses[0].partitions[0]).toMatchObject({
      errorCode: none,
      highWatermark: 1,
      lastStableOffset: 1,
    });
  });

  it('are replayed to who names them, and not to who asks for everything', async () => {
    const { broker } = await startOnDirectory();
    const [client, other] = await Promise.all([1, 2].map(() => connect(urlOf(broker, 'frames'))));
    const heard = { all: 0, named: 0 };
    await other.subscribe('#', () => heard.all++, { from: 'earliest' });
    await client.subscribe('__consumer_offsets', () => heard.named++, { from: 'earliest' });
    await eventually(() => heard.named === 1, 'the commit');
    expect(heard.all).toBe(0);
    await Promise.all([client.close(), other.close()]);
  });
});
