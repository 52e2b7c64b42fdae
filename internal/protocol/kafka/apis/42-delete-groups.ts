import { array, defineApi, int16, int32, string, struct } from '../schema.ts';

/** Deletes groups that are empty. */
export const deleteGroups = defineApi({
  key: 42,
  name: 'DeleteGroups',
  validVersions: '0-2',
  flexibleFrom: 2,
  request: { groupsNames: array(string()) },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    results: array(struct({ groupId: string(), errorCode: int16() })),
  },
});
