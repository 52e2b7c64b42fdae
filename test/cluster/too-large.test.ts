import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { ProduceRequest, ProduceResponse } from '../../internal/protocol/smq/smq.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { recordsOf } from '../support/lasting-producer.ts';

/*
 * A message of NATS holds a batch, and what does not fit there never will. Each door says so, in the words of its protocol, at the node that
 * leads and at the others; clients that hear of it do not send it again, and what they send beside it is kept.
 */

/** With what lies around it, it is larger than the store of this cluster takes. */
const TOO_LARGE = Buffer.alloc(8 * 1024 * 1024, 'x');
const listen = ['tcp://127.0.0.1:0'];
const stop = new AbortController();

let cluster: FakeCluster;
beforeEach(async () => {
  cluster = await fakeCluster(2, {
    ...{ listen, kafka: { listen }, grpc: { listen }, http: { listen: ['http://127.0.0.1:0'] } },
    keep: [{ filter: 'kept/#' }],
  });
});
afterEach(() => cluster.close());

/** Where a node listens. */
function urlOf(node: number, door: string): string {
  return cluster.brokers[node]!.listeners.find((listener) => listener.door === door)!.url;
}

async function textsOf(log: string): Promise<string[]> {
  const records = await recordsOf(urlOf(0, 'kafka').replace(/^\w+:/, 'tcp:'), log, 0);
  return records.map(([, text]) => text);
}

describe('what is too large of a group', () => {
  it('is refused with the code that Kafka has for it, and other members and commits are not', async () => {
    const wire = await KafkaWire.open(urlOf(0, 'kafka').replace(/^\w+:/, 'tcp:'));
    const joining = (groupId: string, bytes: number) =>
      wire.ask(joinGroup, 3, {
        ...{
          groupId,
          memberId: '',
          protocolType: 'consumer',
          sessionTimeoutMs: 30_000,
          rebalanceTimeoutMs: 30_000,
        },
        protocols: [{ name: 'range', metadata: Buffer.alloc(bytes) }],
      });
    expect((await joining('large', 2 * 1024 * 1024)).errorCode).toBe(KafkaErrorCode.unknownServerError);
    expect((await joining('small', 1_000)).errorCode).toBe(KafkaErrorCode.none);

    const made = { numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };
    const topics = [{ name: 'committed', ...made }];
    await wire.ask(createTopics, 5, { topics, timeoutMs: 10_000, validateOnly: false });
    const commit = (partitionIndex: number, characters: number) => ({
      ...{ partitionIndex, committedOffset: 1, committedLeaderEpoch: -1 },
      committedMetadata: 'x'.repeat(characters),
    });
    const committed = await wire.ask(offsetCommit, 9, {
      ...{ groupId: 'reader', generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
      topics: [{ name: 'committed', partitions: [commit(0, 32_000), commit(1, 4_096)] }],
    });
    wire.close();
    expect(committed.topics[0].partitions.map(({ errorCode }: { errorCode: number }) => errorCode)).toEqual([
      KafkaErrorCode.offsetMetadataTooLarge,
      KafkaErrorCode.none,
    ]);
  });
});

describe.each([
  ['at the leader', 0],
  ['at another node', 1],
])('a message that is too large for the store, %s', (_where, node) => {
  it('is refused to MQTT clients, and what comes with it is kept', async () => {
    const client = await connectMqtt(urlOf(node, 'frames'), 5);
    client.publish('kept/mqtt', 'before', { qos: 1 });
    client.publish('kept/mqtt', TOO_LARGE, { qos: 1 });
    client.publish('kept/mqtt', 'after', { qos: 1 });
    const codes = (await client.take(3)).map((packet) => 'reasonCode' in packet && packet.reasonCode);
    expect(codes.map((code) => code === ReasonCode.quotaExceeded)).toEqual([false, true, false]);
    client.publish('kept/mqtt', TOO_LARGE, { qos: 2 });
    expect((await client.next(PacketType.pubrec)).reasonCode).toBe(ReasonCode.quotaExceeded);
    expect(await textsOf('kept.mqtt')).toEqual(['before', 'after']);
  });

  it.each([1, 2] as const)('is refused to clients of frames with QoS %i, once', async (qos) => {
    const client = await cluster.client(node);
    await client.publish('kept/frames', 'before', { qos });
    await expect((async () => client.publish('kept/frames', TOO_LARGE, { qos }))()).rejects.toThrow(
      /at most 8388608/,
    );
    await client.publish('kept/frames', 'after', { qos });
    expect(await textsOf('kept.frames')).toEqual(['before', 'after']);
  });

  it('is refused to clients of SMQ, Kafka and HTTP', async () => {
    const wire = await KafkaWire.open(urlOf(node, 'kafka').replace(/^\w+:/, 'tcp:'));
    const configs = [{ name: 'max.message.bytes', value: '100000000' }];
    const made = { numPartitions: 1, replicationFactor: 1, assignments: [], configs };
    const topics = ['smq', 'kafka'].map((name) => ({ name, ...made }));
    await wire.ask(createTopics, 5, { topics, timeoutMs: 10_000, validateOnly: false });
    wire.close();

    const { hostname: host, port } = new URL(urlOf(node, 'grpc').replace('grpc:', 'http:'));
    const settings = {
      tls: undefined,
      stop: stop.signal,
      connectTimeoutMs: 30_000,
      requestTimeoutMs: 60_000,
    };
    const smq = await SmqClient.connect({ host, port: Number(port) }, settings);
    const types = { request: ProduceRequest, response: ProduceResponse };
    await expect(smq.unary('Produce', types, { topic: 'smq', message: TOO_LARGE })).rejects.toMatchObject({
      status: Status.RESOURCE_EXHAUSTED,
      text: expect.stringContaining('at most 8388608'),
    });
    smq.close();

    const leader = await KafkaWire.open(urlOf(0, 'kafka').replace(/^\w+:/, 'tcp:'));
    const records = buildBatch([{ timestamp: 1, key: null, value: TOO_LARGE, headers: [] }]);
    const topicData = [{ name: 'kafka', partitionData: [{ index: 0, records }] }];
    const { responses } = await leader.ask(produce, 9, { acks: -1, timeoutMs: 30_000, topicData });
    expect(responses[0].partitionResponses[0].errorCode).toBe(KafkaErrorCode.messageTooLarge);
    leader.close();

    const url = `${urlOf(node, 'http')}/topics/kept/http?qos=1`;
    const answer = await fetch(url, { method: 'POST', body: TOO_LARGE });
    expect([answer.status, await answer.text()]).toEqual([413, expect.stringContaining('message-too-large')]);
    for (const log of ['smq', 'kafka']) expect(await textsOf(log)).toEqual([]);
  });
});
