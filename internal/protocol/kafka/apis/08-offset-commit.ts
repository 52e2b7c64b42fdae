import { array, defineApi, int16, int32, int64, string, struct, uuid } from '../schema.ts';

/** Keeps how far a group has read. */
export const offsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  validVersions: '2-10',
  flexibleFrom: 8,
  request: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string({ versions: '7+', nullable: true, default: null }),
    retentionTimeMs: int64({ versions: '2-4', default: -1 }),
    topics: array(
      struct({
        name: string({ versions: '2-9' }),
        topicId: uuid({ versions: '10+' }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ versions: '6+', default: -1 }),
            committedMetadata: string({ nullable: true }),
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32({ versions: '3+', default: 0 }),
    topics: array(
      struct({
        name: string({ versions: '2-9' }),
        topicId: uuid({ versions: '10+' }),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  },
});
