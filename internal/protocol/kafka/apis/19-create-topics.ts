import { array, bool, defineApi, int8, int16, int32, string, struct, uuid } from '../schema.ts';

/** Creates topics, with as many partitions as said or with these replicas. */
export const createTopics = defineApi({
  key: 19,
  name: 'CreateTopics',
  validVersions: '2-7',
  flexibleFrom: 5,
  request: {
    topics: array(
      struct({
        name: string(),
        numPartitions: int32(),
        replicationFactor: int16(),
        assignments: array(struct({ partitionIndex: int32(), brokerIds: array(int32()) })),
        configs: array(struct({ name: string(), value: string({ nullable: true }) })),
      }),
    ),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ default: false }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({
        name: string(),
        topicId: uuid({ versions: '7+' }),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        topicConfigErrorCode: int16({ versions: '5+', tag: 0 }),
        numPartitions: int32({ versions: '5+', default: -1 }),
        replicationFactor: int16({ versions: '5+', default: -1 }),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: true }),
            readOnly: bool(),
            configSource: int8({ default: -1 }),
            isSensitive: bool(),
          }),
          { versions: '5+', nullable: true },
        ),
      }),
    ),
  },
});
