import { array, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Adds ACLs. */
export const createAcls = defineApi({
  key: 30,
  name: 'CreateAcls',
  validVersions: '1-3',
  flexibleFrom: 2,
  request: {
    creations: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        resourcePatternType: int8({ default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    results: array(struct({ errorCode: int16(), errorMessage: string({ nullable: true }) })),
  },
});
