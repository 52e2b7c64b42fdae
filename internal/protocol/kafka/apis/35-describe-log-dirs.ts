import { array, bool, defineApi, int16, int32, int64, string, struct } from '../schema.ts';

/** Tells the sizes of partitions on disk, in bytes; null topics are all of them. */
export const describeLogDirs = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  validVersions: '1-5',
  flexibleFrom: 2,
  request: { topics: array(struct({ topic: string(), partitions: array(int32()) }), { nullable: true }) },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '3+' }),
    results: array(
      struct({
        errorCode: int16(),
        logDir: string(),
        topics: array(
          struct({
            name: string(),
            partitions: array(
              struct({
                partitionIndex: int32(),
                partitionSize: int64(),
                offsetLag: int64(),
                isFutureKey: bool(),
              }),
            ),
          }),
        ),
        totalBytes: int64({ versions: '4+', default: -1 }),
        usableBytes: int64({ versions: '4+', default: -1 }),
        isCordoned: bool({ versions: '5+', default: false }),
      }),
    ),
  },
});
