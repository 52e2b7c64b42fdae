import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { saslHandshake } from '../../internal/protocol/kafka/apis/17-sasl-handshake.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { describeAcls } from '../../internal/protocol/kafka/apis/29-describe-acls.ts';
import { createAcls } from '../../internal/protocol/kafka/apis/30-create-acls.ts';
import { deleteAcls } from '../../internal/protocol/kafka/apis/31-delete-acls.ts';
import { saslAuthenticate } from '../../internal/protocol/kafka/apis/36-sasl-authenticate.ts';
import { describeClientQuotas } from '../../internal/protocol/kafka/apis/48-describe-client-quotas.ts';
import { alterClientQuotas } from '../../internal/protocol/kafka/apis/49-alter-client-quotas.ts';
import { describeUserScramCredentials } from '../../internal/protocol/kafka/apis/50-describe-user-scram-credentials.ts';
import { alterUserScramCredentials } from '../../internal/protocol/kafka/apis/51-alter-user-scram-credentials.ts';
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
const ACL = { principal: 'User:u', host: '*', operation: 3, permissionType: 3 };
const CLIENT = { entityType: 'client-id', entityName: 'c' };

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
  golden(saslHandshake.request, 1, '0005504c41494e', { mechanism: 'PLAIN' }),
  golden(saslHandshake.response, 1, '0021000000020005504c41494e000d534352414d2d5348412d323536', {
    errorCode: 33,
    mechanisms: ['PLAIN', 'SCRAM-SHA-256'],
  }),
  golden(saslAuthenticate.request, 0, '000000050102030405', { authBytes: BATCH }),
  golden(saslAuthenticate.request, 2, '06010203040500', { authBytes: BATCH }),
  golden(saslAuthenticate.response, 0, '003a00026e6f00000000', {
    errorCode: 58,
    errorMessage: 'no',
    authBytes: Uint8Array.of(),
  }),
  golden(saslAuthenticate.response, 2, '000000060102030405000000000036ee8000', {
    errorCode: 0,
    errorMessage: null,
    authBytes: BATCH,
    sessionLifetimeMs: 3_600_000,
  }),
  golden(describeAcls.request, 1, '0200016101ffffffff0101', {
    resourceTypeFilter: 2,
    resourceNameFilter: 'a',
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  }),
  golden(describeAcls.response, 1, '000000000000ffff000000010200016104000000010006557365723a7500012a0303', {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    resources: [{ resourceType: 2, resourceName: 'a', patternType: 4, acls: [ACL] }],
  }),
  golden(createAcls.request, 1, '0000000102000161040006557365723a7500012a0303', {
    creations: [{ resourceType: 2, resourceName: 'a', resourcePatternType: 4, ...ACL }],
  }),
  golden(createAcls.response, 1, '00000000000000020000ffff002a00026e6f', {
    throttleTimeMs: 0,
    results: [
      { errorCode: 0, errorMessage: null },
      { errorCode: 42, errorMessage: 'no' },
    ],
  }),
  golden(deleteAcls.request, 1, '0000000102ffff010006557365723a7500012a0303', {
    filters: [
      {
        resourceTypeFilter: 2,
        resourceNameFilter: null,
        patternTypeFilter: 1,
        principalFilter: 'User:u',
        hostFilter: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  }),
  golden(
    deleteAcls.response,
    1,
    '00000000000000010000ffff000000010000ffff02000161030006557365723a7500012a0303',
    {
      throttleTimeMs: 0,
      filterResults: [
        {
          errorCode: 0,
          errorMessage: null,
          matchingAcls: [
            { errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 'a', patternType: 3, ...ACL },
          ],
        },
      ],
    },
  ),
  golden(describeAcls.request, 3, '020261010000010100', {
    resourceTypeFilter: 2,
    resourceNameFilter: 'a',
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  }),
  golden(describeAcls.response, 3, '0000000000000002020261040207557365723a75022a0303000000', {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    resources: [{ resourceType: 2, resourceName: 'a', patternType: 4, acls: [ACL] }],
  }),
  golden(createAcls.request, 3, '020202610407557365723a75022a03030000', {
    creations: [{ resourceType: 2, resourceName: 'a', resourcePatternType: 4, ...ACL }],
  }),
  golden(createAcls.response, 3, '000000000300000000002a036e6f0000', {
    throttleTimeMs: 0,
    results: [
      { errorCode: 0, errorMessage: null },
      { errorCode: 42, errorMessage: 'no' },
    ],
  }),
  golden(deleteAcls.request, 3, '0202000107557365723a75022a03030000', {
    filters: [
      {
        resourceTypeFilter: 2,
        resourceNameFilter: null,
        patternTypeFilter: 1,
        principalFilter: 'User:u',
        hostFilter: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  }),
  golden(deleteAcls.response, 3, '0000000002000000020000000202610307557365723a75022a0303000000', {
    throttleTimeMs: 0,
    filterResults: [
      {
        errorCode: 0,
        errorMessage: null,
        matchingAcls: [
          { errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 'a', patternType: 3, ...ACL },
        ],
      },
    ],
  }),
  golden(describeClientQuotas.request, 0, '0000000100047573657201ffff01', {
    components: [{ entityType: 'user', matchType: 1, match: null }],
    strict: true,
  }),
  golden(
    describeClientQuotas.response,
    0,
    '000000000000ffff0000000100000001000475736572ffff00000001001270726f64756365725f627974655f726174654090000000000000',
    {
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      entries: [
        {
          entity: [{ entityType: 'user', entityName: null }],
          values: [{ key: 'producer_byte_rate', value: 1024 }],
        },
      ],
    },
  ),
  golden(
    alterClientQuotas.request,
    0,
    '00000001000000010009636c69656e742d696400016300000001001270726f64756365725f627974655f7261746540900200000000000001',
    {
      entries: [{ entity: [CLIENT], ops: [{ key: 'producer_byte_rate', value: 1024.5, remove: false }] }],
      validateOnly: true,
    },
  ),
  golden(alterClientQuotas.response, 0, '0000000000000001002a00026e6f000000010009636c69656e742d6964000163', {
    throttleTimeMs: 0,
    entries: [{ errorCode: 42, errorMessage: 'no', entity: [CLIENT] }],
  }),
  golden(describeClientQuotas.request, 1, '0205757365720100000100', {
    components: [{ entityType: 'user', matchType: 1, match: null }],
    strict: true,
  }),
  golden(
    describeClientQuotas.response,
    1,
    '00000000000000020205757365720000021370726f64756365725f627974655f726174654090000000000000000000',
    {
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      entries: [
        {
          entity: [{ entityType: 'user', entityName: null }],
          values: [{ key: 'producer_byte_rate', value: 1024 }],
        },
      ],
    },
  ),
  golden(
    alterClientQuotas.request,
    1,
    '02020a636c69656e742d6964026300021370726f64756365725f627974655f7261746540900200000000000000000100',
    {
      entries: [{ entity: [CLIENT], ops: [{ key: 'producer_byte_rate', value: 1024.5, remove: false }] }],
      validateOnly: true,
    },
  ),
  golden(alterClientQuotas.response, 1, '0000000002002a036e6f020a636c69656e742d69640263000000', {
    throttleTimeMs: 0,
    entries: [{ errorCode: 42, errorMessage: 'no', entity: [CLIENT] }],
  }),
  golden(describeUserScramCredentials.request, 0, '0204616e6e0000', { users: [{ name: 'ann' }] }),
  golden(describeUserScramCredentials.response, 0, '000000000000000204616e6e000000020100001000000000', {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    results: [
      {
        user: 'ann',
        errorCode: 0,
        errorMessage: null,
        credentialInfos: [{ mechanism: 1, iterations: 4096 }],
      },
    ],
  }),
  golden(
    alterUserScramCredentials.request,
    0,
    '0204626f6202000204616e6e01000010000601020304050601020304050000',
    {
      deletions: [{ name: 'bob', mechanism: 2 }],
      upsertions: [{ name: 'ann', mechanism: 1, iterations: 4096, salt: BATCH, saltedPassword: BATCH }],
    },
  ),
  golden(alterUserScramCredentials.response, 0, '000000000204616e6e005d036e6f0000', {
    throttleTimeMs: 0,
    results: [{ user: 'ann', errorCode: 93, errorMessage: 'no' }],
  }),
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
