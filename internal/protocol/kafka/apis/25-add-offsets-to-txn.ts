import { defineApi, int16, int32, int64, string } from '../schema.ts';

/** Says that a transaction will commit offsets of a group. */
export const addOffsetsToTxn = defineApi({
  key: 25,
  name: 'AddOffsetsToTxn',
  validVersions: '0-4',
  flexibleFrom: 3,
  request: { transactionalId: string(), producerId: int64(), producerEpoch: int16(), groupId: string() },
  response: { throttleTimeMs: int32({ default: 0 }), errorCode: int16() },
});
