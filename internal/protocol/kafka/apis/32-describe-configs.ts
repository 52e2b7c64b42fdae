import { array, bool, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Tells the configuration of topics (type 2) and brokers (4); null keys are all of them. */
export const describeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  validVersions: '1-4',
  flexibleFrom: 4,
  request: {
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configurationKeys: array(string(), { nullable: true }),
      }),
    ),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool({ versions: '3+', default: false }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    results: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: true }),
            readOnly: bool(),
            configSource: int8({ default: -1 }),
            isSensitive: bool(),
            synonyms: array(struct({ name: string(), value: string({ nullable: true }), source: int8() })),
            configType: int8({ versions: '3+', default: 0 }),
            documentation: string({ versions: '3+', nullable: true }),
          }),
        ),
      }),
    ),
  },
});
