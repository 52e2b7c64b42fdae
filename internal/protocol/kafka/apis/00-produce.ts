import { array, defineApi, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';

/**
 * Appends record batches to partitions. `acks` is 0 (no answer), 1 or -1; `timeoutMs` bounds the wait
 * for replicas.
 *
 * Clients built on older librdkafka take a broker that does not name version 0 for one without compression, so
 * ApiVersions says 0 although versions below 3 are not served.
 */
export const produce = defineApi({
  key: 0,
  name: 'Produce',
  validVersions: '3-13',
  advertisedFrom: 0,
  flexibleFrom: 9,
  request: {
    transactionalId: string({ nullable: true, default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array(
      struct({
        name: string({ versions: '3-12' }),
        topicId: uuid({ versions: '13+' }),
        partitionData: array(struct({ index: int32(), records: records({ nullable: true }) })),
      }),
    ),
  },
  response: {
    responses: array(
      struct({
        name: string({ versions: '3-12' }),
        topicId: uuid({ versions: '13+' }),
        partitionResponses: array(
          struct({
            index: int32(),
            errorCode: int16(),
            baseOffset: int64(),
            logAppendTimeMs: int64({ default: -1 }),
            logStartOffset: int64({ versions: '5+', default: -1 }),
            recordErrors: array(
              struct({
                batchIndex: int32(),
                batchIndexErrorMessage: string({ nullable: true, default: null }),
              }),
              { versions: '8+' },
            ),
            errorMessage: string({ versions: '8+', nullable: true, default: null }),
            currentLeader: struct(
              { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
              { versions: '10+', tag: 0 },
            ),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32({ default: 0 }),
    nodeEndpoints: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      }),
      { versions: '10+', tag: 0 },
    ),
  },
});
