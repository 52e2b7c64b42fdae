import { buildBatch } from '../../internal/batch/build.ts';
import { MqttClient } from '../../internal/clients/mqtt/client.ts';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import { SmqRefusal } from '../../internal/clients/smq/refusal.ts';
import type { ConnectionSettings } from '../../internal/clients/socket.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch as fetchRecords } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { findCoordinator } from '../../internal/protocol/kafka/apis/10-find-coordinator.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { deleteRecords } from '../../internal/protocol/kafka/apis/21-delete-records.ts';
import { initProducerId } from '../../internal/protocol/kafka/apis/22-init-producer-id.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import {
  CreateTopicRequest,
  CreateTopicResponse,
  DeleteUntilOffsetRequest,
  DeleteUntilOffsetResponse,
  ProduceRequest,
  ProduceResponse,
} from '../../internal/protocol/smq/smq.ts';
import { RETRIABLE } from './cluster-writers.ts';
import { commitOf, KafkaWire } from './kafka-wire.ts';
import type { ClusterNode } from './mortal-cluster.ts';

/** Errors of Kafka after which its clients try again by themselves, as Kafka's protocol lists them. */
const RETRIABLE_OR_NONE = new Set<number>([
  ...RETRIABLE,
  KafkaErrorCode.none,
  KafkaErrorCode.notEnoughReplicas,
  KafkaErrorCode.offsetNotAvailable,
]);

/**
 * Asks a broker that cannot keep anything for all that has to last, by every door, and says what was refused in a way that keeps a client
 * from trying again.
 *
 * @param topic a log of Kafka with one partition. @param kept a live topic that is kept.
 */
export async function finalRefusals(node: ClusterNode, topic: string, kept: string): Promise<string[]> {
  const found = await Promise.all([
    ...kafkaRequests(topic).map((ask) => kafkaProblem(node, ask)),
    ...smqRequests(topic).map((ask) => smqProblem(node, ask)),
    mqttProblem(node, kept),
    httpProblem(node, kept),
  ]);
  return found.filter((problem) => problem !== undefined);
}

type KafkaRequest = readonly [name: string, (wire: KafkaWire) => Promise<object>];

function kafkaRequests(name: string): KafkaRequest[] {
  const records = buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x'), headers: [] }]);
  const topicData = [{ name, partitionData: [{ index: 0, records }] }];
  const fetched = { partition: 0, fetchOffset: 1, partitionMaxBytes: 1_000 };
  const partitions = [{ partitionIndex: 0, timestamp: -1 }];
  const made = { name: `${name}.new`, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const member = {
    // Another one: to a group with members nobody else commits.
    ...{ groupId: 'members', sessionTimeoutMs: 10_000, memberId: '', protocolType: 'consumer' },
    protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  };
  return [
    ['Produce', (wire) => wire.ask(produce, 9, { acks: -1, timeoutMs: 30_000, topicData })],
    [
      'Fetch at the end',
      (wire) =>
        wire.ask(fetchRecords, 12, {
          ...{ maxWaitMs: 0, minBytes: 1, topics: [{ topic: name, partitions: [fetched] }] },
        }),
    ],
    ['ListOffsets', (wire) => wire.ask(listOffsets, 5, { replicaId: -1, topics: [{ name, partitions }] })],
    ['Metadata', (wire) => wire.ask(metadata, 9, { topics: [{ name }] })],
    ['FindCoordinator', (wire) => wire.ask(findCoordinator, 3, { key: 'group', keyType: 0 })],
    ['JoinGroup', (wire) => wire.ask(joinGroup, 3, member)],
    ['OffsetCommit', (wire) => wire.ask(offsetCommit, 7, commitOf('group', name, 1))],
    [
      'OffsetFetch',
      (wire) => wire.ask(offsetFetch, 5, { groupId: 'group', topics: [{ name, partitionIndexes: [0] }] }),
    ],
    ['CreateTopics', (wire) => wire.ask(createTopics, 5, { topics: [made], timeoutMs: 30_000 })],
    [
      'DeleteRecords',
      (wire) =>
        wire.ask(deleteRecords, 2, {
          ...{ topics: [{ name, partitions: [{ partitionIndex: 0, offset: 1 }] }], timeoutMs: 30_000 },
        }),
    ],
    [
      'InitProducerId',
      (wire) => wire.ask(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 }),
    ],
  ];
}

async function kafkaProblem(node: ClusterNode, [name, ask]: KafkaRequest): Promise<string | undefined> {
  const wire = await KafkaWire.open(node.urlOf('kafka'));
  try {
    const wrong = errorCodesIn(await ask(wire)).filter((code) => !RETRIABLE_OR_NONE.has(code));
    return wrong.length === 0 ? undefined : `${name} of Kafka: error ${wrong.join(', ')}`;
  } finally {
    wire.close();
  }
}

/** All values of fields that are called so, however deep they lie. */
function errorCodesIn(answer: object): number[] {
  return Object.entries(answer).flatMap(([name, value]) => {
    if (name === 'errorCode') return [value as number];
    return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
      ? errorCodesIn(value as object)
      : [];
  });
}

type SmqRequest = readonly [name: string, (client: SmqClient) => Promise<unknown>];

function smqRequests(topic: string): SmqRequest[] {
  const produced = { request: ProduceRequest, response: ProduceResponse };
  const created = { request: CreateTopicRequest, response: CreateTopicResponse };
  const deleted = { request: DeleteUntilOffsetRequest, response: DeleteUntilOffsetResponse };
  return [
    ['Produce', (client) => client.unary('Produce', produced, { topic, message: Buffer.from('x') })],
    ['CreateTopic', (client) => client.unary('CreateTopic', created, { topic: `${topic}.smq` })],
    ['DeleteUntilOffset', (client) => client.unary('DeleteUntilOffset', deleted, { topic, offset: 1 })],
  ];
}

/** Longer than a broker waits for NATS before it says no. */
const ANSWER_MS = 120_000;
const settings: ConnectionSettings = {
  ...{ clientId: 'asking', softwareVersion: 'test', tls: undefined, stop: new AbortController().signal },
  ...{ connectTimeoutMs: ANSWER_MS, requestTimeoutMs: ANSWER_MS },
};

async function smqProblem(node: ClusterNode, [name, ask]: SmqRequest): Promise<string | undefined> {
  const client = await SmqClient.connect({ host: '127.0.0.1', port: node.ports.grpc }, settings);
  try {
    await ask(client);
    return undefined;
  } catch (error) {
    const isPassing = error instanceof SmqRefusal && error.status === Status.UNAVAILABLE;
    return isPassing ? undefined : `${name} of SMQ: ${(error as Error).message}`;
  } finally {
    client.close();
  }
}

/** 0x83, the code of MQTT 5 for what its others do not say, or the same as the end of the connection. */
async function mqttProblem(node: ClusterNode, topic: string): Promise<string | undefined> {
  const client = await MqttClient.connect({ host: '127.0.0.1', port: node.ports.frames }, settings);
  const acknowledged = new Promise<void>((resolve) => {
    client.onAcknowledged = resolve;
  });
  const room = client.publish(topic, Buffer.from('x'), 1);
  try {
    await Promise.race([Promise.all([room, acknowledged]), client.ended]);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return /Implementation specific error|Server (busy|unavailable)/.test(message)
      ? undefined
      : `PUBLISH of MQTT: ${message}`;
  } finally {
    client.close();
  }
}

async function httpProblem(node: ClusterNode, topic: string): Promise<string | undefined> {
  const url = `http://127.0.0.1:${node.ports.http}/topics/${topic}?qos=1`;
  const answer = await fetch(url, { method: 'POST', body: 'x' });
  return answer.ok || answer.status === 503 ? undefined : `POST of HTTP: ${answer.status}`;
}
