import { array, bool, defineApi, float64, int8, int16, int32, string, struct } from '../schema.ts';

/** Lists the quotas that match a filter. */
export const describeClientQuotas = defineApi({
  key: 48,
  name: 'DescribeClientQuotas',
  validVersions: '0-1',
  flexibleFrom: 1,
  request: {
    components: array(struct({ entityType: string(), matchType: int8(), match: string({ nullable: true }) })),
    strict: bool(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    entries: array(
      struct({
        entity: array(struct({ entityType: string(), entityName: string({ nullable: true }) })),
        values: array(struct({ key: string(), value: float64() })),
      }),
      { nullable: true },
    ),
  },
});
