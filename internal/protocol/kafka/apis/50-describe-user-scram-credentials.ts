import { array, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Tells which users have keys for SCRAM, and with how many iterations; never the keys. */
export const describeUserScramCredentials = defineApi({
  key: 50,
  name: 'DescribeUserScramCredentials',
  validVersions: '0',
  flexibleFrom: 0,
  request: { users: array(struct({ name: string() }), { nullable: true }) },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    results: array(
      struct({
        user: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        credentialInfos: array(struct({ mechanism: int8(), iterations: int32() })),
      }),
    ),
  },
});
