import { array, defineApi, int8, int16, int32, string, struct } from '../schema.ts';

/** Lists the ACLs that match a filter. */
export const describeAcls = defineApi({
  key: 29,
  name: 'DescribeAcls',
  validVersions: '1-3',
  flexibleFrom: 2,
  request: {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullable: true }),
    patternTypeFilter: int8({ default: 3 }),
    principalFilter: string({ nullable: true }),
    hostFilter: string({ nullable: true }),
    operation: int8(),
    permissionType: int8(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        patternType: int8({ default: 3 }),
        acls: array(
          struct({ principal: string(), host: string(), operation: int8(), permissionType: int8() }),
        ),
      }),
    ),
  },
});
