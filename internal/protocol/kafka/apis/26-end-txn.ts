import { bool, defineApi, int16, int32, int64, string } from '../schema.ts';

/** Commits or aborts a transaction. */
export const endTxn = defineApi({
  key: 26,
  name: 'EndTxn',
  validVersions: '0-5',
  flexibleFrom: 3,
  request: { transactionalId: string(), producerId: int64(), producerEpoch: int16(), committed: bool() },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ versions: '5+', default: -1 }),
    producerEpoch: int16({ versions: '5+', default: -1 }),
  },
});
