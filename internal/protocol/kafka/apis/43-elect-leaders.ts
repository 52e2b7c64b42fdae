import { array, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Elects the preferred (0) or any live replica (1) as leader; null topics are all partitions. */
export const electLeaders = defineApi({
  key: 43,
  name: 'ElectLeaders',
  validVersions: '0-2',
  flexibleFrom: 2,
  request: {
    electionType: int8({ versions: '1+' }),
    topicPartitions: array(struct({ topic: string(), partitions: array(int32()) }), { nullable: true }),
    timeoutMs: int32({ default: 60_000 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '1+' }),
    replicaElectionResults: array(
      struct({
        topic: string(),
        partitionResult: array(
          struct({ partitionId: int32(), errorCode: int16(), errorMessage: string({ nullable: true }) }),
        ),
      }),
    ),
  },
});
