import { defineApi, int16, int32, int64, string } from '../schema.ts';

/** Gives out a producer id and epoch. */
export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  validVersions: '0-5',
  flexibleFrom: 2,
  request: {
    transactionalId: string({ nullable: true }),
    transactionTimeoutMs: int32(),
    producerId: int64({ versions: '3+', default: -1 }),
    producerEpoch: int16({ versions: '3+', default: -1 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
  },
});
