import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import type { InputOf, Message } from '../../internal/protocol/kafka/schema.ts';

/** One message as bytes and as a value, for every test that reads or writes messages. */
export interface GoldenMessage {
  name: string;
  message: Message;
  version: number;
  /** Hex digits; spaces stand between the values. */
  hex: string;
  value: InputOf<Message>;
}

const TOPIC_ID = '0123456789abcdefghijkA';
const BATCH = Uint8Array.of(1, 2, 3, 4, 5);

/** An old and the newest version of each, with the bytes that Apache Kafka 4.3 writes for them. */
export const GOLDEN_MESSAGES: readonly GoldenMessage[] = [
  golden(apiVersions.request, 0, '', {}),
  golden(apiVersions.request, 4, '056b636174 04312e37 00', {
    clientSoftwareName: 'kcat',
    clientSoftwareVersion: '1.7',
  }),
  golden(apiVersions.response, 0, '0023 00000001 0012 0000 0004', {
    errorCode: 35,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
  }),
  golden(
    apiVersions.response,
    4,
    '0000 03 0000 0000 000d 00 0012 0000 0004 00 00000000 04 00 17 02116d657461646174612e76657273696f6e0001001d00 01 08 0000000000000007 02 17 02116d657461646174612e76657273696f6e001d001d00 03 01 01',
    {
      errorCode: 0,
      apiKeys: [
        { apiKey: 0, minVersion: 0, maxVersion: 13 },
        { apiKey: 18, minVersion: 0, maxVersion: 4 },
      ],
      throttleTimeMs: 0,
      supportedFeatures: [{ name: 'metadata.version', minVersion: 1, maxVersion: 29 }],
      finalizedFeaturesEpoch: 7,
      finalizedFeatures: [{ name: 'metadata.version', maxVersionLevel: 29, minVersionLevel: 29 }],
      zkMigrationReady: true,
    },
  ),
  golden(metadata.request, 0, '00000000', { topics: [] }),
  golden(metadata.request, 1, 'ffffffff', { topics: null }),
  golden(
    metadata.request,
    13,
    '03 d35db7e39ebbf3d69b71d79f8218a390 00 00 00000000000000000000000000000000 0d73656e736f72732e74656d70 00 00 01 00',
    {
      topics: [{ topicId: TOPIC_ID, name: null }, { name: 'sensors.temp' }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
    },
  ),
  golden(
    metadata.response,
    0,
    '00000001 00000001 00096c6f63616c686f7374 00002384 00000001 0000 000161 00000001 0000 00000000 00000001 00000001 00000001 00000001 00000001',
    {
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
      topics: [
        {
          errorCode: 0,
          name: 'a',
          partitions: [{ errorCode: 0, partitionIndex: 0, leaderId: 1, replicaNodes: [1], isrNodes: [1] }],
        },
      ],
    },
  ),
  golden(
    metadata.response,
    13,
    '00000000 02 00000001 0a6c6f63616c686f7374 00002384 00 00 0774696e796d71 00000001 02 0000 0261 d35db7e39ebbf3d69b71d79f8218a390 00 02 0000 00000000 00000001 00000003 02 00000001 02 00000001 01 00 80000000 00 0000 00',
    {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
      clusterId: 'tinymq',
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 'a',
          topicId: TOPIC_ID,
          isInternal: false,
          partitions: [
            {
              errorCode: 0,
              partitionIndex: 0,
              leaderId: 1,
              leaderEpoch: 3,
              replicaNodes: [1],
              isrNodes: [1],
              offlineReplicas: [],
            },
          ],
          topicAuthorizedOperations: -2147483648,
        },
      ],
      errorCode: 0,
    },
  ),
  golden(produce.request, 3, 'ffff ffff 00007530 00000001 000161 00000001 00000002 00000005 0102030405', {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30000,
    topicData: [{ name: 'a', partitionData: [{ index: 2, records: BATCH }] }],
  }),
  golden(
    produce.request,
    13,
    '037478 0001 00007530 02 d35db7e39ebbf3d69b71d79f8218a390 03 00000002 06 0102030405 00 00000003 00 00 00 00',
    {
      transactionalId: 'tx',
      acks: 1,
      timeoutMs: 30000,
      topicData: [
        {
          topicId: TOPIC_ID,
          partitionData: [
            { index: 2, records: BATCH },
            { index: 3, records: null },
          ],
        },
      ],
    },
  ),
  golden(
    produce.response,
    3,
    '00000001 000161 00000001 00000002 0000 0000000100000002 ffffffffffffffff 00000000',
    {
      responses: [
        {
          name: 'a',
          partitionResponses: [{ index: 2, errorCode: 0, baseOffset: 4294967298, logAppendTimeMs: -1 }],
        },
      ],
      throttleTimeMs: 0,
    },
  ),
  golden(
    produce.response,
    13,
    '02 d35db7e39ebbf3d69b71d79f8218a390 02 00000002 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff 02 00000004 04626164 00 00 01 00 09 000000010000000900 00 00000000 01 00 15 02000000010a6c6f63616c686f7374000023840000',
    {
      responses: [
        {
          topicId: TOPIC_ID,
          partitionResponses: [
            {
              index: 2,
              errorCode: 6,
              baseOffset: -1,
              logAppendTimeMs: -1,
              logStartOffset: -1,
              recordErrors: [{ batchIndex: 4, batchIndexErrorMessage: 'bad' }],
              errorMessage: null,
              currentLeader: { leaderId: 1, leaderEpoch: 9 },
            },
          ],
        },
      ],
      throttleTimeMs: 0,
      nodeEndpoints: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
    },
  ),
  golden(
    fetch.request,
    4,
    'ffffffff 000001f4 00000001 03200000 00 00000001 000161 00000001 00000000 0000000000000007 00100000',
    {
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52428800,
      isolationLevel: 0,
      topics: [{ topic: 'a', partitions: [{ partition: 0, fetchOffset: 7, partitionMaxBytes: 1048576 }] }],
    },
  ),
  golden(
    fetch.request,
    18,
    '000001f4 00000001 03200000 01 00000005 00000006 02 d35db7e39ebbf3d69b71d79f8218a390 02 00000000 00000003 0000000000000007 ffffffff ffffffffffffffff 00100000 00 00 02 d35db7e39ebbf3d69b71d79f8218a390 03 00000001 00000002 00 01 01 00 02 0263',
    {
      clusterId: 'c',
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52428800,
      isolationLevel: 1,
      sessionId: 5,
      sessionEpoch: 6,
      topics: [
        {
          topicId: TOPIC_ID,
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: 3,
              fetchOffset: 7,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1048576,
            },
          ],
        },
      ],
      forgottenTopicsData: [{ topicId: TOPIC_ID, partitions: [1, 2] }],
      rackId: '',
    },
  ),
  golden(
    fetch.response,
    4,
    '00000000 00000001 000161 00000001 00000000 0000 0000000000000009 0000000000000009 ffffffff 00000005 0102030405',
    {
      throttleTimeMs: 0,
      responses: [
        {
          topic: 'a',
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 9,
              lastStableOffset: 9,
              abortedTransactions: null,
              records: BATCH,
            },
          ],
        },
      ],
    },
  ),
  golden(
    fetch.response,
    18,
    '00000000 0000 00000005 02 d35db7e39ebbf3d69b71d79f8218a390 02 00000000 004a 0000000000000009 0000000000000009 0000000000000000 02 00000000000003e8 0000000000000003 00 ffffffff 06 0102030405 01 00 0d 00000002000000000000000600 00 00',
    {
      throttleTimeMs: 0,
      errorCode: 0,
      sessionId: 5,
      responses: [
        {
          topicId: TOPIC_ID,
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 74,
              highWatermark: 9,
              lastStableOffset: 9,
              logStartOffset: 0,
              divergingEpoch: { epoch: 2, endOffset: 6 },
              abortedTransactions: [{ producerId: 1000, firstOffset: 3 }],
              preferredReadReplica: -1,
              records: BATCH,
            },
          ],
        },
      ],
      nodeEndpoints: [],
    },
  ),
  golden(listOffsets.request, 1, 'ffffffff 00000001 000161 00000001 00000000 fffffffffffffffe', {
    replicaId: -1,
    topics: [{ name: 'a', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
  }),
  golden(
    listOffsets.request,
    11,
    'ffffffff 00 02 0261 02 00000000 ffffffff 0000018bcfe56800 00 00 00007530 00',
    {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 'a', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: 1700000000000 }] },
      ],
      timeoutMs: 30000,
    },
  ),
  golden(
    listOffsets.response,
    1,
    '00000001 000161 00000001 00000000 0000 ffffffffffffffff 000000000000000c',
    { topics: [{ name: 'a', partitions: [{ partitionIndex: 0, errorCode: 0, timestamp: -1, offset: 12 }] }] },
  ),
  golden(
    listOffsets.response,
    11,
    '00000000 02 0261 02 00000000 0000 0000018bcfe56800 000000000000000c 00000003 00 00 00',
    {
      throttleTimeMs: 0,
      topics: [
        {
          name: 'a',
          partitions: [
            { partitionIndex: 0, errorCode: 0, timestamp: 1700000000000, offset: 12, leaderEpoch: 3 },
          ],
        },
      ],
    },
  ),
  golden(
    joinGroup.request,
    0,
    '000167 00002710 0000 0008636f6e73756d6572 00000001 000572616e6765 00000005 0102030405',
    {
      groupId: 'g',
      sessionTimeoutMs: 10000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: BATCH }],
    },
  ),
  golden(
    joinGroup.request,
    9,
    '0267 00002710 000493e0 01 00 09636f6e73756d6572 02 0672616e6765 06 0102030405 00 066669727374 00',
    {
      groupId: 'g',
      sessionTimeoutMs: 10000,
      rebalanceTimeoutMs: 300000,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: BATCH }],
      reason: 'first',
    },
  ),
  golden(
    joinGroup.response,
    0,
    '0000 00000001 000572616e6765 00016d 00016d 00000001 00016d 00000005 0102030405',
    {
      errorCode: 0,
      generationId: 1,
      protocolName: 'range',
      leader: 'm',
      memberId: 'm',
      members: [{ memberId: 'm', metadata: BATCH }],
    },
  ),
  golden(
    joinGroup.response,
    9,
    '00000000 0000 00000001 09636f6e73756d6572 0672616e6765 026d 00 026d 02 026d 0269 06 0102030405 00 00',
    {
      throttleTimeMs: 0,
      errorCode: 0,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: 'm',
      skipAssignment: false,
      memberId: 'm',
      members: [{ memberId: 'm', groupInstanceId: 'i', metadata: BATCH }],
    },
  ),
];

/** The bytes of a golden message. */
export function bytesOf({ hex }: GoldenMessage): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

function golden<M extends Message>(
  message: M,
  version: number,
  hex: string,
  value: InputOf<M>,
): GoldenMessage {
  return { name: `${message.name} ${version}`, message, version, hex, value };
}
