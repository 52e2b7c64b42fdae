import { txnOffsetCommit } from '../../../protocol/kafka/apis/28-txn-offset-commit.ts';
import { defineHandler } from '../handler.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

/** Refused for every partition that is named: there is no other place for an error. */
export const txnOffsetCommitHandler = defineHandler(
  txnOffsetCommit,
  ({ topics }) => ({
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: NO_TRANSACTIONS.errorCode,
      })),
    })),
  }),
  { needs: [] },
);
