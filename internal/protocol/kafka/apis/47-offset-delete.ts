import { array, defineApi, int16, int32, string, struct } from '../schema.ts';

/** Deletes committed offsets of a group. */
export const offsetDelete = defineApi({
  key: 47,
  name: 'OffsetDelete',
  validVersions: '0',
  request: {
    groupId: string(),
    topics: array(struct({ name: string(), partitions: array(struct({ partitionIndex: int32() })) })),
  },
  response: {
    errorCode: int16(),
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({ name: string(), partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })) }),
    ),
  },
});
