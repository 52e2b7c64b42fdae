import { array, bytes, defineApi, int16, int32, string, struct } from '../schema.ts';

/** The leader hands in the assignment of all members; each is answered with its own. */
export const syncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  validVersions: '0-5',
  flexibleFrom: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: true, default: null }),
    protocolType: string({ versions: '5+', nullable: true, default: null }),
    protocolName: string({ versions: '5+', nullable: true, default: null }),
    assignments: array(struct({ memberId: string(), assignment: bytes() })),
  },
  response: {
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    errorCode: int16(),
    protocolType: string({ versions: '5+', nullable: true, default: null }),
    protocolName: string({ versions: '5+', nullable: true, default: null }),
    assignment: bytes(),
  },
});
