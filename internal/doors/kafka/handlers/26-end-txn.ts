import { endTxn } from '../../../protocol/kafka/apis/26-end-txn.ts';
import { defineHandler } from '../handler.ts';
import { NO_TRANSACTIONS } from '../transactions.ts';

export const endTxnHandler = defineHandler(endTxn, () => ({ errorCode: NO_TRANSACTIONS.errorCode }), {
  needs: [],
});
