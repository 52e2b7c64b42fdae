import { array, bool, defineApi, float64, int16, int32, string, struct } from '../schema.ts';

/** Sets quotas and takes them away. */
export const alterClientQuotas = defineApi({
  key: 49,
  name: 'AlterClientQuotas',
  validVersions: '0-1',
  flexibleFrom: 1,
  request: {
    entries: array(
      struct({
        entity: array(struct({ entityType: string(), entityName: string({ nullable: true }) })),
        ops: array(struct({ key: string(), value: float64(), remove: bool() })),
      }),
    ),
    validateOnly: bool(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    entries: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        entity: array(struct({ entityType: string(), entityName: string({ nullable: true }) })),
      }),
    ),
  },
});
