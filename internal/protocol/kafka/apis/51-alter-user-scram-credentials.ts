import { array, bytes, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Gives users keys for SCRAM, and takes them away. */
export const alterUserScramCredentials = defineApi({
  key: 51,
  name: 'AlterUserScramCredentials',
  validVersions: '0',
  flexibleFrom: 0,
  request: {
    deletions: array(struct({ name: string(), mechanism: int8() })),
    upsertions: array(
      struct({
        name: string(),
        mechanism: int8(),
        iterations: int32(),
        salt: bytes(),
        saltedPassword: bytes(),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    results: array(struct({ user: string(), errorCode: int16(), errorMessage: string({ nullable: true }) })),
  },
});
