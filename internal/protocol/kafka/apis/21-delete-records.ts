import { array, defineApi, int16, int32, int64, string, struct } from '../schema.ts';

/** Moves the beginning of partitions forward; offset -1 is their end. */
export const deleteRecords = defineApi({
  key: 21,
  name: 'DeleteRecords',
  validVersions: '0-2',
  flexibleFrom: 2,
  request: {
    topics: array(
      struct({ name: string(), partitions: array(struct({ partitionIndex: int32(), offset: int64() })) }),
    ),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), lowWatermark: int64(), errorCode: int16() })),
      }),
    ),
  },
});
