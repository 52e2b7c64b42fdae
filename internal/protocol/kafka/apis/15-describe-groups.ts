import { array, bool, bytes, defineApi, int16, int32, string, struct } from '../schema.ts';

/** Tells state, protocol and members of groups. */
export const describeGroups = defineApi({
  key: 15,
  name: 'DescribeGroups',
  validVersions: '0-6',
  flexibleFrom: 5,
  request: { groups: array(string()), includeAuthorizedOperations: bool({ versions: '3+' }) },
  response: {
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    groups: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ versions: '6+', nullable: true, default: null }),
        groupId: string(),
        groupState: string(),
        protocolType: string(),
        protocolData: string(),
        members: array(
          struct({
            memberId: string(),
            groupInstanceId: string({ versions: '4+', nullable: true, default: null }),
            clientId: string(),
            clientHost: string(),
            memberMetadata: bytes(),
            memberAssignment: bytes(),
          }),
        ),
        authorizedOperations: int32({ versions: '3+', default: -0x8000_0000 }),
      }),
    ),
  },
});
