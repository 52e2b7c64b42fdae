import { addOffsetsToTxn } from '../../../protocol/kafka/apis/25-add-offsets-to-txn.ts';
import { defineHandler } from '../handler.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

export const addOffsetsToTxnHandler = defineHandler(
  addOffsetsToTxn,
  () => ({
    errorCode: NO_TRANSACTIONS.errorCode,
  }),
  { needs: [] },
);
