import { array, bool, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Sets the whole configuration of resources: what is not named goes back to its default. */
export const alterConfigs = defineApi({
  key: 33,
  name: 'AlterConfigs',
  validVersions: '0-2',
  flexibleFrom: 2,
  request: {
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configs: array(struct({ name: string(), value: string({ nullable: true }) })),
      }),
    ),
    validateOnly: bool(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    responses: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
      }),
    ),
  },
});
