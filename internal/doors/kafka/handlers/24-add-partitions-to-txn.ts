import { addPartitionsToTxn } from '../../../protocol/kafka/apis/24-add-partitions-to-txn.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { defineHandler } from '../handler.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

type Topics = RequestOf<typeof addPartitionsToTxn>['v3AndBelowTopics'];

/** Refused for every partition that is named, in the place where its version has the error. */
export const addPartitionsToTxnHandler = defineHandler(
  addPartitionsToTxn,
  (request) => ({
    errorCode: KafkaErrorCode.none,
    resultsByTransaction: request.transactions.map(({ transactionalId, topics }) => ({
      transactionalId,
      topicResults: refused(topics),
    })),
    resultsByTopicV3AndBelow: refused(request.v3AndBelowTopics),
  }),
  { needs: [] },
);

function refused(topics: Topics) {
  const { errorCode } = NO_TRANSACTIONS;
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorCode,
    })),
  }));
}
