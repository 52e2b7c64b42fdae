import { array, bool, defineApi, int16, int32, int64, string, struct } from '../schema.ts';

const topics = { name: string(), partitions: array(int32()) };
const topicResults = {
  name: string(),
  resultsByPartition: array(struct({ partitionIndex: int32(), partitionErrorCode: int16() })),
};

/** Adds partitions to a transaction; from version 4 on brokers ask for several transactions at once. */
export const addPartitionsToTxn = defineApi({
  key: 24,
  name: 'AddPartitionsToTxn',
  validVersions: '0-5',
  flexibleFrom: 3,
  request: {
    transactions: array(
      struct({
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: bool({ default: false }),
        topics: array(struct(topics)),
      }),
      { versions: '4+' },
    ),
    v3AndBelowTransactionalId: string({ versions: '0-3' }),
    v3AndBelowProducerId: int64({ versions: '0-3' }),
    v3AndBelowProducerEpoch: int16({ versions: '0-3' }),
    v3AndBelowTopics: array(struct(topics), { versions: '0-3' }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '4+' }),
    resultsByTransaction: array(
      struct({ transactionalId: string(), topicResults: array(struct(topicResults)) }),
      { versions: '4+' },
    ),
    resultsByTopicV3AndBelow: array(struct(topicResults), { versions: '0-3' }),
  },
});
