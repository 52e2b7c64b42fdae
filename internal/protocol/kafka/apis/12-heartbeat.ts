import { defineApi, int16, int32, string } from '../schema.ts';

/** Keeps a member in its group. */
export const heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  validVersions: '0-4',
  flexibleFrom: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: true, default: null }),
  },
  response: { throttleTimeMs: int32({ versions: '1+', default: 0 }), errorCode: int16() },
});
