import { array, defineApi, int16, int32, string, struct } from '../schema.ts';

/** Takes members out of a group: one up to version 2, several from 3 on. */
export const leaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  validVersions: '0-5',
  flexibleFrom: 4,
  request: {
    groupId: string(),
    memberId: string({ versions: '0-2' }),
    members: array(
      struct({
        memberId: string(),
        groupInstanceId: string({ nullable: true, default: null }),
        reason: string({ versions: '5+', nullable: true, default: null }),
      }),
      { versions: '3+' },
    ),
  },
  response: {
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    errorCode: int16(),
    members: array(
      struct({ memberId: string(), groupInstanceId: string({ nullable: true }), errorCode: int16() }),
      { versions: '3+' },
    ),
  },
});
